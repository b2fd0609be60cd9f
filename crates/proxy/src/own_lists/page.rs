//! One page of a list, as an upstream gives it and as the client gets it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A page of a list as an upstream gives it.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    body: Bytes,
    /// Whether more stands behind it; an upstream that does not say so has given all there is.
    pub has_more: bool,
    pub items: Vec<Item>,
    /// What stands between the brackets of `data`.
    inside: Range<usize>,
    /// Where the values of these members stand, if the page has them.
    members: [(Member, Option<Range<usize>>); 3],
}

/// What a page lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its JSON, byte for byte.
    pub text: Bytes,
    pub id: Option<String>,
    /// When it was made, in seconds by the upstream's clock.
    pub made_at: Option<i64>,
}

/// What is listed instead of a page's own items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub items: Vec<(String, Bytes)>,
    pub has_more: bool,
}

/// A member of a page that depends on what is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    FirstId,
    LastId,
    HasMore,
}

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default, deserialize_with = "as_it_stands")]
    has_more: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_stands")]
    first_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_stands")]
    last_id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawItem<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    created: Option<&'a RawValue>,
}

/// A member that is there, also where it says `null`.
fn as_it_stands<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

// === impl Page ===

impl Page {
    /// Reads a page; `None` when the body is none.
    pub(crate) fn read(body: &Bytes) -> Option<Self> {
        let page: RawPage<'_> = serde_json::from_slice(body).ok()?;
        let data: Vec<&RawValue> = serde_json::from_str(page.data.get()).ok()?;
        let place_of = |raw: &RawValue| {
            let start = raw.get().as_ptr().addr() - body.as_ptr().addr();
            start..start + raw.get().len()
        };
        let items = data.into_iter().map(|raw| item(raw, body.slice(place_of(raw)))).collect();
        let list = place_of(page.data);
        Some(Self {
            has_more: page.has_more.is_some_and(|raw| raw.get() == "true"),
            items,
            inside: list.start + 1..list.end - 1,
            members: [
                (Member::FirstId, page.first_id.map(place_of)),
                (Member::LastId, page.last_id.map(place_of)),
                (Member::HasMore, page.has_more.map(place_of)),
            ],
            body: body.clone(),
        })
    }

    /// This page with something else listed. Every byte that need not change stays as it is.
    pub(crate) fn listing(&self, listing: &Listing) -> Bytes {
        let id = |item: Option<&(String, Bytes)>| {
            item.map_or_else(|| "null".to_owned(), |(id, _)| serde_json::Value::from(&**id).to_string())
        };
        let mut changes: Vec<(Range<usize>, Bytes)> = vec![(self.inside.clone(), joined(&listing.items))];
        for (member, place) in &self.members {
            let words = match member {
                Member::FirstId => id(listing.items.first()),
                Member::LastId => id(listing.items.last()),
                Member::HasMore => listing.has_more.to_string(),
            };
            match place {
                Some(place) => changes.push((place.clone(), words.into())),
                // Clients that are not told take the page for the last one.
                None if *member == Member::HasMore && listing.has_more => {
                    let behind = self.inside.end + 1;
                    changes.push((behind..behind, Bytes::from_static(b",\"has_more\":true")));
                }
                None => {}
            }
        }
        changes.sort_by_key(|(place, _)| place.start);
        let part = |range: Range<usize>| self.body.get(range).unwrap_or_default();
        let mut body = BytesMut::with_capacity(self.body.len());
        let mut at = 0;
        for (place, words) in changes {
            body.extend_from_slice(part(at..place.start));
            body.extend_from_slice(&words);
            at = place.end;
        }
        body.extend_from_slice(part(at..self.body.len()));
        body.freeze()
    }
}

fn joined(items: &[(String, Bytes)]) -> Bytes {
    let mut joined = BytesMut::with_capacity(items.iter().map(|(_, text)| text.len() + 1).sum());
    for (at, (_, text)) in items.iter().enumerate() {
        if at > 0 {
            joined.extend_from_slice(b",");
        }
        joined.extend_from_slice(text);
    }
    joined.freeze()
}

