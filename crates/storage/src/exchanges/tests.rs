use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gateway_domain::{Attempt, Attempts, Exchange, UsageSource};
use proptest::prelude::*;

use super::*;
use crate::fixture::{key, store, wait_until_written};
use crate::{Recorder, StoreOptions};

fn attempt(channel: i64, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        channel: ChannelId(channel),
        channel_name: format!("channel \"{channel}\"").into(),
        reason: "home",
        status: Some(503),
        first_byte: Some(Duration::from_millis(12)),
        total: Duration::from_millis(34),
        outcome,
        home: None,
        health: 1.0,
        hedge: false,
    }
}

fn exchange(number: u64) -> Exchange {
    Exchange {
        request_id: format!("req-{number}").into(),
        started_at: UnixMillis(1_700_000_000_000 + signed(number)),
        user: Some(UserId(1)),
        key: Some(KeyId(2)),
        endpoint: "/v1/chat/completions",
        model: Some("gpt-4o".into()),
        streamed: true,
        attempts: [attempt(1, AttemptOutcome::ServerError), attempt(2, AttemptOutcome::Ok)]
            .into_iter()
            .collect(),
        outcome: ExchangeOutcome::Ok,
        status: 200,
        first_byte: Some(Duration::from_millis(56)),
        total: Duration::from_millis(78),
        bytes_in: 90,
        bytes_out: 12,
        usage: Usage {
            prompt: Some(3),
            completion: Some(4),
            cached: Some(0),
            audio_out: Some(2),
            source: UsageSource::Counted,
            ..Usage::default()
        },
        session_source: "header",
    }
}

fn record(recorder: &Recorder, exchanges: impl IntoIterator<Item = Exchange>) {
    let mut expected = recorder.written();
    for exchange in exchanges {
        assert!(recorder.exchange(&exchange));
        expected += 1;
    }
    wait_until_written(recorder, expected);
}

/// What must come back of an exchange that was recorded.
fn stored(id: i64, exchange: &Exchange) -> StoredExchange {
    let whole = |duration: Duration| Duration::from_millis(u64::try_from(duration.as_millis()).unwrap());
    StoredExchange {
        id,
        request_id: exchange.request_id.to_string(),
        started_at: exchange.started_at,
        user: exchange.user,
        key: exchange.key,
        endpoint: exchange.endpoint.to_owned(),
        model: exchange.model.as_ref().map(ToString::to_string),
        streamed: exchange.streamed,
        attempts: exchange
            .attempts
            .iter()
            .map(|attempt| StoredAttempt {
                channel: attempt.channel,
                channel_name: attempt.channel_name.to_string(),
                reason: attempt.reason.to_owned(),
                status: attempt.status,
                first_byte: attempt.first_byte.map(whole),
                total: whole(attempt.total),
                outcome: attempt.outcome,
                home: attempt.home,
                health: Some((attempt.health * 1000.0).round() / 1000.0),
                hedge: attempt.hedge,
            })
            .collect(),
        outcome: exchange.outcome,
        status: exchange.status,
        first_byte: exchange.first_byte.map(whole),
        total: whole(exchange.total),
        bytes_in: exchange.bytes_in,
        bytes_out: exchange.bytes_out,
        usage: exchange.usage,
        session_source: exchange.session_source.to_owned(),
    }
}

#[test]
fn an_exchange_is_found_by_its_request_id_and_the_newest_wins() {
    let store = store();
    let second = Exchange { status: 201, ..exchange(1) };
    record(&store.recorder(), [exchange(1), exchange(2), second.clone()]);
    assert_eq!(store.exchange("req-1").unwrap(), Some(stored(3, &second)));
    assert_eq!(store.exchange("req-2").unwrap(), Some(stored(2, &exchange(2))));
    assert_eq!(store.exchange("req-3").unwrap(), None);
}

#[test]
fn an_exchange_that_knows_almost_nothing_is_kept_too() {
    let store = store();
    let bare = Exchange {
        user: None,
        key: None,
        model: None,
        attempts: Attempts::new(),
        first_byte: None,
        usage: Usage::default(),
        outcome: ExchangeOutcome::ClientError,
        status: 401,
        bytes_out: u64::try_from(i64::MAX).unwrap(),
        ..exchange(1)
    };
    record(&store.recorder(), [bare.clone()]);
    assert_eq!(store.exchange("req-1").unwrap(), Some(stored(1, &bare)));
}

