//! Takes the comments out of what browsers get: a quarter of the pages' scripts is types and reasons, which only people
//! read, and people read the sources. Everything else stays as it is written, line by line. Used by `build.rs`.

/// What a file is written in, as far as comments are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Script,
    Style,
}

/// Where in a script the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In code, so many braces deep in it; the outermost, or what a template holds in `${…}`.
    Code(usize),
    /// In the text of a template.
    Template,
}

/// Reads a text, and writes what is no comment.
#[derive(Debug)]
struct Stripper<'s> {
    rest: &'s str,
    out: String,
    language: Language,
}

/// After these words a slash begins a regular expression; after other words it divides.
const BEFORE_A_VALUE: [&str; 12] =
    ["return", "typeof", "case", "in", "of", "delete", "void", "await", "yield", "new", "else", "do"];

/// The language of a file of ours, by its path; `None`: its comments stay. What was made by others and is packed
/// already keeps its notices.
pub(crate) fn language_of(path: &str) -> Option<Language> {
    if path.starts_with("vendor/") {
        return None;
    }
    match path.rsplit_once('.')?.1 {
        "js" => Some(Language::Script),
        "css" => Some(Language::Style),
        _ => None,
    }
}

/// The text without its comments, but for those that begin with `/*!`. Its lines keep their numbers.
pub(crate) fn without_comments(text: &str, language: Language) -> String {
    let mut stripper = Stripper { rest: text, out: String::with_capacity(text.len()), language };
    stripper.run();
    stripper.out
}

// === impl Stripper ===

