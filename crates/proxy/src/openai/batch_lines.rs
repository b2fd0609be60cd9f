//! Reads which models the lines of a batch's file ask, while the file passes, in pieces cut anywhere.

use std::collections::BTreeSet;
use std::mem::take;

use super::nested::nested_model;

/// How long a line may be that is read, in bytes.
const MAX_LINE: usize = 4 << 20;
/// How many models are told apart.
const MAX_MODELS: usize = 64;
/// How many lines, and how many bytes of them, are looked at where they only say where the file may go.
const FIRST: (usize, usize) = (100, 1 << 20);

/// The models of a file, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchModels {
    /// Each once, in the order of their names.
    pub models: BTreeSet<String>,
    /// The first line of which nobody can say which model it asks, and why. Only looked for where every line counts.
    pub flaw: Option<(usize, &'static str)>,
}

/// Reads the lines of a file. Takes linear time and bounded memory.
#[derive(Clone, Debug)]
pub struct BatchLines {
    /// Whether every line counts, or the first ones are enough.
    every: bool,
    line: Vec<u8>,
    /// The line under way is longer than what is read.
    over: bool,
    /// How many lines and bytes have come.
    lines: usize,
    bytes: usize,
    found: BatchModels,
}

// === impl BatchLines ===

impl BatchLines {
    /// A reader at the start of a file.
    pub fn new(every: bool) -> Self {
        let (line, found) = (Vec::new(), BatchModels::default());
        Self { every, line, over: false, lines: 0, bytes: 0, found }
    }

    /// Takes in the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !self.is_done()
            && let Some(end) = memchr::memchr(b'\n', bytes)
        {
            let (line, behind) = bytes.split_at(end);
            self.hold(line);
            self.end_line();
            bytes = behind.get(1..).unwrap_or_default();
        }
        if !self.is_done() {
            self.hold(bytes);
        }
    }

    /// What was found. A last line counts only where its end has come.
    pub fn finish(self) -> BatchModels {
        self.found
    }

    /// Whether nothing that may still come says more.
    fn is_done(&self) -> bool {
        let (lines, bytes) = FIRST;
        self.found.flaw.is_some() || (!self.every && (self.lines >= lines || self.bytes >= bytes))
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.over |= self.line.len() + bytes.len() > MAX_LINE;
        if self.over {
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        self.lines += 1;
        let over = take(&mut self.over);
        let line = self.line.trim_ascii();
        let found = if over {
            Err("is longer than 4 MiB")
        } else if line.is_empty() {
            Ok(None)
        } else {
            match nested_model(line, &["body", "model"]) {
                Ok(Some(model)) => Ok(Some(model.value.into_owned())),
                Ok(None) => Err("is no JSON object with a `body` that names its `model`"),
                Err(_) => Err("names its model in a way that can be read in two ways, or not at all"),
            }
        };
        self.line.clear();
        let flaw = match found {
            Ok(Some(model)) if self.found.models.len() < MAX_MODELS => {
                self.found.models.insert(model);
                return;
            }
            Ok(Some(model)) if !self.found.models.contains(&model) => {
                "names one more model than the 64 before it"
            }
            Ok(_) => return,
            Err(flaw) => flaw,
        };
        if self.every {
            self.found.flaw = Some((self.lines, flaw));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(model: &str) -> String {
        format!(
            r#"{{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{{"model":"{model}"}}}}"#
        )
    }

    fn found(every: bool, file: &str) -> (Vec<String>, Option<usize>) {
        let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut lines = BatchLines::new(every);
            pieces.for_each(|piece| lines.feed(piece));
            lines.finish()
        };
        let whole = read(&mut std::iter::once(file.as_bytes()));
        for size in [1, 3, 7] {
            assert_eq!(read(&mut file.as_bytes().chunks(size)), whole, "cut into pieces of {size}");
        }
        (whole.models.into_iter().collect(), whole.flaw.map(|(line, _)| line))
    }

    #[test]
    fn the_models_of_all_lines_are_found() {
        let file = format!("{}\r\n\n{}\n{}\n", line("b"), line("a"), line("b"));
        for every in [true, false] {
            assert_eq!(found(every, &file), (vec!["a".to_owned(), "b".to_owned()], None));
        }
    }

    #[test]
    fn a_line_that_says_nothing_certain_is_a_flaw_where_every_line_counts() {
        for bad in [
            "x",
            "[]",
            r#"{"body":{}}"#,
            r#"{"model":"m"}"#,
            r#"{"body":{"model":"a"},"body":{"model":"b"}}"#,
            r#"{"body":{"model":"a","model":"b"}}"#,
            r#"{"body":{"model":1}}"#,
            r#"{"a":1}{"body":{"model":"a"}}"#,
            "{\"a\":1}\r{\"body\":{\"model\":\"a\"}}",
        ] {
            let file = format!("{}\n{bad}\n{}\n", line("m"), line("n"));
            assert_eq!(found(true, &file), (vec!["m".to_owned()], Some(2)), "{bad}");
            assert_eq!(found(false, &file).1, None, "{bad}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_not_held() {
        let mut lines = BatchLines::new(true);
        for _ in 0..1_000 {
            lines.feed(&[b'x'; 10_000]);
            assert!(lines.line.len() <= MAX_LINE);
        }
        lines.feed(b"\n");
        assert_eq!(lines.finish().flaw.map(|(line, _)| line), Some(1));
    }

    #[test]
    fn the_first_lines_are_enough_where_they_only_say_where_to_go() {
        let file = format!("{}{}\n", format!("{}\n", line("m")).repeat(FIRST.0), line("late"));
        assert_eq!(found(false, &file).0, ["m"]);
        assert_eq!(found(true, &file).0, ["late", "m"]);
    }

    #[test]
    fn the_models_that_are_told_apart_are_bounded() {
        let lines: Vec<String> = (0..=MAX_MODELS).map(|n| line(&format!("m{n}"))).collect();
        assert_eq!(found(true, &(lines.join("\n") + "\n")).1, Some(MAX_MODELS + 1));
    }
}
