use gateway_random_wire::noise;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Name and data of an event.
type Shown = (String, String);

/// The slow and obvious parser: whole text in, events out, `Err` with the events before the fault.
fn oracle(bytes: &[u8]) -> Result<Vec<Shown>, Vec<Shown>> {
    let mut lines = vec![Vec::new()];
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\r' => {
                rest.next_if_eq(&b'\n');
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            other => lines.last_mut().unwrap().push(other),
        }
    }
    lines.pop(); // a line without an end
    let (mut events, mut name, mut data) = (Vec::new(), String::new(), Vec::<Vec<u8>>::new());
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                let Ok(text) = String::from_utf8(data.join(&b'\n')) else { return Err(events) };
                events.push((name, text));
            }
            (name, data) = (String::new(), Vec::new());
            continue;
        }
        let (field, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if field == b"data" {
            data.push(value.to_vec());
        } else if std::str::from_utf8(&line).is_err() {
            return Err(events);
        } else if field == b"event" {
            name = String::from_utf8(value.to_vec()).unwrap();
        }
    }
    Ok(events)
}

/// What a relay does that holds incomplete events back.
struct Relay {
    scanner: Scanner,
    events: Vec<Shown>,
    forwarded: Vec<u8>,
    held: Vec<u8>,
    fault: Option<ScanError>,
}

impl Relay {
    fn new(limit: usize) -> Self {
        let (events, forwarded, held) = (Vec::new(), Vec::new(), Vec::new());
        Self { scanner: Scanner::new(limit), events, forwarded, held, fault: None }
    }

    fn feed(&mut self, chunk: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        let fed = self.scanner.feed(chunk, |event| {
            self.events.push((event.name.to_owned(), event.data.to_owned()));
            ControlFlow::Continue(())
        });
        let complete = match fed {
            Ok(fed) => fed.complete,
            Err(ScanError::TooLong { complete, .. } | ScanError::InvalidUtf8 { complete }) => complete,
        };
        self.fault = fed.err();
        self.held.extend_from_slice(&chunk[..complete]);
        if complete > 0 {
            self.forwarded.append(&mut self.held);
        }
        self.held.extend_from_slice(&chunk[complete..]);
    }

    fn feed_all(mut self, chunks: &[&[u8]]) -> Self {
        for chunk in chunks {
            self.feed(chunk);
        }
        self
    }
}

fn events_of(chunks: &[&[u8]]) -> Vec<Shown> {
    let relay = Relay::new(DEFAULT_MAX_EVENT_BYTES).feed_all(chunks);
    assert_eq!(relay.fault, None);
    relay.events
}

fn shown(events: &[(&str, &str)]) -> Vec<Shown> {
    events.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
}

#[test]
fn every_line_ending_ends_a_line() {
    for ending in ["\n", "\r", "\r\n"] {
        let text = "data: a|data: b||event: e|data:c||".replace('|', ending);
        assert_eq!(events_of(&[text.as_bytes()]), shown(&[("", "a\nb"), ("e", "c")]), "{ending:?}");
    }
}

#[test]
fn fields_are_read_with_and_without_a_space_or_a_value() {
    let text = b"\xEF\xBB\xBFdata:a\n\ndata:  b\n\ndata\n\n: hello\n\nid: 1\nretry: 5\n\nevent: x\n\nodd: y\ndata:z\n\n";
    assert_eq!(events_of(&[text]), shown(&[("", "a"), ("", " b"), ("", ""), ("", "z")]));
}

#[test]
fn a_name_holds_for_one_event_only() {
    assert_eq!(events_of(&[b"event: a\ndata:1\n\ndata:2\n\n"]), shown(&[("a", "1"), ("", "2")]));
}

#[test]
fn characters_may_be_split_between_chunks() {
    let text = "data: é🦀\n\n".as_bytes();
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(events_of(&bytes), shown(&[("", "é🦀")]));
}