impl Stripper<'_> {
    fn run(&mut self) {
        let mut places = vec![Place::Code(0)];
        while let Some(next) = self.rest.chars().next() {
            match places.last().copied().unwrap_or(Place::Code(0)) {
                Place::Template => match next {
                    '\\' => self.copy(2),
                    '`' => {
                        places.pop();
                        self.copy(1);
                    }
                    '$' if self.rest.starts_with("${") => {
                        places.push(Place::Code(0));
                        self.copy(2);
                    }
                    _ => self.copy(1),
                },
                Place::Code(depth) => self.code(next, depth, &mut places),
            }
        }
    }

    fn code(&mut self, next: char, depth: usize, places: &mut Vec<Place>) {
        let script = self.language == Language::Script;
        match next {
            '/' if self.rest.starts_with("/*") => {
                let (_, inside) = self.rest.split_at(2);
                let end = inside.find("*/").map_or(self.rest.len(), |at| at + 4);
                if inside.starts_with('!') { self.copy_bytes(end) } else { self.skip(end) }
            }
            '/' if script && self.rest.starts_with("//") => {
                self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
            }
            '/' if script && self.expects_a_value() => self.copy_pattern(),
            '\'' | '"' => self.copy_quoted(next),
            '`' if script => {
                places.push(Place::Template);
                self.copy(1);
            }
            '{' | '}' if script => {
                places.pop();
                // The brace that closes what a template holds leads back into its text.
                if next == '{' {
                    places.push(Place::Code(depth + 1));
                } else if depth > 0 || places.is_empty() {
                    places.push(Place::Code(depth.saturating_sub(1)));
                }
                self.copy(1);
            }
            _ => self.copy(1),
        }
    }

    /// Copies so many characters.
    fn copy(&mut self, count: usize) {
        self.copy_bytes(self.rest.char_indices().nth(count).map_or(self.rest.len(), |(at, _)| at));
    }

    fn copy_bytes(&mut self, end: usize) {
        let (copied, rest) = self.rest.split_at(end);
        self.out.push_str(copied);
        self.rest = rest;
    }

    /// Leaves a comment out, but for its ends of lines, and keeps apart what it kept apart.
    fn skip(&mut self, end: usize) {
        let (comment, rest) = self.rest.split_at(end);
        self.rest = rest;
        let line = self.out.rfind('\n').map_or(0, |at| at + 1);
        let begun = self.out.get(line..).is_some_and(|line| !line.trim().is_empty());
        let lines = comment.matches('\n').count();
        if !begun {
            self.out.truncate(line);
        } else if lines == 0 && !rest.starts_with('\n') {
            let apart = self.out.ends_with(char::is_whitespace) || rest.starts_with(char::is_whitespace);
            // In a style a blank between two selectors means something; a comment does not.
            let between = if self.language == Language::Style { "/**/" } else { " " };
            self.out.push_str(if apart { "" } else { between });
        }
        self.out.extend(std::iter::repeat_n('\n', lines));
    }

    fn copy_quoted(&mut self, quote: char) {
        self.copy(1);
        while let Some(next) = self.rest.chars().next() {
            self.copy(if next == '\\' { 2 } else { 1 });
            if next == quote || next == '\n' {
                return;
            }
        }
    }

    fn copy_pattern(&mut self) {
        self.copy(1);
        let mut in_class = false;
        while let Some(next) = self.rest.chars().next() {
            self.copy(if next == '\\' { 2 } else { 1 });
            match next {
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => return,
                '\n' => return,
                _ => {}
            }
        }
    }

    /// Whether a slash here begins a value and does not divide one.
    fn expects_a_value(&self) -> bool {
        let before = self.out.trim_end();
        let Some(last) = before.chars().next_back() else { return true };
        if last.is_alphanumeric() || last == '_' || last == '$' {
            let word = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).next();
            return word.is_some_and(|word| BEFORE_A_VALUE.contains(&word));
        }
        !matches!(last, ')' | ']' | '}' | '"' | '\'' | '`')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> String {
        without_comments(text, Language::Script)
    }

    #[test]
    fn comments_go_and_lines_keep_their_numbers() {
        assert_eq!(
            script("// one\nlet a = 1; // two\n/** three\n * four */\nlet b;\n"),
            "\nlet a = 1; \n\n\nlet b;\n"
        );
        assert_eq!(script("  /* in */ f(/** @type {any} */ x, a/**/b)"), " f( x, a b)");
        assert_eq!(script("/*! kept */a"), "/*! kept */a");
        // What is kept is no code: nothing in it begins or ends anything.
        let notice = "/*! see https://a.example ` ' */\nb();";
        assert_eq!(script(&format!("{notice} // gone")), format!("{notice} "));
        assert_eq!(script("/*/ gone */a"), "a");
        assert_eq!(script("a /* never closed"), "a ");
    }

    #[test]
    fn what_only_looks_like_a_comment_stays() {
        for text in [
            "\"https://a.test/*\" + 'it\\'s // not'",
            "html`<a href=\"//b\">/* text */ ${f({ a: `// ${1} /*` })} // more</a>`",
            "text.replace(/^https?:\\/\\//, '').split(/[/*]/)",
            "return /\\/\\*/.test(a)",
            "x = a / b / c; y = (a) / 2 / d[0] / e",
            "`${`${{}}`}` + '//'",
        ] {
            assert_eq!(script(text), text);
        }
        assert_eq!(script("`${a /* b */}` // c"), "`${a }` ");
    }

    #[test]
    fn styles_have_comments_of_one_kind_only() {
        let style = |text| without_comments(text, Language::Style);
        assert_eq!(style("a { /* b */ c: url(//d) } /* e\n */ f {}"), "a {  c: url(//d) } \n f {}");
        assert_eq!(style("a::before { content: \"/* b */\" }"), "a::before { content: \"/* b */\" }");
    }

    #[test]
    fn what_others_made_keeps_its_notices() {
        assert_eq!(language_of("vendor/preact.js"), None);
        assert_eq!(language_of("pages/users.js"), Some(Language::Script));
        assert_eq!(language_of("style/base.css"), Some(Language::Style));
        assert_eq!(language_of("favicon.svg"), None);
    }
}
