//! Walks the members of one JSON object without building values.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::string::unquoted;

/// Calls `visit(key, value)` for every member of the object in `text`, in order, duplicates included.
///
/// The whole text is validated; nothing is copied but keys that are spelled with escapes. A key that is no Unicode
/// text (it holds a lone surrogate) is passed over: it is legal JSON and equals none of the names we look for.
pub(super) fn each_field<'a>(
    text: &'a str,
    visit: impl FnMut(&str, &'a RawValue),
) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.deserialize_map(Each(visit))?;
    parser.end()
}

/// The text of a JSON string, borrowed when it holds no escapes. `None` when `raw` is another kind of value, or a
/// string that is no Unicode text.
pub(super) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    unquoted(raw.get())
}

/// The bytes of `text` in which `raw` stands, which was read from there.
pub(super) fn place_in(text: &str, raw: &RawValue) -> Range<usize> {
    let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + raw.get().len()
}

/// Whether `raw` is an object.
pub(super) fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

struct Each<F>(F);

// === impl Each ===

impl<'de, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            let value = map.next_value::<&'de RawValue>()?;
            if let Some(key) = text_of(key) {
                (self.0)(&key, value);
            }
        }
        Ok(())
    }
}
