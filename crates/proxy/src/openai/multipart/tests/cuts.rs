//! The scanner against random forms, random cuts and a reader that has the whole form before it.

use std::ops::Range;

use gateway_random_wire::{CRUMBS, Form, Model, form_within};
use proptest::collection::vec;
use proptest::sample::select;

use super::*;

/// Forms that are well.
fn forms() -> impl Strategy<Value = Form> {
    form_within("b0")
}

/// Mostly a form that is nearly well; sometimes anything.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let crumbs = vec(select(&CRUMBS[..]), 0..20).prop_map(|crumbs| crumbs.concat().into_bytes());
    let framed =
        vec(select(&CRUMBS[..]), 0..8).prop_map(|crumbs| form(&[model(&crumbs.concat())]).into_bytes());
    let hurt = (forms(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(form, at, byte)| {
        let mut body = form.body;
        let at = at.index(body.len());
        body[at] = byte;
        body
    });
    prop_oneof![forms().prop_map(|form| form.body), hurt, framed, crumbs, vec(any::<u8>(), 0..200)]
}

/// Reads a form that is whole: looks for every line that begins with the delimiter, and takes what lies between.
fn naive(body: &[u8]) -> Option<Vec<(String, Range<u64>)>> {
    let delimiter = DELIMITER.as_bytes();
    let mut at: Vec<usize> = Vec::new();
    for begin in 0..body.len() {
        let begins_line = begin == 0 || matches!(body[begin - 1], b'\r' | b'\n');
        if begins_line && body[begin..].starts_with(delimiter) {
            if begin > 0 && !body[..begin].ends_with(b"\r\n") {
                return None;
            }
            at.push(begin);
            // What follows the closing delimiter is judged as a whole.
            if body[begin + delimiter.len()..].starts_with(b"--") {
                break;
            }
        }
    }
    let (first, last) = (*at.first()?, *at.last()?);
    if first != 0 && first != 2 {
        return None;
    }
    let behind = body[last + delimiter.len()..].strip_prefix(b"--")?;
    if behind.iter().any(|b| !matches!(b, b'\r' | b'\n')) {
        return None;
    }
    let mut found = Vec::new();
    for pair in at.windows(2) {
        let (begin, end) = (pair[0] + delimiter.len() + 2, pair[1] - 2);
        if !body[..begin].ends_with(b"\r\n") || begin > end {
            return None;
        }
        let part = &body[begin..end];
        let head = if part.starts_with(b"\r\n") { 0 } else { find(part, b"\r\n\r\n")? + 2 };
        let read = head::read(&part[..head], delimiter).ok()?;
        if read.length.is_some_and(|(length, _)| length != (part.len() - head - 2) as u64) {
            return None;
        }
        if read.name == b"model" {
            let name = std::str::from_utf8(&part[head + 2..]).ok()?;
            if !found.is_empty()
                || read.has_filename
                || read.has_foreign_text
                || flaw_of_model(name).is_some()
            {
                return None;
            }
            found.push((name.to_owned(), (begin + head + 2) as u64..end as u64));
        }
    }
    Some(found)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

proptest! {
    #[test]
    fn cut_anywhere_a_body_says_the_same(body in bodies(), cuts in vec(1_usize..40, 1..50)) {
        let whole = scan(&body);
        let mut turn = 0;
        let pieces = scan_in(&body, |_| {
            turn += 1;
            cuts[turn % cuts.len()]
        });
        prop_assert_eq!(&pieces, &whole);
        prop_assert_eq!(&scan_in(&body, |_| 1), &whole);
    }

    #[test]
    fn a_good_form_is_read_and_another_model_changes_nothing_but_its_span(form in forms()) {
        let peek = scan(&form.body).unwrap();
        let found = peek.model.map(|(value, PartValue { span, .. })| {
            let span = usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap();
            Model { value, span }
        });
        prop_assert_eq!(&found, &form.model);
        let (Some(Model { span, .. }), form) = (found, form.body) else { return Ok(()) };
        let changed = [&form[..span.start], b"another", &form[span.end..]].concat();
        let again = scan(&changed).unwrap();
        let (name, moved) = again.model.unwrap();
        prop_assert_eq!(name, "another");
        prop_assert_eq!(moved.span, span.start as u64..span.start as u64 + 7);
        prop_assert_eq!(again.names, peek.names);
    }

    #[test]
    fn a_reader_of_whole_forms_agrees(body in bodies()) {
        let scanned = scan(&body).ok().map(|peek| {
            peek.model.into_iter().map(|(name, value)| (name, value.span)).collect()
        });
        prop_assert_eq!(scanned, naive(&body));
    }

    #[test]
    fn no_content_type_panics(header in vec(any::<u8>(), 0..100), quoted in "multipart/form-data; boundary=[\" -~]{0,80}") {
        let _judged = boundary_of(&header);
        if let Ok(boundary) = boundary_of(quoted.as_bytes()) {
            prop_assert!(MultipartScanner::new(boundary).is_ok());
        }
    }
}
