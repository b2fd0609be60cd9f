use std::collections::VecDeque;

use gateway_domain::{ChannelId, UnixMillis};

use super::UnderWay;
use super::sums::{Figures, Sums};

/// Seconds that are kept one by one.
pub(crate) const FINE: usize = 300;
/// Seconds that are kept at all.
pub(crate) const LONGEST: usize = 3600;
/// Seconds that are put together for what lies further back.
const STEP: usize = 10;

/// The figures of the last hour.
#[derive(Debug, Default)]
pub(super) struct Rings {
    fine: Ring<1, FINE>,
    coarse: Ring<STEP, { LONGEST / STEP }>,
    /// What the next coarse bucket will be made of: how many seconds went by, and what was measured in them.
    seconds: usize,
    sums: Sums,
    most: Option<UnderWay>,
}

/// The last `MOST` buckets of `SECONDS` each, the oldest first; `None` where nothing was measured.
#[derive(Debug, Default)]
struct Ring<const SECONDS: usize, const MOST: usize> {
    buckets: VecDeque<Option<Bucket>>,
    /// When the newest bucket ended.
    end: UnixMillis,
}

/// What was measured within one step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) total: Figures,
    /// The most that was under way at the end of any second.
    pub(crate) under_way: UnderWay,
    /// The channels that were tried, by id.
    pub(crate) channels: Box<[(ChannelId, Figures)]>,
}

/// A part of a ring.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    /// How much time each bucket stands for.
    pub(crate) step_ms: u64,
    /// When the first one began.
    pub(crate) from: UnixMillis,
    pub(crate) buckets: Vec<Option<Bucket>>,
}

// === impl Rings ===

impl Rings {
    pub(super) fn close(&mut self, now: UnixMillis, sums: &Sums, under_way: UnderWay) {
        self.fine.push(Some(Bucket::of(sums, under_way)));
        self.fine.end = now;
        self.sums.add(sums);
        self.most = Some(self.most.unwrap_or_default().max(under_way));
        self.pass();
        // Between two coarse steps as well: what was slept through has moved the steps against the clock.
        self.coarse.end = before(now, self.seconds);
    }

    /// Seconds of which nothing is known.
    pub(super) fn skip(&mut self, seconds: u64) {
        for _ in 0..seconds.min(LONGEST as u64) {
            self.fine.push(None);
            self.pass();
        }
    }

    fn pass(&mut self) {
        self.seconds += 1;
        if self.seconds == STEP {
            self.seconds = 0;
            self.coarse.push(self.most.take().map(|most| Bucket::of(&self.sums, most)));
            self.sums.clear();
        }
    }

    pub(super) fn last(&self, seconds: usize) -> Span {
        if seconds <= FINE { self.fine.last(seconds) } else { self.coarse.last(seconds.min(LONGEST)) }
    }
}

// === impl Ring ===

impl<const SECONDS: usize, const MOST: usize> Ring<SECONDS, MOST> {
    fn push(&mut self, bucket: Option<Bucket>) {
        if self.buckets.len() == MOST {
            self.buckets.pop_front();
        }
        self.buckets.push_back(bucket);
    }

    /// What lies before the gateway's start was not measured.
    fn last(&self, seconds: usize) -> Span {
        let wanted = seconds.div_ceil(SECONDS);
        let known = wanted.min(self.buckets.len());
        let mut buckets = vec![None; wanted - known];
        buckets.extend(self.buckets.iter().skip(self.buckets.len() - known).cloned());
        Span { step_ms: 1000 * SECONDS as u64, from: before(self.end, wanted * SECONDS), buckets }
    }
}

// === impl Bucket ===

impl Bucket {
    fn of(sums: &Sums, under_way: UnderWay) -> Self {
        Self { total: sums.total(), under_way, channels: sums.channels() }
    }

    /// What a channel did; nothing, when nobody tried it.
    pub(crate) fn of_channel(&self, id: ChannelId) -> Figures {
        let found = self.channels.binary_search_by_key(&id, |(known, _)| *known).ok();
        found.and_then(|at| self.channels.get(at)).map(|(_, figures)| *figures).unwrap_or_default()
    }
}

// === impl UnderWay ===

impl UnderWay {
    fn max(self, other: Self) -> Self {
        Self { requests: self.requests.max(other.requests), streams: self.streams.max(other.streams) }
    }
}

fn before(moment: UnixMillis, seconds: usize) -> UnixMillis {
    let span = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    UnixMillis(moment.0.saturating_sub(span))
}
