//! Takes what is other users' out of a list.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A page of a list as an upstream gives it.
#[derive(Debug)]
pub(crate) struct Listed {
    body: Bytes,
    has_more: bool,
    /// What stands between the brackets of `data`.
    inside: Range<usize>,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    place: Range<usize>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    has_more: Option<bool>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

// === impl Listed ===

impl Listed {
    /// Reads a page; `None` when the body is none.
    pub(crate) fn read(body: &Bytes) -> Option<Self> {
        let page: Page<'_> = serde_json::from_slice(body).ok()?;
        let data: Vec<&RawValue> = serde_json::from_str(page.data.get()).ok()?;
        let place_of = |raw: &RawValue| {
            let start = raw.get().as_ptr().addr() - body.as_ptr().addr();
            start..start + raw.get().len()
        };
        let items = data
            .into_iter()
            .map(|raw| {
                let named: Option<Named<'_>> = serde_json::from_str(raw.get()).ok();
                Item { place: place_of(raw), id: named.and_then(|named| named.id).map(Cow::into_owned) }
            })
            .collect();
        let list = place_of(page.data);
        let has_more = page.has_more == Some(true);
        Some(Self { body: body.clone(), has_more, inside: list.start + 1..list.end - 1, items })
    }

    /// The ids of what is listed.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| item.id.as_deref())
    }

    /// Where the next page begins, when there is one and none of this one stays. Clients take an empty page for the end.
    pub(crate) fn goes_on_after(&self, stays: impl Fn(&str) -> bool) -> Option<&str> {
        if !self.has_more || self.ids().any(stays) {
            return None;
        }
        self.items.last()?.id.as_deref()
    }

    /// The list without what `stays` does not want. Every byte that need not change stays as it is; something without
    /// an id is nobody's, and goes.
    pub(crate) fn keep(self, stays: impl Fn(&str) -> bool) -> Bytes {
        let wanted = |item: &&Item| item.id.as_deref().is_some_and(&stays);
        let kept: Vec<&Item> = self.items.iter().filter(wanted).collect();
        if kept.len() == self.items.len() {
            return self.body;
        }
        let part = |range: Range<usize>| self.body.get(range).unwrap_or_default();
        let mut body = BytesMut::with_capacity(self.body.len());
        body.extend_from_slice(part(0..self.inside.start));
        for (at, item) in kept.into_iter().enumerate() {
            if at > 0 {
                body.extend_from_slice(b",");
            }
            body.extend_from_slice(part(item.place.clone()));
        }
        body.extend_from_slice(part(self.inside.end..self.body.len()));
        body.freeze()
    }
}

/// The query for the page after this object; `None` where it is read backwards, or where the id is none that can stand
/// in a query.
pub(crate) fn query_after(query: Option<&str>, id: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let pairs = || query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    if !id.bytes().all(is_plain) || pairs().any(|pair| pair.starts_with("before=")) {
        return None;
    }
    let mut next: Vec<&str> = pairs().filter(|pair| !pair.starts_with("after=")).collect();
    let after = format!("after={id}");
    next.push(&after);
    Some(next.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &'static str, own: &[&str]) -> String {
        let listed = Listed::read(&Bytes::from_static(body.as_bytes())).unwrap();
        String::from_utf8(listed.keep(|id| own.contains(&id)).to_vec()).unwrap()
    }

    #[test]
    fn what_is_other_users_is_cut_out_and_the_rest_stays_byte_for_byte() {
        let body = r#"{ "object":"list", "data": [ {"id":"a", "x":1e2},{"id":"b"} , {"id":"\u0063"}, 7 ],"has_more":true}"#;
        assert_eq!(
            kept(body, &["a", "c"]),
            r#"{ "object":"list", "data": [{"id":"a", "x":1e2},{"id":"\u0063"}],"has_more":true}"#
        );
        assert_eq!(kept(body, &[]), r#"{ "object":"list", "data": [],"has_more":true}"#);
    }

    #[test]
    fn a_list_of_nothing_but_own_objects_is_not_touched() {
        let body = r#"{"data":[ {"id":"a"}, {"id":"b"} ]}"#;
        assert_eq!(kept(body, &["a", "b"]), body);
        assert_eq!(kept(r#"{"data":[]}"#, &[]), r#"{"data":[]}"#);
    }

    #[test]
    fn a_page_of_which_nothing_stays_leads_to_the_next_one() {
        let page = |text: &'static str| Listed::read(&Bytes::from_static(text.as_bytes())).unwrap();
        let theirs = page(r#"{"data":[{"id":"a"},{"id":"b"}],"has_more":true}"#);
        assert_eq!(theirs.goes_on_after(|_| false), Some("b"));
        assert_eq!(theirs.goes_on_after(|id| id == "a"), None);
        assert_eq!(page(r#"{"data":[{"id":"a"}],"has_more":false}"#).goes_on_after(|_| false), None);
        assert_eq!(page(r#"{"data":[],"has_more":true}"#).goes_on_after(|_| false), None);

        assert_eq!(query_after(None, "b").as_deref(), Some("after=b"));
        assert_eq!(
            query_after(Some("limit=2&after=a&order=asc"), "b").as_deref(),
            Some("limit=2&order=asc&after=b")
        );
        assert_eq!(query_after(Some("before=a"), "b"), None);
        assert_eq!(query_after(None, "b&limit=1"), None);
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_one() {
        for body in [r#"{"data":{"id":"a"}}"#, r#"{"id":"a"}"#, "[]", "x"] {
            assert!(Listed::read(&Bytes::from_static(body.as_bytes())).is_none(), "{body}");
        }
    }
}