#[test]
fn a_share_that_is_none_is_brought_within_bounds() {
    let store = store();
    let health_of = |health| {
        record(
            &store.recorder(),
            [Exchange {
                attempts: iter::once(Attempt { health, ..attempt(1, AttemptOutcome::Ok) }).collect(),
                ..exchange(1)
            }],
        );
        store.exchange("req-1").unwrap().unwrap().attempts[0].health
    };
    assert_eq!((health_of(1.5), health_of(-1.0), health_of(f32::NAN)), (Some(1.0), Some(0.0), Some(0.0)));
}

#[test]
fn filters_hold_together_and_the_newest_come_first() {
    let store = store();
    record(
        &store.recorder(),
        (1..=40).map(|number| {
            let failed = number % 4 == 0;
            Exchange {
                user: Some(UserId(i64::try_from(number % 2).unwrap())),
                key: (number % 7 != 0).then_some(KeyId(2)),
                endpoint: if number % 6 == 0 { "/v1/embeddings" } else { "/v1/chat/completions" },
                streamed: number % 9 != 0,
                model: (number % 3 != 0).then(|| Arc::from("gpt-4o")),
                attempts: iter::once(attempt(i64::try_from(number % 5).unwrap(), AttemptOutcome::Ok))
                    .collect(),
                outcome: if failed { ExchangeOutcome::UpstreamError } else { ExchangeOutcome::Ok },
                status: if failed { 502 } else { 200 },
                ..exchange(number)
            }
        }),
    );
    let ids = |filter: ExchangeFilter| -> Vec<i64> {
        store.exchanges(&filter).unwrap().exchanges.into_iter().map(|exchange| exchange.id).collect()
    };
    let expect = |keep: fn(i64) -> bool| (1..=40).rev().filter(|id| keep(*id)).collect::<Vec<_>>();
    let all = ExchangeFilter::default;
    assert_eq!(ids(all()), expect(|_| true));
    assert_eq!(ids(ExchangeFilter { user: Some(UserId(1)), ..all() }), expect(|id| id % 2 == 1));
    assert_eq!(ids(ExchangeFilter { model: Some("gpt-4o".to_owned()), ..all() }), expect(|id| id % 3 != 0));
    assert_eq!(ids(ExchangeFilter { channel: Some(ChannelId(3)), ..all() }), expect(|id| id % 5 == 3));
    let failed = Some(ExchangeOutcome::UpstreamError);
    assert_eq!(ids(ExchangeFilter { outcome: failed, ..all() }), expect(|id| id % 4 == 0));
    assert_eq!(ids(ExchangeFilter { status: Some(200), ..all() }), expect(|id| id % 4 != 0));
    assert_eq!(ids(ExchangeFilter { before: Some(11), ..all() }), expect(|id| id < 11));
    assert_eq!(ids(ExchangeFilter { after: Some(11), ..all() }), expect(|id| id > 11));
    assert_eq!(ids(ExchangeFilter { key: Some(KeyId(2)), ..all() }), expect(|id| id % 7 != 0));
    let embeddings = Some("/v1/embeddings".to_owned());
    assert_eq!(ids(ExchangeFilter { endpoint: embeddings, ..all() }), expect(|id| id % 6 == 0));
    assert_eq!(ids(ExchangeFilter { streamed: Some(false), ..all() }), expect(|id| id % 9 == 0));
    assert_eq!(ids(ExchangeFilter { request_id: Some("req-9".to_owned()), ..all() }), [9]);
    let moment = |number: i64| Some(UnixMillis(1_700_000_000_000 + number));
    assert_eq!(ids(ExchangeFilter { since: moment(30), ..all() }), expect(|id| id >= 30));
    assert_eq!(ids(ExchangeFilter { until: moment(30), ..all() }), expect(|id| id < 30));
    assert_eq!(ids(ExchangeFilter { since: moment(9), until: moment(11), ..all() }), [10, 9]);
    assert_eq!(ids(ExchangeFilter { limit: 0, ..all() }), [40]);
    assert_eq!(ids(ExchangeFilter { limit: 2, before: Some(38), ..all() }), [37, 36]);
    let everything = ExchangeFilter {
        limit: 10,
        before: Some(40),
        after: Some(0),
        user: Some(UserId(0)),
        model: Some("gpt-4o".to_owned()),
        channel: Some(ChannelId(2)),
        outcome: failed,
        status: Some(502),
        key: Some(KeyId(2)),
        endpoint: Some("/v1/chat/completions".to_owned()),
        request_id: Some("req-32".to_owned()),
        streamed: Some(true),
        since: Some(UnixMillis(1_700_000_000_032)),
        until: Some(UnixMillis(1_700_000_000_033)),
    };
    assert_eq!(ids(everything), [32]);
    assert_eq!(ids(ExchangeFilter { model: Some("%".to_owned()), ..all() }), Vec::<i64>::new());
}

