use std::borrow::Cow;
use std::ops::Range;

/// The path of a request below the version, byte for byte as it came, and what its parameters are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathParams {
    /// Without the version.
    template: &'static str,
    path: Cow<'static, str>,
}

// === impl PathParams ===

impl PathParams {
    /// `path` stands below `/v1`; `template` begins with it.
    pub(super) fn of(template: &'static str, path: &str) -> Self {
        let template = template.strip_prefix("/v1").unwrap_or(template);
        let path = if path == template { Cow::Borrowed(template) } else { Cow::Owned(path.to_owned()) };
        Self { template, path }
    }

    /// A path that no row of the table knows.
    pub(super) fn unknown(path: &str) -> Self {
        Self { template: "", path: Cow::Owned(path.to_owned()) }
    }

    /// The path; it begins with a slash.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// A parameter by its name in the template, percent-encoded as it came.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.path.get(self.place_of(name)?)
    }

    /// Where a parameter stands in [`Self::as_str`].
    pub fn place_of(&self, name: &str) -> Option<Range<usize>> {
        let mut at = 0;
        let mut segments = self.path.split('/');
        let mut wanted = self.template.split('/').peekable();
        while let Some(pattern) = wanted.next() {
            let segment = segments.next()?;
            if parameter(pattern) == Some(name) {
                // The name of a model may hold slashes, and nothing follows it then.
                let end = if wanted.peek().is_none() { self.path.len() } else { at + segment.len() };
                return Some(at..end);
            }
            at += segment.len() + 1;
        }
        None
    }
}

/// The name of a parameter, if this segment of a template is one.
pub(super) fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Whether `path` fits `template`, segment by segment; a parameter takes any one segment.
pub(super) fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fits = template.split('/').all(|pattern| {
        segments.next().is_some_and(|segment| segment == pattern || parameter(pattern).is_some())
    });
    fits && segments.next().is_none()
}

/// Whether every reader of the path sees the same one: no empty segments, and none that leads elsewhere, also when its
/// dots or slashes are written otherwise.
pub(super) fn is_plain(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain_segment))
}

fn is_plain_segment(segment: &str) -> bool {
    if segment.is_empty() {
        return false;
    }
    // Practically every segment there is.
    if !segment.bytes().any(|byte| matches!(byte, b'.' | b'%' | b'\\')) {
        return true;
    }
    let read = segment.to_ascii_lowercase().replace("%2e", ".").replace("%5c", "\\").replace("%2f", "/");
    read.split(['/', '\\']).all(|piece| piece != "." && piece != "..")
}
