//! One page of a list: `limit`, `after` and `q`, the same at every list.
//!
//! A page goes on where the one before ended, at the place of its last row and not after so many rows: what is made or
//! deleted meanwhile moves nothing out of sight and shows nothing twice.

use std::cmp::Reverse;

use http::HeaderName;
use http::header::LINK;

use crate::error::ApiError;
use crate::query::{Query, encode};
use crate::route::{Answer, Call};

/// How many rows there are on all pages together.
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// The parameters of every list, and what they mean.
pub(crate) const PARAMETERS: [(&str, &str); 3] = [
    (
        "limit",
        "At most this many; absent: all. The Link header leads to those that follow, x-total-count counts all.",
    ),
    ("after", "Only those behind this place, where the page before ended. The Link header has it."),
    ("q", "Only those in whose names, addresses or ids each of these words occurs, in upper or lower case."),
];

/// Where a row stands in its list, as a total order and as text.
pub(crate) trait Place: Ord {
    /// As `after` has it.
    fn text(&self) -> String;
    /// Reads it back.
    fn parse(text: &str) -> Option<Self>
    where
        Self: Sized;
}

/// Newest first: a moment in milliseconds, and an id among those of one moment.
pub(crate) type Newest = Reverse<(i64, i64)>;

/// What a list was asked for.
#[derive(Debug)]
pub(crate) struct Page<'c> {
    call: &'c Call,
    limit: usize,
    after: Option<String>,
    /// In lower case; all must occur.
    words: Vec<String>,
}

/// The rows of a page, and what its answer says beside them.
#[derive(Debug)]
pub(crate) struct Cut<'r, R> {
    pub(crate) rows: Vec<&'r R>,
    total: usize,
    link: Option<String>,
}

// === impl Page ===

impl<'c> Page<'c> {
    /// Reads the query of a list.
    pub(crate) fn read(call: &'c Call) -> Result<Self, ApiError> {
        let query = Query::read(call.query.as_deref(), &PARAMETERS.map(|(name, _)| name))?;
        let limit = query.parsed("limit", "a number from 1", |text| text.parse().ok().filter(|n| *n > 0))?;
        let words = query.text("q").unwrap_or_default().to_lowercase();
        Ok(Self {
            call,
            limit: limit.unwrap_or(usize::MAX),
            after: query.text("after").map(str::to_owned),
            words: words.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Whether anything is searched for.
    pub(crate) fn searches(&self) -> bool {
        !self.words.is_empty()
    }

    /// Whether each word that is looked for occurs in one of these texts.
    pub(crate) fn wants(&self, texts: &[&str]) -> bool {
        self.words.is_empty() || {
            let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
            self.words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
        }
    }

    /// Cuts the page out of all rows, which stand in the order of their places.
    pub(crate) fn cut<'r, R, P: Place>(
        &self,
        rows: &'r [R],
        place: impl Fn(&R) -> P,
        wanted: impl Fn(&R) -> bool,
    ) -> Result<Cut<'r, R>, ApiError> {
        let unread = || ApiError::value("after", "must be what the Link header of the page before says");
        let after = self.after.as_deref().map(|text| P::parse(text).ok_or_else(unread)).transpose()?;
        let found: Vec<&R> = rows.iter().filter(|row| wanted(row)).collect();
        let begin = after.map_or(0, |after| found.partition_point(|row| place(row) <= after));
        let behind = found.get(begin..).unwrap_or_default();
        let shown = behind.get(..self.limit).unwrap_or(behind);
        let last = shown.last().filter(|_| shown.len() < behind.len());
        let link =
            last.map(|row| link(&self.call.path, self.call.query.as_deref(), "after", &place(row).text()));
        Ok(Cut { rows: shown.to_vec(), total: found.len(), link })
    }
}

// === impl Cut ===

impl<R> Cut<'_, R> {
    /// Adds to the answer with the rows what leads to the others.
    pub(crate) fn tell(self, mut answer: Answer) -> Answer {
        answer.headers.push((X_TOTAL_COUNT, self.total.to_string()));
        answer.headers.extend(self.link.map(|link| (LINK, link)));
        answer
    }
}

// === impl Place ===

impl Place for i64 {
    fn text(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Place for String {
    fn text(&self) -> String {
        self.clone()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Place for Newest {
    fn text(&self) -> String {
        format!("{}.{}", self.0.0, self.0.1)
    }

    fn parse(text: &str) -> Option<Self> {
        let (moment, id) = text.split_once('.')?;
        Some(Reverse((moment.parse().ok()?, id.parse().ok()?)))
    }
}

/// The `Link` to the page that begins behind `place`: the same query, but for the parameter that says where.
pub(crate) fn link(path: &str, query: Option<&str>, param: &str, place: &str) -> String {
    let asked = query.unwrap_or_default().split('&');
    let kept = asked.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(param));
    let mut pairs: Vec<&str> = kept.collect();
    let begin = format!("{param}={}", encode(place));
    pairs.push(&begin);
    format!("<{path}?{}>; rel=\"next\"", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_asks_the_same_but_for_its_place() {
        let link = |query| link("/api/exchanges", query, "before", "7");
        assert_eq!(link(None), "</api/exchanges?before=7>; rel=\"next\"");
        assert_eq!(
            link(Some("limit=2&before=9&model=a%20b")),
            "</api/exchanges?limit=2&model=a%20b&before=7>; rel=\"next\""
        );
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        assert_eq!(i64::parse(&7_i64.text()), Some(7));
        assert_eq!(Newest::parse(&Reverse((-5, 7)).text()), Some(Reverse((-5, 7))));
        assert_eq!(Newest::parse("7"), None);
        assert!(Reverse((9, 1)) < Reverse((8, 2)), "the newest stands first");
    }
}
