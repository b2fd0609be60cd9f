//! Drives each policy over the same small day and prints what came of it.
//!
//! ```text
//! cargo run -p gateway-routing --example compare_policies
//! ```
//!
//! Four upstreams with room for 40, 30, 20 and 10 requests at a time, and 400 conversations. In the morning all is well;
//! at noon the largest is ten times slower for a while; in the afternoon the second refuses everything. An hour of that
//! day lasts five seconds. The time is simulated, and every policy meets the same requests.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use gateway_routing::{
    BuildError, ChannelId, ChannelSet, ChannelSpec, Kind, Micros, Outcome, Params, PolicyKind, Pool, Request,
    SessionKey, Ticket, stable_hash,
};

/// Weight of each upstream; ten times that fit at a time.
const WEIGHTS: [u32; 4] = [4, 3, 2, 1];
/// In these seconds the first is slow, and in those the second is down.
const SLOW: std::ops::Range<u64> = 40..60;
const DOWN: std::ops::Range<u64> = 80..100;
/// Requests per second, how long, and from how many conversations.
const RATE: u64 = 25;
const SECONDS: u64 = 120;
const CONVERSATIONS: u64 = 400;
/// The hard limit, and the number of attempts.
const PATIENCE: Micros = Micros::from_millis(15_000);
const ATTEMPTS: u8 = 3;

/// The earliest first; of two at once, the one of the older attempt.
type Events = BinaryHeap<std::cmp::Reverse<(Micros, u64, What)>>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Token,
    Deadline,
    End,
}

/// An attempt in flight.
struct Attempt {
    ticket: Ticket,
    request: u64,
    came: Micros,
    tried: ChannelSet,
    number: u8,
    upstream: usize,
    kind: Kind,
}

struct Day {
    pool: Arc<Pool>,
    events: Events,
    flying: BTreeMap<u64, Attempt>,
    sent: u64,
    /// Where each conversation was last, and how often it moved.
    places: BTreeMap<u64, usize>,
    moved: u32,
    /// Of each request that was answered, how long its first token took.
    waits: Vec<f64>,
    failed: u32,
}

fn main() -> Result<(), BuildError> {
    println("policy            answered  within 2 s    p50 s    p99 s   attempts   moved");
    for policy in PolicyKind::ALL {
        println(&Day::new(policy)?.run(policy));
    }
    println("\nmoved: requests that came to another upstream than the one before of their conversation");
    Ok(())
}

// === impl Day ===

