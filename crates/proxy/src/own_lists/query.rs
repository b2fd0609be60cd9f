//! What a list is asked for.

use std::cmp::Ordering;

use crate::error::ProxyError;
use crate::openai::{ObjectKind, uri};

/// The part of a query that says which page of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// At most this many.
    pub limit: usize,
    /// As the pages are to be read; the other way round than as they are shown where they end `before` an object.
    pub order: Order,
    /// Whether the order must be said to channels.
    pub says_order: bool,
    pub from: From,
    /// The parameter that only a channel that is alone can heed, and why.
    pub unmergeable: Option<(&'static str, &'static str)>,
    /// What else is asked, for each channel to answer.
    pub rest: Vec<String>,
}

/// From where a page begins, in the order in which it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    Beginning,
    /// Behind this object.
    After(String),
    /// It is to be shown in the other order, and ends right before this object.
    Before(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

/// The most that anybody may ask for; OpenAI's own bound for files.
const MOST: usize = 10_000;

// === impl Wanted ===

impl Wanted {
    /// Reads the query of a list of objects of this kind.
    pub(super) fn read(query: Option<&str>, kind: ObjectKind) -> Result<Self, ProxyError> {
        let (mut limit, mut order, mut from, mut rest) = (None, None, From::Beginning, Vec::new());
        let mut unmergeable = None;
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "limit" => limit = Some(limit_of(value)?),
                "order" => order = Some(Order::read(value)?),
                "after" | "before" if value.is_empty() => {}
                "after" | "before" if from != From::Beginning => {
                    unmergeable = Some(("before", "cannot be given besides `after`"));
                }
                "after" => from = From::After(id(value, "after")?),
                "before" => from = From::Before(id(value, "before")?),
                "order_by" if value != "created_at" => {
                    unmergeable = Some(("order_by", "can be `created_at` only"));
                }
                _ => rest.push(pair.to_owned()),
            }
        }
        let shown = order.unwrap_or_else(|| Order::of(kind));
        let backwards = matches!(from, From::Before(_));
        Ok(Self {
            limit: limit.unwrap_or(if kind == ObjectKind::File { MOST } else { 20 }),
            order: if backwards { shown.reversed() } else { shown },
            says_order: order.is_some() || backwards,
            from,
            unmergeable,
            rest,
        })
    }

    /// The query for one channel's page.
    pub(super) fn page(&self, after: Option<&str>, size: usize) -> String {
        let mut pairs = self.rest.clone();
        pairs.push(format!("limit={size}"));
        if self.says_order {
            pairs.push(format!("order={}", self.order.as_str()));
        }
        pairs.extend(after.map(|id| format!("after={}", uri::encoded(id))));
        pairs.join("&")
    }
}

// === impl Order ===

impl Order {
    /// As OpenAI lists objects of a kind when it is not told how.
    fn of(kind: ObjectKind) -> Self {
        let oldest_first = matches!(kind, ObjectKind::StoredCompletion | ObjectKind::Eval);
        if oldest_first { Self::OldestFirst } else { Self::NewestFirst }
    }

    /// Which of two stands first.
    pub(super) fn compare<T: Ord + Copy>(self, one: T, other: T) -> Ordering {
        match self {
            Self::OldestFirst => one.cmp(&other),
            Self::NewestFirst => other.cmp(&one),
        }
    }

    fn read(word: &str) -> Result<Self, ProxyError> {
        match word {
            "asc" => Ok(Self::OldestFirst),
            "desc" => Ok(Self::NewestFirst),
            _ => Err(bad("order", "must be `asc` or `desc`")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::OldestFirst => "asc",
            Self::NewestFirst => "desc",
        }
    }

    const fn reversed(self) -> Self {
        match self {
            Self::OldestFirst => Self::NewestFirst,
            Self::NewestFirst => Self::OldestFirst,
        }
    }
}

fn limit_of(value: &str) -> Result<usize, ProxyError> {
    let limit = value.parse().ok().filter(|limit| *limit <= MOST);
    limit.ok_or_else(|| bad("limit", "must be a number up to 10000"))
}

fn id(value: &str, name: &'static str) -> Result<String, ProxyError> {
    uri::decoded(value).ok_or_else(|| bad(name, "is no id"))
}

/// The refusal of a parameter.
pub(super) fn bad(param: &'static str, why: &str) -> ProxyError {
    ProxyError::BadRequest { message: format!("`{param}`: {why}"), param: Some(param), code: "invalid_value" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Wanted {
        Wanted::read(Some(query), ObjectKind::Batch).unwrap()
    }

    #[test]
    fn a_query_is_taken_apart_and_put_together_for_a_channel() {
        let wanted = read("purpose=x&limit=2&after=file-1%2d2&&metadata[a]=b");
        assert_eq!(wanted.from, From::After("file-1-2".to_owned()));
        assert_eq!((wanted.limit, wanted.order), (2, Order::NewestFirst));
        assert_eq!(wanted.page(Some("a b"), 5), "purpose=x&metadata[a]=b&limit=5&after=a%20b");
        assert_eq!(read("order=asc").page(None, 5), "limit=5&order=asc");
        assert_eq!(read("after=").from, From::Beginning);
        let param = |query| read(query).unmergeable.map(|(param, _)| param);
        assert_eq!(param("after=a&before=b"), Some("before"));
        assert_eq!(param("order_by=updated_at"), Some("order_by"));
        assert_eq!(param("order_by=created_at&after=a"), None);
    }

    #[test]
    fn what_ends_before_an_object_is_read_the_other_way_round() {
        let wanted = read("before=a&order=asc");
        assert_eq!((wanted.order, wanted.from.clone()), (Order::NewestFirst, From::Before("a".to_owned())));
        assert_eq!(wanted.page(Some("a"), 3), "limit=3&order=desc&after=a");
        assert_eq!(read("before=a").page(Some("a"), 3), "limit=3&order=asc&after=a");
    }

    #[test]
    fn a_query_that_asks_for_no_list_is_refused_and_says_what_is_wrong() {
        for (query, param) in [
            ("limit=-1", "limit"),
            ("limit=10001", "limit"),
            ("limit=x", "limit"),
            ("order=up", "order"),
            ("after=%ff", "after"),
        ] {
            let error = Wanted::read(Some(query), ObjectKind::Eval).unwrap_err();
            assert!(error.to_string().contains(&format!("`{param}`")), "{query}: {error}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_openai_has_it() {
        let of = |kind| Wanted::read(None, kind).map(|wanted| (wanted.limit, wanted.order)).unwrap();
        assert_eq!(of(ObjectKind::File), (10_000, Order::NewestFirst));
        assert_eq!(of(ObjectKind::StoredCompletion), (20, Order::OldestFirst));
        assert_eq!(of(ObjectKind::VectorStore), (20, Order::NewestFirst));
    }
}
