//! Takes what is wanted from the members of one JSON object, read once.

use std::str::from_utf8;

use super::fields::each_field;
use super::plain::{Reader, read};

/// What `take` has made of the members of the object that `text` is: their names without quotes, and their values as they
/// stand in the text. In order, duplicates included. `None` where the text is no object.
///
/// What is plain is read fast; the rest by the parser that knows everything, from the beginning and for a fresh `T`.
pub(super) fn gather<'t, T: Default>(text: &'t [u8], take: impl Fn(&mut T, &[u8], &'t [u8])) -> Option<T> {
    gather_plain(text, &take).or_else(|| {
        let mut gathered = T::default();
        let read = each_field(from_utf8(text).ok()?, |name, value| {
            take(&mut gathered, name.as_bytes(), value.get().as_bytes());
        });
        read.ok().map(|()| gathered)
    })
}

/// The same, only of what is plain: `None` says nothing of the text.
fn gather_plain<'t, T: Default>(text: &'t [u8], take: impl Fn(&mut T, &[u8], &'t [u8])) -> Option<T> {
    let mut gather = Gather { gathered: T::default(), take };
    read(text, &mut gather)?;
    Some(gather.gathered)
}

/// Whether a value is an object.
pub(super) fn is_object(value: &[u8]) -> bool {
    value.first() == Some(&b'{')
}

struct Gather<T, F> {
    gathered: T,
    take: F,
}

// === impl Gather ===

impl<'t, T, F: Fn(&mut T, &[u8], &'t [u8])> Reader<'t> for Gather<T, F> {
    fn member(&mut self, name: &'t [u8], value: &'t [u8]) {
        (self.take)(&mut self.gathered, name, value);
    }

    fn inner_name(&mut self, _name: &'t [u8]) {}

    fn escaped_name(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Option<Vec<(String, String)>> {
        gather(text.as_bytes(), |members: &mut Vec<_>, name, value| {
            members.push((String::from_utf8_lossy(name).into(), String::from_utf8_lossy(value).into()));
        })
    }

    #[test]
    fn members_are_told_once_each_however_they_are_spelled() {
        for text in [r#" {"a":1, "b" : {"c":[]},"a":"é"} "#, r#"{"\u0061":1,"b":{"c":[]},"a":"é"}"#] {
            let told = members(text).unwrap();
            let names: Vec<&str> = told.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, ["a", "b", "a"], "{text}");
            assert_eq!((&*told[1].1, &*told[2].1), (r#"{"c":[]}"#, r#""é""#));
        }
        for none in ["[1]", r#"{"a":1"#, r#"{"a":1}}"#, ""] {
            assert_eq!(members(none), None, "{none}");
        }
    }
}
