use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gateway_routing::{ChannelSet, ChannelSpec, Kind, Micros, Outcome, Params, PolicyKind, Pool, SessionKey};

use crate::traffic::{channel, channels, plain};

const KINDS: [Kind; 8] = [
    Kind::Ok,
    Kind::ServerError(500),
    Kind::Timeout,
    Kind::Cut,
    Kind::Cancelled,
    Kind::CallerError(404),
    Kind::Connect,
    Kind::Ok,
];

/// Four threads that decide and report while the configuration changes under them.
#[expect(clippy::disallowed_methods, reason = "the point of this test")]
fn storm(specs: &[ChannelSpec], mut each: impl FnMut(&Arc<Pool>)) -> Arc<Pool> {
    let pool = Arc::new(Pool::new(specs, PolicyKind::Adaptive, Params::default()).unwrap());
    let clock = Arc::new(AtomicU64::new(1_000_000));
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let (pool, clock) = (Arc::clone(&pool), Arc::clone(&clock));
            std::thread::spawn(move || {
                let none = ChannelSet::new();
                for i in 0..4000_u64 {
                    let now = Micros(clock.fetch_add(700, Ordering::Relaxed));
                    let session = Some(SessionKey(i % 50));
                    let request = gateway_routing::Request { session, ..plain(&none, true) };
                    let Ok(decision) = pool.decide(&request, now, thread * 10_000 + i) else { continue };
                    let mut ticket = decision.ticket;
                    if i % 3 > 0 {
                        ticket.first_token(now);
                    }
                    let kind = KINDS[usize::try_from(i * 7 + thread).unwrap() % KINDS.len()];
                    ticket.finish(Outcome::of(kind), Micros(now.0 + 300));
                }
            })
        })
        .collect();
    for _ in 0..50 {
        each(&pool);
    }
    for thread in threads {
        thread.join().unwrap();
    }
    pool
}

#[test]
fn nothing_is_lost_when_threads_decide_and_report_at_once() {
    let three = channels(&[1.0, 2.0, 3.0]);
    let pool = storm(&three, |pool| {
        pool.update(&three, PolicyKind::Adaptive, Params::default()).unwrap();
        assert_eq!(pool.views(Micros(2_000_000)).len(), 3);
    });
    for view in pool.views(Micros(20_000_000)) {
        assert_eq!((view.inflight, view.waiting), (0, 0), "{view:?}");
        assert!(view.h > 0.0 && view.latency_ms.is_finite());
    }
}

#[test]
fn configured_concurrency_holds_when_threads_race_for_the_last_place() {
    let capped = [0, 1].map(|id| ChannelSpec { max_concurrency: Some(2), ..channel(id, 1.0) });
    let pool = storm(&capped, |pool| {
        for view in pool.views(Micros(1)) {
            assert!(view.inflight <= 2 + 4, "a view may count attempts that leave while it is taken");
        }
    });
    assert!(pool.views(Micros(20_000_000)).iter().all(|view| view.inflight == 0));
}