impl Day {
    fn new(policy: PolicyKind) -> Result<Self, BuildError> {
        let specs: Vec<ChannelSpec> = (0_i64..)
            .zip(WEIGHTS)
            .map(|(id, weight)| ChannelSpec {
                id: ChannelId(id),
                key64: stable_hash(&id.to_le_bytes()),
                account64: 0,
                weight: f64::from(weight),
                tier: 0,
                max_concurrency: None,
                requests_per_minute: None,
                tokens_per_minute: None,
            })
            .collect();
        Ok(Self {
            pool: Arc::new(Pool::new(&specs, policy, Params::default())?),
            events: BinaryHeap::new(),
            flying: BTreeMap::new(),
            sent: 0,
            places: BTreeMap::new(),
            moved: 0,
            waits: Vec::new(),
            failed: 0,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a day has a few thousand requests")]
    fn run(mut self, policy: PolicyKind) -> String {
        for request in 0..RATE * SECONDS {
            let now = Micros::from_millis(1000 + request * 1000 / RATE);
            self.pass(now);
            self.send(request, now, ChannelSet::new(), 0, now);
        }
        self.pass(Micros(u64::MAX));
        self.waits.sort_by(f64::total_cmp);
        let all = f64::from(self.failed) + self.waits.len() as f64;
        let good = self.waits.iter().filter(|wait| **wait <= 2.0).count() as f64;
        let answered = 100.0 * self.waits.len() as f64 / all;
        let at = |percent: usize| self.waits.get(self.waits.len() * percent / 100).copied().unwrap_or(0.0);
        format!(
            "{:<16} {answered:8.2} % {:9.2} % {:8.2} {:8.2} {:10.3} {:7}",
            policy.as_str(),
            100.0 * good / all,
            at(50),
            at(99),
            self.sent as f64 / all,
            self.moved
        )
    }

    /// Lets time pass, and what happens meanwhile.
    fn pass(&mut self, until: Micros) {
        while let Some(std::cmp::Reverse((at, _, _))) = self.events.peek()
            && *at <= until
        {
            if let Some(std::cmp::Reverse((at, attempt, what))) = self.events.pop() {
                self.happen(at, attempt, what);
            }
        }
    }

    fn send(&mut self, request: u64, came: Micros, tried: ChannelSet, number: u8, now: Micros) {
        let conversation = stable_hash(&request.to_le_bytes()) % CONVERSATIONS;
        let wish = Request {
            session: Some(SessionKey(stable_hash(&conversation.to_be_bytes()))),
            pinned: None,
            streaming: true,
            prompt_tokens: 0,
            attempt: number,
            excluded: &tried,
            filter: None,
        };
        let seed = stable_hash(&(request * 8 + u64::from(number)).to_le_bytes());
        let Ok(decision) = self.pool.decide(&wish, now, seed) else {
            self.failed += 1;
            return;
        };
        let upstream = usize::try_from(decision.channel.0).unwrap_or(0);
        if number == 0 && self.places.insert(conversation, upstream).is_some_and(|was| was != upstream) {
            self.moved += 1;
        }
        self.sent += 1;
        let busy = self.flying.values().filter(|other| other.upstream == upstream).count();
        let (first, last, kind) = answer(upstream, busy, now, seed);
        let mut note = |after: Micros, what| {
            self.events.push(std::cmp::Reverse((now.after(after), self.sent, what)));
        };
        if kind == Kind::Ok {
            note(first, What::Token);
        }
        note(last, What::End);
        if let Some(deadline) = decision.first_token_deadline {
            note(deadline, What::Deadline);
        }
        let ticket = decision.ticket;
        self.flying.insert(self.sent, Attempt { ticket, request, came, tried, number, upstream, kind });
    }

    fn happen(&mut self, now: Micros, number: u64, what: What) {
        let Some(mut attempt) = self.flying.remove(&number) else { return };
        let kind = match what {
            What::Token => {
                attempt.ticket.first_token(now);
                self.waits.push(now.since(attempt.came).seconds());
                self.flying.insert(number, attempt);
                return;
            }
            What::Deadline if !attempt.ticket.confirm_cut(now) => {
                self.flying.insert(number, attempt);
                return;
            }
            What::Deadline => Kind::Cut,
            What::End => attempt.kind,
        };
        attempt.ticket.finish(Outcome::of(kind), now);
        if kind == Kind::Ok {
            return;
        }
        attempt.tried.insert(ChannelId(i64::try_from(attempt.upstream).unwrap_or(0)));
        if attempt.number + 1 < ATTEMPTS {
            self.send(attempt.request, attempt.came, attempt.tried, attempt.number + 1, now);
        } else {
            self.failed += 1;
        }
    }
}

/// After how long an upstream's first token comes, when it is over, and how. Beyond its room, requests queue.
fn answer(upstream: usize, busy: usize, now: Micros, luck: u64) -> (Micros, Micros, Kind) {
    let second = now.0 / 1_000_000;
    if upstream == 1 && DOWN.contains(&second) {
        return (PATIENCE, Micros::from_millis(50), Kind::Connect);
    }
    let slowness = if upstream == 0 && SLOW.contains(&second) { 10 } else { 1 };
    let room = WEIGHTS.get(upstream).map_or(0, |weight| 10 * usize::try_from(*weight).unwrap_or(0));
    let queue = u64::try_from(busy.saturating_sub(room)).unwrap_or(u64::MAX);
    let first = slowness * (300 + luck % 300) + 150 * queue;
    let writing = 1500 + luck / 1000 % 1500;
    if first >= PATIENCE.0 / 1000 {
        return (PATIENCE, PATIENCE, Kind::Timeout);
    }
    (Micros::from_millis(first), Micros::from_millis(first + writing), Kind::Ok)
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn println(line: &str) {
    println!("{line}");
}
