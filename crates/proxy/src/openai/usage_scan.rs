//! Finds the usage in a JSON document that is too long to be kept, while its bytes pass.

use gateway_domain::Usage;

use super::usage::counts;

/// The longest `usage` that is read. OpenAI's have a few hundred bytes.
const MAX_USAGE: usize = 16 << 10;
/// The longest key that is looked at: `response` with every letter escaped has fewer bytes.
const MAX_KEY: usize = 64;

/// Follows a document by its strings and brackets alone: `usage` at the top, or in a `response` at the top, is taken out
/// and read, everything else is passed over. What it holds is bounded, however long the document is.
///
/// It does not judge the document: of one that is no JSON it finds something or nothing.
#[derive(Debug, Default)]
pub struct UsageScan {
    /// How many brackets are open.
    depth: usize,
    text: Text,
    /// The key of the member that is being read, at the innermost depth where keys matter.
    member: Member,
    /// Whether the next string is a key.
    expects_key: bool,
    /// Whether the bracket at depth 2 is the `response`.
    in_response: bool,
    /// The root is no object, or it is closed.
    over: bool,
    taken: Option<Taken>,
    at_top: Option<Usage>,
    of_response: Option<Usage>,
}

/// Whether the last byte was inside a string.
#[derive(Debug, Default)]
enum Text {
    #[default]
    Outside,
    Inside {
        /// A backslash came last.
        escaped: bool,
        /// The string as far as it has come, when it is a key.
        key: Option<Vec<u8>>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    #[default]
    Other,
    Usage,
    Response,
}

/// A `usage` as far as it has come.
#[derive(Debug)]
struct Taken {
    bytes: Vec<u8>,
    /// How deep its member stands.
    depth: usize,
}

// === impl UsageScan ===

impl UsageScan {
    /// A scan of which this much has been read.
    pub fn begun_with(bytes: &[u8]) -> Self {
        let mut scan = Self::default();
        scan.feed(bytes);
        scan
    }

    /// Reads on, and gives what has been found so far: the last `usage` at the top that tells anything, otherwise the
    /// one of the response.
    pub fn feed(&mut self, bytes: &[u8]) -> Usage {
        let mut rest = bytes;
        while !rest.is_empty() && !self.over {
            let read = match &mut self.text {
                Text::Inside { escaped, key } => within_text(rest, escaped, key),
                Text::Outside => self.between_texts(rest),
            };
            let (now, after) = rest.split_at(read.bytes.min(rest.len()));
            self.take(now);
            match read.ends {
                Ends::Nothing => {}
                Ends::Text => self.end_text(),
                Ends::Byte(byte) => self.structure(byte),
            }
            rest = after;
        }
        self.at_top.or(self.of_response).unwrap_or_default()
    }

    /// Passes over what is neither a string nor a bracket, nor a comma where keys matter.
    fn between_texts(&self, bytes: &[u8]) -> Read {
        let at = if self.depth == 0 || self.among_members() {
            bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b':'))
        } else {
            bytes.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))
        };
        match at.and_then(|at| Some((at, *bytes.get(at)?))) {
            Some((at, byte)) => Read { bytes: at + 1, ends: Ends::Byte(byte) },
            None => Read { bytes: bytes.len(), ends: Ends::Nothing },
        }
    }

    /// Whether the keys at this place matter.
    fn among_members(&self) -> bool {
        self.depth == 1 || (self.depth == 2 && self.in_response)
    }

    fn structure(&mut self, byte: u8) {
        let among_members = self.among_members();
        match byte {
            _ if self.depth == 0 && byte != b'{' => self.over = true,
            b'"' => {
                let key = (among_members && self.expects_key).then(Vec::new);
                self.text = Text::Inside { escaped: false, key };
            }
            b'{' => {
                let member = if among_members { self.member } else { Member::Other };
                if member == Member::Usage {
                    self.taken = Some(Taken { bytes: vec![byte], depth: self.depth });
                }
                self.in_response |= member == Member::Response && self.depth == 1;
                self.expects_key = self.depth == 0 || (self.in_response && self.depth == 1);
                self.depth += 1;
            }
            b'[' => {
                self.expects_key = false;
                self.depth += 1;
            }
            b'}' | b']' => self.close(),
            b',' if among_members => {
                self.expects_key = true;
                self.member = Member::Other;
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.expects_key = false;
        if let Some(taken) = self.taken.take_if(|taken| taken.depth == self.depth) {
            self.found(taken.read());
        }
        if self.depth <= 1 {
            self.in_response = false;
        }
        if self.depth == 0 {
            self.over = true;
        }
        self.member = Member::Other;
    }

    fn end_text(&mut self) {
        let Text::Inside { key: Some(key), .. } = std::mem::take(&mut self.text) else { return };
        self.expects_key = false;
        self.member = Member::of(&key);
        // Of members with the same key the last one counts, whatever it is.
        match self.member {
            Member::Usage => self.found(None),
            Member::Response if self.depth == 1 => self.of_response = None,
            Member::Response | Member::Other => {}
        }
    }

    fn found(&mut self, usage: Option<Usage>) {
        if self.depth == 1 {
            self.at_top = usage;
        } else {
            self.of_response = usage;
        }
    }

    /// Keeps what belongs to a `usage`.
    fn take(&mut self, bytes: &[u8]) {
        if let Some(taken) = &mut self.taken {
            let room = (MAX_USAGE + 1).saturating_sub(taken.bytes.len());
            taken.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }
}

/// How far some bytes were read, and what stands at the end of that.
struct Read {
    bytes: usize,
    ends: Ends,
}

enum Ends {
    Nothing,
    /// The quotation mark that ends a string.
    Text,
    /// A byte that may matter.
    Byte(u8),
}

/// Reads on in a string. Most of a long document is in here.
fn within_text(bytes: &[u8], escaped: &mut bool, key: &mut Option<Vec<u8>>) -> Read {
    let mut note = |bytes: &[u8]| {
        if let Some(key) = key {
            let room = (MAX_KEY + 1).saturating_sub(key.len());
            key.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    };
    if std::mem::take(escaped) {
        note(bytes.get(..1).unwrap_or_default());
        return Read { bytes: 1, ends: Ends::Nothing };
    }
    match memchr::memchr2(b'"', b'\\', bytes) {
        None => {
            note(bytes);
            Read { bytes: bytes.len(), ends: Ends::Nothing }
        }
        Some(at) if bytes.get(at) == Some(&b'"') => {
            note(bytes.get(..at).unwrap_or_default());
            Read { bytes: at + 1, ends: Ends::Text }
        }
        Some(at) => {
            note(bytes.get(..=at).unwrap_or_default());
            *escaped = true;
            Read { bytes: at + 1, ends: Ends::Nothing }
        }
    }
}

// === impl Member ===

impl Member {
    /// By the text between the quotation marks, as it stands in the document.
    fn of(key: &[u8]) -> Self {
        if !key.contains(&b'\\') {
            return Self::named(key);
        }
        let quoted = [b"\"", key, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).map_or(Self::Other, |key| Self::named(key.as_bytes()))
    }

    fn named(key: &[u8]) -> Self {
        match key {
            b"usage" => Self::Usage,
            b"response" => Self::Response,
            _ => Self::Other,
        }
    }
}

// === impl Taken ===

impl Taken {
    /// `None` of one that is too long, tells nothing, or is no JSON.
    fn read(self) -> Option<Usage> {
        if self.bytes.len() > MAX_USAGE {
            return None;
        }
        counts(self.bytes.trim_ascii())
    }
}

#[cfg(test)]
mod tests;
