//! Which exchanges are asked for, as a statement.

use gateway_domain::{ChannelId, ExchangeOutcome, KeyId, UnixMillis, UserId};

use super::Retention;
use super::segment::Entry;
use crate::tx::signed;

/// No query for exchanges answers with more than this.
pub const MAX_EXCHANGES_PER_QUERY: u32 = 500;

/// Which exchanges to show: all conditions hold at once, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeFilter {
    /// At most this many, from 1 to [`MAX_EXCHANGES_PER_QUERY`]; what lies outside is brought inside.
    pub limit: u32,
    /// Only exchanges older than this row: the [`ExchangePage::next`](super::ExchangePage::next) of the page before.
    pub before: Option<i64>,
    /// Only exchanges newer than this row.
    pub after: Option<i64>,
    /// Only of this user.
    pub user: Option<UserId>,
    /// Only with this key.
    pub key: Option<KeyId>,
    /// Only of this public model.
    pub model: Option<String>,
    /// Only at this endpoint, by its template.
    pub endpoint: Option<String>,
    /// Only those that tried this channel.
    pub channel: Option<ChannelId>,
    /// Only those that ended so.
    pub outcome: Option<ExchangeOutcome>,
    /// Only those that answered with this status.
    pub status: Option<u16>,
    /// Only with this `x-request-id`.
    pub request_id: Option<String>,
    /// Only those whose answer was a stream, or only those whose was none.
    pub streamed: Option<bool>,
    /// Only those that began at this moment or later.
    pub since: Option<UnixMillis>,
    /// Only those that began before this moment.
    pub until: Option<UnixMillis>,
}

/// A filter that knows what is kept.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    filter: ExchangeFilter,
    /// Lower numbers are too much, or not asked for.
    lowest: i64,
}

// === impl ExchangeFilter ===

impl Default for ExchangeFilter {
    fn default() -> Self {
        Self {
            limit: 100,
            before: None,
            after: None,
            user: None,
            key: None,
            model: None,
            endpoint: None,
            channel: None,
            outcome: None,
            status: None,
            request_id: None,
            streamed: None,
            since: None,
            until: None,
        }
    }
}

impl ExchangeFilter {
    /// The same, and only of what is to be kept when `last` is the number of the newest exchange.
    pub(super) fn within(&self, keep: Retention, last: i64, now: UnixMillis) -> Wanted {
        let mut filter = self.clone();
        filter.since = filter.since.max(keep.oldest(now));
        let kept = last.saturating_sub(signed(keep.newest));
        Wanted { lowest: kept.max(filter.after.unwrap_or(kept)).saturating_add(1), filter }
    }
}

// === impl Wanted ===

impl Wanted {
    /// Whether this exchange is asked for. What is compared quickly is compared first.
    pub(super) fn has(&self, id: i64, entry: &Entry<'_>) -> bool {
        fn is<T: PartialEq + Copy>(wanted: Option<T>, found: Option<T>) -> bool {
            wanted.is_none() || wanted == found
        }
        let (filter, facts, (since, until)) = (&self.filter, &entry.facts, self.span());
        id >= self.lowest
            && filter.before.is_none_or(|before| id < before)
            && is(filter.status, Some(facts.status))
            && is(filter.outcome, Some(facts.outcome))
            && is(filter.streamed, Some(facts.streamed))
            && is(filter.user, facts.user)
            && is(filter.key, facts.key)
            && facts.started_at >= since
            && facts.started_at < until
            && is(filter.request_id.as_deref(), Some(facts.request_id))
            && is(filter.model.as_deref(), facts.model)
            && is(filter.endpoint.as_deref(), Some(facts.endpoint))
            && filter.channel.is_none_or(|id| entry.attempts().flatten().any(|tried| tried.channel == id))
    }

    /// How many rows a page has at most.
    pub(super) fn rows(&self) -> usize {
        self.filter.limit.clamp(1, MAX_EXCHANGES_PER_QUERY) as usize
    }

    /// From this number on.
    pub(super) const fn lowest(&self) -> i64 {
        self.lowest
    }

    /// Up to this number.
    pub(super) fn highest(&self) -> i64 {
        self.filter.before.map_or(i64::MAX, |before| before.saturating_sub(1))
    }

    /// From this moment on, and before that one.
    pub(super) fn span(&self) -> (UnixMillis, UnixMillis) {
        let Self { filter, .. } = self;
        (filter.since.unwrap_or(UnixMillis(i64::MIN)), filter.until.unwrap_or(UnixMillis(i64::MAX)))
    }
}
