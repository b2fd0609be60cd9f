use std::time::Duration;

use gateway_domain::{
    Attempt, AttemptOutcome, Attempts, ChannelId, ExchangeOutcome, KeyId, Usage, UsageSource, UserId,
};
use proptest::prelude::*;

use super::*;

fn exchange(number: i64, started_at: i64) -> Exchange {
    Exchange {
        request_id: format!("req-{number}").into(),
        started_at: UnixMillis(started_at),
        user: None,
        key: None,
        endpoint: "/v1/embeddings",
        model: Some("m".into()),
        streamed: false,
        attempts: Attempts::new(),
        outcome: ExchangeOutcome::Ok,
        status: 200,
        first_byte: None,
        total: Duration::from_millis(300),
        bytes_in: u64::MAX,
        bytes_out: 0,
        usage: Usage { prompt: Some(200), source: UsageSource::Upstream, ..Usage::default() },
        session_source: "",
    }
}

fn segment(moments: &[i64]) -> Segment {
    let (mut segment, mut written) = (Segment::default(), Written::default());
    for (number, moment) in (0..).zip(moments) {
        written.write(&exchange(number, *moment));
        segment.push(&written);
    }
    segment
}

#[test]
fn a_segment_knows_when_its_exchanges_began_and_begins_anew_when_it_is_cleared() {
    let mut segment = segment(&[5, -3, 9]);
    assert_eq!((segment.len(), segment.oldest(), segment.newest()), (3, UnixMillis(-3), UnixMillis(9)));
    segment.clear();
    let empty = Segment::default();
    assert_eq!(
        (segment.len(), segment.oldest(), segment.newest(), segment.bytes()),
        (0, empty.oldest(), empty.newest(), empty.bytes())
    );
}

#[test]
fn what_is_cut_off_is_no_segment() {
    let whole = segment(&[1, 2]);
    let mut places = Vec::new();
    let mut found = Vec::new();
    for end in 0..=whole.bytes().len() {
        if locate(&whole.bytes()[..end], &mut places).is_some() {
            found.push(places.len());
        }
    }
    assert_eq!(found, [0, 1, 2], "only between two exchanges is there an end");
}

/// An exchange that has everything that one can have, and one that has nothing, as they lie in files.
const WHOLE: &str = "66000000ff070402f6010068e5cf8b010000029003057265712d310e2f76312f656d62656464696e6773016d06686561646572\
                     38ac02ffffffffffffffffff01000102030405d8041f060e02c3a904686f6d6505f703fa010cd40210060e02c3a904686f6d\
                     65fa01d402";
const BARE: &str = "2800000000000000c800ffffffffffffffff057265712d320e2f76312f656d62656464696e677300ac020000";

fn whole() -> Exchange {
    let first = Attempt {
        channel: ChannelId(7),
        channel_name: "é".into(),
        reason: "home",
        status: Some(503),
        first_byte: Some(Duration::from_millis(12)),
        total: Duration::from_millis(340),
        outcome: AttemptOutcome::ServerError,
        home: Some(ChannelId(-3)),
        health: 0.25,
        hedge: true,
    };
    let second = Attempt { status: None, first_byte: None, home: None, hedge: false, ..first.clone() };
    Exchange {
        user: Some(UserId(1)),
        key: Some(KeyId(200)),
        streamed: true,
        attempts: [first, second].into_iter().collect(),
        outcome: ExchangeOutcome::Interrupted,
        status: 502,
        first_byte: Some(Duration::from_millis(56)),
        usage: Usage {
            prompt: Some(1),
            completion: Some(2),
            cached: Some(3),
            reasoning: Some(4),
            audio_in: Some(5),
            audio_out: Some(600),
            source: UsageSource::Counted,
        },
        session_source: "header",
        ..exchange(1, 1_700_000_000_000)
    }
}

fn bare() -> Exchange {
    Exchange { model: None, bytes_in: 0, usage: Usage::default(), ..exchange(2, -1) }
}

#[test]
fn exchanges_are_written_as_they_lie_in_files() {
    for (exchange, bytes) in [(whole(), WHOLE), (bare(), BARE)] {
        let mut written = Written::default();
        written.write(&exchange);
        let hex = written.bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(hex, bytes);
    }
}

#[test]
fn every_word_comes_back_from_its_number() {
    for (place, outcome) in (0..).zip(ExchangeOutcome::ALL) {
        assert_eq!((words::of_outcome(outcome), words::outcome(place)), (place, Some(outcome)));
    }
    for (place, outcome) in (0..).zip(AttemptOutcome::ALL) {
        assert_eq!((words::of_attempt(outcome), words::attempt(place)), (place, Some(outcome)));
    }
    for (place, source) in (0..).zip(UsageSource::ALL) {
        assert_eq!((words::of_source(source), words::source(place)), (place, Some(source)));
    }
    assert_eq!((words::outcome(255), words::attempt(255), words::source(255)), (None, None, None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_bytes_lead_astray(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), flip: u8) {
        let mut places = Vec::new();
        // Any bytes, and an exchange of which one byte is another.
        let mut near = segment(&[1]).bytes()[1 + LENGTH..].to_vec();
        let at = at.index(near.len());
        near[at] ^= flip;
        for entry in [&bytes, &near] {
            if let Some(entry) = Entry::read(entry) {
                let _read = (entry.attempts().count(), entry.stored(1));
            }
        }
        bytes.insert(0, FORMAT);
        if locate(&bytes, &mut places).is_some() {
            prop_assert_eq!(places.iter().map(|place| place.len() + LENGTH).sum::<usize>() + 1, bytes.len());
        }
    }
}
