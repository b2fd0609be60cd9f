//! What upstreams answer over HTTP/1.1.

use gateway_proxy::fuzz::answer;

use crate::cuts::cut;

/// An answer has the same head, the same data and the same end in whatever pieces it comes; it is broken at the same
/// place, and never both whole and broken.
pub(crate) fn cut_anywhere_an_answer_is_the_same(input: &[u8]) {
    let (bytes, pieces) = cut(input);
    let whole = answer(&[bytes]);
    assert_eq!(answer(&pieces), whole);
    let (status, data, over, broken) = whole;
    assert!(!(over && broken));
    assert!(status.is_none_or(|status| status >= 200), "interim answers are none");
    assert!(status.is_some() || data.is_empty(), "there is no data before a head");
    assert!(data.len() <= bytes.len());
}