#[test]
fn pages_lead_from_one_to_the_next_and_the_last_one_says_so() {
    let store = store();
    record(&store.recorder(), (1..=10).map(exchange));
    let mut seen = Vec::new();
    let mut filter = ExchangeFilter { limit: 5, ..ExchangeFilter::default() };
    loop {
        let page = store.exchanges(&filter).unwrap();
        assert!(!page.exchanges.is_empty(), "no page is empty but the first");
        seen.extend(page.exchanges.iter().map(|exchange| exchange.id));
        let Some(next) = page.next else { break };
        filter.before = Some(next);
    }
    assert_eq!(seen, (1..=10).rev().collect::<Vec<_>>());
}

#[test]
fn no_query_answers_with_more_than_the_limit() {
    let store = store();
    record(&store.recorder(), (0..600).map(exchange));
    let found =
        store.exchanges(&ExchangeFilter { limit: u32::MAX, ..ExchangeFilter::default() }).unwrap().exchanges;
    assert_eq!(found.len(), 500);
    assert_eq!(found[0].id, 600);
}

fn wait_until(reached: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while !reached() {
        assert!(std::time::Instant::now() < patience, "it never comes to that");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_is_too_old_goes_in_steps_and_the_younger_stays_whatever_its_number() {
    /// The hand of the clock of this test.
    static NOW: AtomicI64 = AtomicI64::new(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let clock = || UnixMillis(NOW.load(Ordering::Relaxed));
    let options = StoreOptions { clock, ..StoreOptions::default() };
    let store = Store::open_with(&folder.path().join("gateway.db"), &key(), options).unwrap();
    let recorder = store.recorder();
    let at =
        |number: u64, started_at: i64| Exchange { started_at: UnixMillis(started_at), ..exchange(number) };
    // More than one step; among them one that began long ago and has ended last, as long calls do.
    record(&recorder, (0..3000).map(|number| at(number, 500_000 + signed(number))));
    record(&recorder, [at(3000, 999_000), at(3001, 1_000)]);
    let ids = || -> Vec<String> {
        let kept = store.exchanges(&ExchangeFilter::default()).unwrap().exchanges;
        kept.into_iter().map(|exchange| exchange.request_id).collect()
    };

    store.set_retention(Retention { longest: Some(Duration::from_secs(100)), ..Retention::ALL });
    wait_until(|| ids() == ["req-3000"]);
    let segments = || store.read(|tx| tx.count("SELECT count(*) FROM exchange_segments", [])).unwrap();
    wait_until(|| segments() == 1);

    NOW.store(1_099_000, Ordering::Relaxed);
    store.prune();
    record(&recorder, [at(3002, 1_099_000)]);
    assert_eq!(ids(), ["req-3002", "req-3000"], "as old as it may be");
    NOW.store(1_099_001, Ordering::Relaxed);
    store.prune();
    wait_until(|| ids() == ["req-3002"]);
}

#[test]
fn only_the_newest_exchanges_are_kept() {
    let store = store();
    let recorder = store.recorder();
    record(&recorder, (0..3000).map(exchange));
    let segments = || store.read(|tx| tx.count("SELECT count(*) FROM exchange_segments", [])).unwrap();
    let ids = || -> Vec<i64> {
        let kept = store.exchanges(&ExchangeFilter { limit: 500, ..ExchangeFilter::default() }).unwrap();
        kept.exchanges.into_iter().map(|exchange| exchange.id).collect()
    };
    assert_eq!((ids().len(), segments()), (500, 6), "nothing goes before the limit is set");

    store.set_retention(Retention { newest: 100, ..Retention::ALL });
    assert_eq!(ids(), (2901..=3000).rev().collect::<Vec<_>>(), "what is too much is not shown from now on");
    assert_eq!(store.exchange("req-5").unwrap(), None);
    wait_until(|| segments() == 1);
    record(&recorder, (3000..3050).map(exchange));
    assert_eq!(ids(), (2951..=3050).rev().collect::<Vec<_>>());

    store.set_retention(Retention { newest: 0, ..Retention::ALL });
    wait_until(|| segments() == 0);
    store.set_retention(Retention::ALL);
    record(&recorder, [exchange(3050)]);
    assert_eq!(ids(), [3051], "no number is given twice");
}

#[test]
fn a_segment_that_is_damaged_is_told_and_not_shown_in_part() {
    let store = store();
    record(&store.recorder(), (0..3).map(exchange));
    let damage = |sql: &'static str| store.write(move |tx| tx.run(sql, [])).unwrap();
    let shown = || store.exchanges(&ExchangeFilter::default());
    damage("UPDATE exchange_segments SET first = first + 1");
    assert!(matches!(shown(), Err(StorageError::Corrupt { .. })), "{:?}", shown());
    damage("UPDATE exchange_segments SET first = first - 1");
    assert_eq!(shown().unwrap().exchanges.len(), 3);
    damage("UPDATE exchange_segments SET exchanges = x'02'");
    assert!(matches!(shown(), Err(StorageError::Corrupt { .. })), "{:?}", shown());
}

fn any_duration() -> impl Strategy<Value = Duration> {
    (0..1_000_000_000_u64).prop_map(Duration::from_micros)
}

prop_compose! {
    fn any_attempt()(
        channel in any::<i64>(),
        name in any::<String>(),
        status in any::<Option<u16>>(),
        first_byte in prop::option::of(any_duration()),
        total in any_duration(),
        outcome in prop::sample::select(AttemptOutcome::ALL.to_vec()),
        home in any::<Option<i64>>(),
        health in 0.0..=1.0_f32,
        hedge in any::<bool>(),
    ) -> Attempt {
        let (channel, channel_name, home) = (ChannelId(channel), name.into(), home.map(ChannelId));
        Attempt { channel, channel_name, reason: "spill", status, first_byte, total, outcome, home, health, hedge }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_attempts_come_back_as_they_were_recorded(attempts in prop::collection::vec(any_attempt(), 0..6)) {
        let store = store();
        let exchange = Exchange { attempts: attempts.into_iter().collect(), ..exchange(1) };
        record(&store.recorder(), [exchange.clone()]);
        prop_assert_eq!(store.exchange("req-1").unwrap(), Some(stored(1, &exchange)));
    }
}

#[test]
fn exchanges_are_counted_by_whom_they_name() {
    let store = store();
    let other = Exchange {
        user: Some(UserId(9)),
        model: None,
        attempts: [attempt(2, AttemptOutcome::ServerError), attempt(2, AttemptOutcome::Ok)]
            .into_iter()
            .collect(),
        ..exchange(3)
    };
    record(&store.recorder(), [exchange(1), exchange(2), other]);
    let all = ExchangeFilter { limit: 1, ..ExchangeFilter::default() };
    for (filter, count) in [
        (ExchangeFilter { channel: Some(ChannelId(1)), ..all.clone() }, 2),
        (ExchangeFilter { channel: Some(ChannelId(2)), ..all.clone() }, 3),
        (ExchangeFilter { user: Some(UserId(9)), ..all.clone() }, 1),
        (ExchangeFilter { model: Some("gpt-4o".to_owned()), ..all.clone() }, 2),
        (ExchangeFilter { model: Some("gpt-5".to_owned()), ..all.clone() }, 0),
        (all.clone(), 3),
    ] {
        assert_eq!(store.count_exchanges(&filter).unwrap(), count, "{filter:?}");
    }
}
