//! Which pieces of earlier responses a call refers to without repeating them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::Named;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Adds the pieces that a body refers to. Few do, and only those are read once more.
pub(super) fn references_in<'b>(body: &'b [u8], named: &mut Named<'b>) {
    if memchr::memmem::find(body, b"item_reference").is_none() {
        return;
    }
    let Ok(Body { input, items }) = serde_json::from_slice(body) else { return };
    for list in [input, items].into_iter().flatten() {
        let Ok(pieces) = serde_json::from_str::<Vec<&RawValue>>(list.get()) else { continue };
        let read = pieces.into_iter().filter_map(|piece| serde_json::from_str::<Piece<'_>>(piece.get()).ok());
        named.parts.extend(read.filter(|piece| piece.kind == "item_reference").map(|piece| piece.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_referred_to_is_named() {
        let rows: &[(&str, &[&str])] = &[
            (
                r#"{"input":[{"type":"item_reference","id":"msg_1"},{"id":"rs_1","type":"item_reference"}]}"#,
                &["msg_1", "rs_1"],
            ),
            (
                r#"{"items":[{"type":"message","id":"msg_1"},{"id":"msg_2","type":"item_reference"}]}"#,
                &["msg_2"],
            ),
            (r#"{"input":"item_reference"}"#, &[]),
            (r#"{"input":[{"type":"reasoning","id":"rs_1"}]}"#, &[]),
            (r#"{"input":[{"type":"item_reference"}]}"#, &[]),
        ];
        for (body, parts) in rows {
            let mut named = Named::default();
            references_in(body.as_bytes(), &mut named);
            assert_eq!(
                (named.parts, named.ids.len()),
                (parts.iter().map(|id| Cow::Borrowed(*id)).collect(), 0),
                "{body}"
            );
        }
    }
}
