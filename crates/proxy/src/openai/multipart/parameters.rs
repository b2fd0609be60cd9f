//! The parameters behind a content type or a content disposition, read so that nobody can read them otherwise.

/// What stands before the first semicolon, and the parameters behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters<'a> {
    pub(super) essence: &'a [u8],
    pub(super) pairs: Vec<Pair<'a>>,
}

/// One parameter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    /// As it was spelled; compared without regard to case.
    name: &'a [u8],
    /// Between the quotes, backslashes and all.
    pub(super) value: &'a [u8],
}

// === impl Parameters ===

impl<'a> Parameters<'a> {
    /// Reads `essence; name=token; name="quoted"`. An error says what is wrong with it, as the end of a sentence.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, &'static str> {
        let (essence, mut rest) = split(text, |b| b == b';');
        let mut pairs = Vec::new();
        while let Some(behind) = rest.strip_prefix(b";") {
            rest = behind.trim_ascii_start();
            if rest.is_empty() {
                break;
            }
            let (name, behind) = split(rest, |b| !is_token(b));
            let behind = behind.strip_prefix(b"=").filter(|_| !name.is_empty());
            let behind = behind.ok_or("has a parameter that is no name=value")?;
            let (value, behind) = match behind.strip_prefix(b"\"") {
                Some(quoted) => in_quotes(quoted)?,
                None => split(behind, |b| !is_token(b)),
            };
            rest = behind.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b";") {
                return Err("has a parameter whose value needs quotes around it");
            }
            pairs.push(Pair { name, value });
        }
        Ok(Self { essence: essence.trim_ascii(), pairs })
    }

    /// The one parameter of this name.
    pub(super) fn one(&self, name: &str) -> Result<Option<&Pair<'a>>, &'static str> {
        let mut found = self.pairs.iter().filter(|pair| pair.name.eq_ignore_ascii_case(name.as_bytes()));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err("has the same parameter twice"),
            (first, None) => Ok(first),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|pair| pair.name.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Visible ASCII without separators (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The text up to the closing quote, and what stands behind that.
///
/// Some writers put a backslash before a quote and some readers know nothing of it. Where the rest of the value would
/// then pass for further parameters, it is refused.
fn in_quotes(text: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let mut at = 0;
    let mut escaped = false;
    loop {
        match (text.get(at), text.get(at + 1)) {
            (Some(b'"'), _) => {
                let (value, behind) = text.split_at(at);
                return Ok((value, behind.get(1..).unwrap_or_default()));
            }
            (Some(b'\\'), Some(next @ (b'"' | b'\\'))) => {
                escaped |= *next == b'"';
                at += 2;
            }
            (Some(b';'), _) if escaped => return Err("has a semicolon behind an escaped quote"),
            (Some(_), _) => at += 1,
            (None, _) => return Err("has a quote that is not closed"),
        }
    }
}

fn split(text: &[u8], stop: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|b| stop(*b)).unwrap_or(text.len()))
}
