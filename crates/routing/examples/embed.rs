//! Another service with the router inside: three upstreams, one of which browns out for a while.
//!
//! ```text
//! cargo run -p gateway-routing --example embed
//! ```
//!
//! The upstreams are simulated, and so is the time: the router is told what time it is and never looks.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use gateway_routing::{
    BuildError, ChannelId, ChannelSet, ChannelSpec, Kind, Micros, Outcome, Params, PolicyKind, Pool, Request,
    SessionKey, Ticket, stable_hash,
};

/// Name and weight of each upstream; the identifier is the place in this list.
const UPSTREAMS: [(&str, f64); 3] = [("east", 5.0), ("west", 3.0), ("south", 2.0)];
/// East is ten times slower in these seconds.
const BROWNOUT: std::ops::Range<u64> = 20..40;
/// Requests per second, and how long.
const RATE: u64 = 40;
const SECONDS: u64 = 80;

/// Something that happens to an attempt at a moment.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    /// Earliest first.
    at: std::cmp::Reverse<Micros>,
    attempt: u64,
    token: bool,
}

fn main() -> Result<(), BuildError> {
    let specs: Vec<ChannelSpec> = (0_i64..)
        .zip(UPSTREAMS)
        .map(|(id, (name, weight))| ChannelSpec {
            id: ChannelId(id),
            key64: stable_hash(name.as_bytes()),
            account64: 0,
            weight,
            tier: 0,
            max_concurrency: None,
            requests_per_minute: None,
            tokens_per_minute: None,
        })
        .collect();
    let pool = Arc::new(Pool::new(&specs, PolicyKind::Adaptive, Params::default())?);

    let mut events = BinaryHeap::new();
    let mut in_flight: BTreeMap<u64, Ticket> = BTreeMap::new();
    let mut shares = [0_u32; UPSTREAMS.len()];
    println("second   east  west south   (% of requests; weights say 50 30 20)");
    for request in 0..RATE * SECONDS {
        let now = Micros::from_millis(1000 + request * 1000 / RATE);
        while events.peek().is_some_and(|event: &Event| event.at.0 <= now) {
            if let Some(event) = events.pop() {
                happen(&event, &mut in_flight);
            }
        }
        let session = SessionKey(stable_hash(&(request % 300).to_le_bytes()));
        if let Some((ticket, upstream)) = send(&pool, session, now, request) {
            if let Some(count) = shares.get_mut(upstream) {
                *count += 1;
            }
            let (token, end) = answer(upstream, now, request);
            events.push(Event { at: std::cmp::Reverse(token), attempt: request, token: true });
            events.push(Event { at: std::cmp::Reverse(end), attempt: request, token: false });
            in_flight.insert(request, ticket);
        }
        if (request + 1) % (5 * RATE) == 0 {
            print(request / RATE + 1, &shares);
            shares = Default::default();
        }
    }
    Ok(())
}

/// Asks the router for a channel.
fn send(pool: &Arc<Pool>, session: SessionKey, now: Micros, seed: u64) -> Option<(Ticket, usize)> {
    let tried = ChannelSet::new();
    let request = Request {
        session: Some(session),
        pinned: None,
        streaming: true,
        prompt_tokens: 0,
        attempt: 0,
        excluded: &tried,
        filter: None,
    };
    // A real service would answer 503 or 429 on an error, and try again with `tried` filled after a failure.
    let decision = pool.decide(&request, now, seed).ok()?;
    let upstream = usize::try_from(decision.channel.0).ok()?;
    Some((decision.ticket, upstream))
}

/// Tells the router what became of an attempt.
fn happen(event: &Event, in_flight: &mut BTreeMap<u64, Ticket>) {
    let now = event.at.0;
    if event.token {
        if let Some(ticket) = in_flight.get_mut(&event.attempt) {
            ticket.first_token(now);
        }
    } else if let Some(ticket) = in_flight.remove(&event.attempt) {
        ticket.finish(Outcome::of(Kind::Ok), now);
    }
}

/// When an upstream's first token comes, and when its answer is whole.
fn answer(upstream: usize, now: Micros, request: u64) -> (Micros, Micros) {
    let browned_out = upstream == 0 && BROWNOUT.contains(&(now.0 / 1_000_000));
    let spread = stable_hash(&request.to_be_bytes()) % 200;
    let token = Micros::from_millis(if browned_out { 4000 + 10 * spread } else { 400 + spread });
    (now.after(token), now.after(token).after(Micros::from_millis(1500)))
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn println(line: &str) {
    println!("{line}");
}

fn print(second: u64, shares: &[u32]) {
    let all: u32 = shares.iter().sum();
    let percent = |count: &u32| format!("{:6.0}", 100.0 * f64::from(*count) / f64::from(all.max(1)));
    println(&format!("{second:6} {}", shares.iter().map(percent).collect::<String>()));
}