/// Something that tells no id, or tells it twice, has none: it is nobody's.
fn item(raw: &RawValue, text: Bytes) -> Item {
    let told: Option<RawItem<'_>> = serde_json::from_str(raw.get()).ok();
    let id = told.as_ref().and_then(|told| serde_json::from_str(told.id?.get()).ok());
    let made_at = told.and_then(|told| seconds(told.created_at.or(told.created)?.get()));
    Item { text, id, made_at }
}

/// When something was made, by the JSON of an answer about it.
pub(crate) fn made_at(body: &[u8]) -> Option<i64> {
    let told: RawItem<'_> = serde_json::from_slice(body).ok()?;
    seconds(told.created_at.or(told.created)?.get())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a moment beyond what fits is cut to the last one that does"
)]
fn seconds(number: &str) -> Option<i64> {
    number.parse().ok().or_else(|| number.parse::<f64>().ok().map(|seconds| seconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &'static str) -> Page {
        Page::read(&Bytes::from_static(body.as_bytes())).unwrap()
    }

    fn listed(body: &'static str, ids: &[&str], has_more: bool) -> String {
        let page = page(body);
        let items = page.items.iter().filter_map(|item| Some((item.id.clone()?, item.text.clone())));
        let items = items.filter(|(id, _)| ids.contains(&&**id)).collect();
        String::from_utf8(page.listing(&Listing { items, has_more }).to_vec()).unwrap()
    }

    #[test]
    fn what_is_listed_instead_changes_no_other_byte() {
        let body = r#"{ "object":"list", "data": [ {"id":"a", "x":1e2},{"id":"b"} , {"id":"\u0063"}, 7 ],"has_more":true, "more":{"last_id":1}}"#;
        assert_eq!(
            listed(body, &["a", "c"], false),
            r#"{ "object":"list", "data": [{"id":"a", "x":1e2},{"id":"\u0063"}],"has_more":false, "more":{"last_id":1}}"#
        );
        assert_eq!(
            listed(body, &[], true),
            r#"{ "object":"list", "data": [],"has_more":true, "more":{"last_id":1}}"#
        );
    }

    #[test]
    fn the_first_and_last_ids_are_those_of_what_is_listed() {
        let body = r#"{"first_id":"a","data":[{"id":"a"},{"id":"b\""},{"id":"c"}],"last_id":"c"}"#;
        assert_eq!(
            listed(body, &["b\""], true),
            r#"{"first_id":"b\"","data":[{"id":"b\""}],"has_more":true,"last_id":"b\""}"#
        );
        assert_eq!(listed(body, &[], false), r#"{"first_id":null,"data":[],"last_id":null}"#);
        // The page that lends its shape to a merged one may be an empty one.
        let empty = r#"{"data":[],"first_id":null,"last_id":null,"has_more":null}"#;
        let page = Page::read(&Bytes::from_static(empty.as_bytes())).unwrap();
        let listing = Listing { items: vec![("a".to_owned(), Bytes::from_static(b"{}"))], has_more: true };
        assert_eq!(page.listing(&listing), r#"{"data":[{}],"first_id":"a","last_id":"a","has_more":true}"#);
    }

    #[test]
    fn items_tell_who_they_are_and_when_they_were_made() {
        let body = r#"{"data":[{"id":"a","created_at":5},{"created":6.7,"id":"b"},{"id":"c","created_at":"x"},
            {"id":1,"created_at":7},{"id":"d","id":"e"},[]]}"#;
        let told: Vec<_> = page(body).items.into_iter().map(|item| (item.id, item.made_at)).collect();
        let named = |id: &str| Some(id.to_owned());
        assert_eq!(
            told,
            [
                (named("a"), Some(5)),
                (named("b"), Some(6)),
                (named("c"), None),
                (None, Some(7)),
                (None, None),
                (None, None)
            ]
        );
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_one() {
        for body in [r#"{"data":{"id":"a"}}"#, r#"{"id":"a"}"#, "[]", "x"] {
            assert!(Page::read(&Bytes::from_static(body.as_bytes())).is_none(), "{body}");
        }
    }
}