#[test]
fn a_whole_event_in_one_chunk_is_shown_in_place() {
    let chunk = b"data: {\"a\":1}\n\n";
    let mut scanner = Scanner::default();
    let mut shown = None;
    let fed = scanner.feed(chunk, |event| {
        shown = Some(event.data.as_ptr().addr());
        ControlFlow::Continue(())
    });
    assert_eq!(shown, Some(chunk.as_ptr().addr() + 6));
    assert_eq!(fed, Ok(Fed { complete: chunk.len(), stopped: None }));
    assert_eq!((scanner.line.capacity(), scanner.data.capacity()), (0, 0));
}

#[test]
fn a_boundary_is_where_nothing_is_unfinished() {
    for (text, complete, at_boundary) in [
        ("", 0, true),
        ("data: a\n\n", 9, true),
        ("data: a\n", 0, false),
        ("data: a\n\nda", 9, false),
        (": ping\n", 7, true),
        (": pi", 0, false),
        (": ping\n: ping\nevent: x\n", 14, false),
        ("id: 1\n: ping\n", 0, false),
        ("\n\r\n", 3, true),
    ] {
        let mut scanner = Scanner::default();
        let fed = scanner.feed(text.as_bytes(), |_| ControlFlow::Continue(()));
        assert_eq!(fed, Ok(Fed { complete, stopped: None }), "{text:?}");
        assert_eq!(scanner.at_boundary(), at_boundary, "{text:?}");
    }
}

