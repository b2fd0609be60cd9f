use gateway_routing::{ChannelId, Kind, Micros, Outcome, Params, PolicyKind, Request, SessionKey};

use crate::traffic::{World, channels, plain, set};

/// What decisions and reports allocate, over pools large and small, with and without sessions.
fn allocations(policy: PolicyKind, n: usize) -> u64 {
    let mut specs = channels(&vec![1.0; n]);
    for spec in specs.iter_mut().step_by(2) {
        (spec.requests_per_minute, spec.tokens_per_minute) = (Some(3000), Some(1_000_000));
    }
    let world = World::with(&specs, policy, Params::default());
    let excluded = set(&[0]);
    let rounds = |count: u64| {
        for i in 0..count {
            let now = Micros(world.now.0 + i * 20_000);
            let session = (i % 2 == 0).then_some(SessionKey(i));
            let pinned = (i % 5 == 0).then_some(ChannelId(1));
            let request = Request { session, pinned, prompt_tokens: 700, ..plain(&excluded, true) };
            let Ok(decision) = world.pool.decide(&request, now, i) else { continue };
            let mut ticket = decision.ticket;
            if i % 7 > 0 {
                ticket.first_token(Micros(now.0 + 1000));
            }
            ticket.exhausted(Micros(i % 3), Micros(now.0 + 1500));
            let _cut = ticket.confirm_cut(Micros(now.0 + 2000));
            let kinds = [Kind::Ok, Kind::ServerError(500), Kind::Timeout, Kind::RateLimited, Kind::Cancelled];
            let kind = kinds.into_iter().cycle().nth(usize::try_from(i % 5).unwrap_or(0)).unwrap_or(Kind::Ok);
            ticket.finish(Outcome::of(kind), Micros(now.0 + 5000));
        }
    };
    // The first use of a thread makes room for its place in the configuration's swap.
    rounds(1);
    allocation_counter::measure(|| rounds(2000)).count_total
}

#[test]
fn decisions_and_reports_allocate_nothing() {
    for policy in PolicyKind::ALL {
        for n in [2, 5, 64, 100] {
            assert_eq!(allocations(policy, n), 0, "{policy} among {n}");
        }
    }
}

#[test]
fn the_counter_counts() {
    assert!(allocation_counter::measure(|| drop(std::hint::black_box(vec![1]))).count_total > 0);
}
