//! Forms, and the headers that announce them.

use gateway_proxy::openai::{
    BatchLines, MAX_BOUNDARY, MultipartPeek, MultipartScanner, PeekError, boundary_of, is_multipart,
};

use crate::cuts::cut;

/// A form says the same in whatever pieces it comes, its model stands where it is said to stand, and another in its
/// place is found there again.
pub(crate) fn cut_anywhere_a_form_says_the_same(input: &[u8]) {
    let (form, pieces) = cut(input);
    let whole = scan(&[form]);
    assert_eq!(scan(&pieces), whole);
    let Ok(MultipartPeek { model: Some((name, value)), names, .. }) = whole else { return };
    let index = |at: u64| usize::try_from(at).expect("the form is in memory");
    assert_eq!(form.get(index(value.span.start)..index(value.span.end)), Some(name.as_bytes()));
    let another = format!("{}longer", "m".repeat(name.chars().count().min(500)));
    let (span, instead) = value.replaced(&another);
    let other = [&form[..index(span.start)], &instead, &form[index(span.end)..]].concat();
    let again = scan(&[&other]).expect("another name makes no difference");
    let (name, moved) = again.model.expect("it is still there");
    let end = span.start + instead.len() as u64;
    assert_eq!((name, moved.span), (another.clone(), end - another.len() as u64..end));
    assert_eq!(again.names, names);
}

/// What is read as a boundary can be one, and begins forms.
pub(crate) fn a_boundary_is_one(header: &[u8]) {
    let Ok(boundary) = boundary_of(header) else { return };
    assert!(is_multipart(header) && (1..=MAX_BOUNDARY).contains(&boundary.len()));
    let mut scanner = MultipartScanner::new(boundary).expect("it was checked");
    let form = [b"--", boundary, b"--\r\n"].concat();
    assert_eq!(scanner.feed(&form), Ok(()));
    assert_eq!(scanner.finish(), Ok(MultipartPeek::default()));
}

fn scan(pieces: &[&[u8]]) -> Result<MultipartPeek, PeekError> {
    let mut scanner = MultipartScanner::new(b"b0")?.reading_lines(Some(BatchLines::new(true)));
    for piece in pieces {
        scanner.feed(piece)?;
    }
    scanner.finish()
}