#[test]
fn breaking_off_leaves_the_event_incomplete() {
    let mut scanner = Scanner::default();
    let chunk = b"data: {}\n\ndata: {bad\n\ndata: {}\n\n";
    let fed = scanner.feed(chunk, |event| match event.heard {
        Heard::Malformed => ControlFlow::Break(Stop::Before),
        Heard::Done | Heard::Content | Heard::Finish | Heard::Failed | Heard::Error | Heard::Empty => {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(fed, Ok(Fed { complete: 10, stopped: Some(Stop::Before) }));
}

#[test]
fn what_went_by_is_remembered() {
    let mut scanner = Scanner::default();
    let mut step = |text: &str| {
        scanner.feed(text.as_bytes(), |_| ControlFlow::Continue(())).unwrap();
        let Seen { content, finish, done, ids: _ } = scanner.seen();
        (content, finish, done)
    };
    assert_eq!(step(": ping\n\ndata: \n\n"), (false, false, false));
    assert_eq!(step("data: {\"error\":{}}\n\n"), (false, false, false));
    assert_eq!(step("data: {\"choices\":[{\"finish_reason\":null}]}\n\n"), (true, false, false));
    assert_eq!(step("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n"), (true, true, false));
    assert_eq!(step("data: [DONE]\n\n"), (true, true, true));
}

#[test]
fn a_never_ending_event_is_refused_and_takes_no_memory() {
    for piece in [&b"x"[..], b"data: x\n", b"id: 1\n", b"data\n"] {
        let mut relay = Relay::new(1000).feed_all(&[b"data: ok\n\nid: 7\n"]);
        for _ in 0..2000 {
            relay.feed(piece);
        }
        assert_eq!(relay.fault, Some(ScanError::TooLong { limit: 1000, complete: 0 }));
        assert_eq!(relay.forwarded, b"data: ok\n\n");
        assert!(relay.scanner.line.capacity() + relay.scanner.data.capacity() < 4000);
    }
}

#[test]
fn keep_alives_without_end_are_no_event() {
    let mut relay = Relay::new(100);
    for _ in 0..1000 {
        relay.feed(b": keep-alive\n");
    }
    assert_eq!((relay.fault, relay.held.len()), (None, 0));
}

#[test]
fn text_that_is_no_utf8_is_refused_before_it_is_forwarded() {
    for bad in [&b"data: \xFF\n\n"[..], b": \xC3\n", b"event: \xED\xA0\x80\n", b"\xFF: x\n"] {
        let relay = Relay::new(1000).feed_all(&[b"data: ok\n\n", bad]);
        assert_eq!(relay.fault, Some(ScanError::InvalidUtf8 { complete: 0 }), "{bad:?}");
        assert_eq!(relay.forwarded, b"data: ok\n\n");
    }
}

#[test]
fn the_end_of_a_stream_closes_an_open_event() {
    for (text, expected) in [
        ("data: [DONE]", &["[DONE]"][..]),
        ("data: [DONE]\n", &["[DONE]"]),
        ("data: [DONE]\r", &["[DONE]"]),
        ("data: a\r\ndata: b", &["a\nb"]),
        ("data: a\n\n", &[]),
        (": bye", &[]),
        ("", &[]),
    ] {
        let mut scanner = Scanner::default();
        scanner.feed(text.as_bytes(), |_| ControlFlow::Continue(())).unwrap();
        scanner.seen = Seen::default();
        let mut late = Vec::new();
        scanner
            .finish(|event| {
                late.push(event.data.to_owned());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(late, expected, "{text:?}");
        assert_eq!(scanner.seen().done, expected == ["[DONE]"], "{text:?}");
        assert!(scanner.at_boundary(), "{text:?}");
    }
}

/// Streams made of meaningful pieces, cut into chunks anywhere.
fn chunked() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let piece = prop::sample::select(vec![
        "data: {\"choices\":[]}\n\n",
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\r\n\r\n",
        "data: [DONE]\n\n",
        "data:",
        "data",
        "data: é",
        " 🦀",
        ": comment",
        "event: e",
        "id: 1",
        "retry: 5",
        "other: x",
        ":",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\r",
        "\u{FEFF}",
    ]);
    let wild = vec(any::<u8>(), 0..3);
    let pieces = vec(prop_oneof![12 => piece.prop_map(|p| p.as_bytes().to_vec()), 1 => wild], 0..30);
    (pieces.prop_map(|pieces| pieces.concat()), vec(0..400_usize, 0..12))
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|at| (*at).min(bytes.len())).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_split_gives_the_events_of_the_slow_parser((bytes, cuts) in chunked()) {
        let relay = Relay::new(DEFAULT_MAX_EVENT_BYTES).feed_all(&cut(&bytes, &cuts));
        let expected = oracle(&bytes);
        prop_assert_eq!(relay.fault.is_some(), expected.is_err());
        prop_assert_eq!(relay.events, expected.unwrap_or_else(|before| before));
    }

    #[test]
    fn any_split_ends_in_the_same_state((bytes, cuts) in chunked(), limit in 1..60_usize) {
        let whole = Relay::new(limit).feed_all(&[&bytes]);
        let split = Relay::new(limit).feed_all(&cut(&bytes, &cuts));
        prop_assert_eq!(whole.fault.is_some(), split.fault.is_some());
        prop_assert_eq!(&whole.events, &split.events);
        prop_assert_eq!(whole.scanner.seen(), split.scanner.seen());
        if whole.fault.is_none() {
            prop_assert_eq!(whole.scanner.at_boundary(), split.scanner.at_boundary());
            prop_assert_eq!(whole.scanner.at_boundary(), split.held.is_empty());
        }
    }

    #[test]
    fn an_event_appended_to_what_was_forwarded_is_understood((bytes, cuts) in chunked()) {
        let relay = Relay::new(DEFAULT_MAX_EVENT_BYTES).feed_all(&cut(&bytes, &cuts));
        let mut expected = relay.events;
        expected.push((String::new(), "late".to_owned()));
        let seen_by_client = [&relay.forwarded[..], b"data: late\n\n"].concat();
        prop_assert_eq!(oracle(&seen_by_client), Ok(expected));
        if relay.fault.is_none() {
            prop_assert_eq!([relay.forwarded, relay.held].concat(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(chunks in vec(noise(), 0..6), limit in 0..80_usize) {
        let mut scanner = Scanner::new(limit);
        for chunk in &chunks {
            if let Ok(fed) = scanner.feed(chunk, |_| ControlFlow::Continue(())) {
                prop_assert!(fed.complete <= chunk.len());
            }
        }
        let _ = scanner.finish(|_| ControlFlow::Continue(()));
    }
}
