//! The columns of what is rarely set on channels and models.

use std::time::Duration;

use gateway_domain::{ChannelId, ChannelTuning, Hedge, HedgeAfter, ModelId, ModelTuning, Policy};
use rusqlite::{Row, params};

use crate::Result;
use crate::tx::{Tx, signed, unreadable, unsigned};

/// What to change on a channel's tuning; `None` leaves a field as it is, `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelTuningPatch {
    /// See [`ChannelTuning::tier`].
    pub tier: Option<u8>,
    /// See [`ChannelTuning::requests_per_minute`].
    pub requests_per_minute: Option<Option<u32>>,
    /// See [`ChannelTuning::tokens_per_minute`].
    pub tokens_per_minute: Option<Option<u32>>,
    /// See [`ChannelTuning::add_cache_key`].
    pub add_cache_key: Option<bool>,
    /// See [`ChannelTuning::connect_timeout`].
    pub connect_timeout: Option<Option<Duration>>,
    /// See [`ChannelTuning::first_byte_timeout`].
    pub first_byte_timeout: Option<Option<Duration>>,
    /// See [`ChannelTuning::stream_gap_timeout`].
    pub stream_gap_timeout: Option<Option<Duration>>,
    /// See [`ChannelTuning::pool_idle_timeout`].
    pub pool_idle_timeout: Option<Option<Duration>>,
}

/// What to change on a model's tuning; `None` leaves a field as it is, `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelTuningPatch {
    /// See [`ModelTuning::policy`].
    pub policy: Option<Option<Policy>>,
    /// See [`ModelTuning::slack_percent`].
    pub slack_percent: Option<Option<u32>>,
    /// See [`ModelTuning::sticky`].
    pub sticky: Option<Option<bool>>,
    /// See [`ModelTuning::cut`].
    pub cut: Option<Option<bool>>,
    /// See [`ModelTuning::hedge`].
    pub hedge: Option<Option<Hedge>>,
}

// === impl ChannelTuningPatch ===

impl ChannelTuningPatch {
    /// The tuning with the changes made.
    pub fn applied_to(&self, tuning: &ChannelTuning) -> ChannelTuning {
        ChannelTuning {
            tier: self.tier.unwrap_or(tuning.tier),
            requests_per_minute: self.requests_per_minute.unwrap_or(tuning.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.unwrap_or(tuning.tokens_per_minute),
            add_cache_key: self.add_cache_key.unwrap_or(tuning.add_cache_key),
            connect_timeout: self.connect_timeout.unwrap_or(tuning.connect_timeout),
            first_byte_timeout: self.first_byte_timeout.unwrap_or(tuning.first_byte_timeout),
            stream_gap_timeout: self.stream_gap_timeout.unwrap_or(tuning.stream_gap_timeout),
            pool_idle_timeout: self.pool_idle_timeout.unwrap_or(tuning.pool_idle_timeout),
        }
    }
}

// === impl ModelTuningPatch ===

impl ModelTuningPatch {
    /// The tuning with the changes made.
    pub fn applied_to(&self, tuning: &ModelTuning) -> ModelTuning {
        ModelTuning {
            policy: self.policy.unwrap_or(tuning.policy),
            slack_percent: self.slack_percent.unwrap_or(tuning.slack_percent),
            sticky: self.sticky.unwrap_or(tuning.sticky),
            cut: self.cut.unwrap_or(tuning.cut),
            hedge: self.hedge.unwrap_or(tuning.hedge),
        }
    }
}

/// The names of a channel's columns, in the order in which [`of_channel`] reads them.
macro_rules! channel_columns {
    () => {
        "tier, requests_per_minute, tokens_per_minute, add_cache_key, connect_timeout_ms, first_byte_timeout_ms, \
         stream_gap_timeout_ms, pool_idle_timeout_ms"
    };
}

/// The names of a model's columns, in the order in which [`of_model`] reads them.
macro_rules! model_columns {
    () => {
        "policy, slack_percent, sticky, cut, hedge_max_percent, hedge_after_ms"
    };
}

pub(crate) use {channel_columns, model_columns};

/// Reads a channel's columns, the first of which is `first`.
pub(crate) fn of_channel(row: &Row<'_>, first: usize) -> Result<ChannelTuning> {
    Ok(ChannelTuning {
        tier: row.get(first)?,
        requests_per_minute: row.get(first + 1)?,
        tokens_per_minute: row.get(first + 2)?,
        add_cache_key: row.get(first + 3)?,
        connect_timeout: time(row, first + 4)?,
        first_byte_timeout: time(row, first + 5)?,
        stream_gap_timeout: time(row, first + 6)?,
        pool_idle_timeout: time(row, first + 7)?,
    })
}

/// Writes a channel's columns; its version is counted by whoever writes the rest of the row.
pub(crate) fn write_channel(tx: Tx<'_>, id: ChannelId, tuning: &ChannelTuning) -> Result<()> {
    tx.run(
        "UPDATE channels SET tier = ?2, requests_per_minute = ?3, tokens_per_minute = ?4, add_cache_key = ?5,
             connect_timeout_ms = ?6, first_byte_timeout_ms = ?7, stream_gap_timeout_ms = ?8,
             pool_idle_timeout_ms = ?9
         WHERE id = ?1",
        params![
            id.0,
            tuning.tier,
            tuning.requests_per_minute,
            tuning.tokens_per_minute,
            tuning.add_cache_key,
            tuning.connect_timeout.map(millis),
            tuning.first_byte_timeout.map(millis),
            tuning.stream_gap_timeout.map(millis),
            tuning.pool_idle_timeout.map(millis),
        ],
    )?;
    Ok(())
}

/// Reads a model's columns, the first of which is `first`.
pub(crate) fn of_model(row: &Row<'_>, first: usize) -> Result<ModelTuning> {
    let policy = match row.get::<_, Option<String>>(first)? {
        None => None,
        Some(word) => Some(Policy::from_word(&word).ok_or_else(|| unreadable(row, first))?),
    };
    let after = time(row, first + 5)?.map_or(HedgeAfter::Learned, HedgeAfter::Fixed);
    let max_percent: Option<u8> = row.get(first + 4)?;
    Ok(ModelTuning {
        policy,
        slack_percent: row.get(first + 1)?,
        sticky: row.get(first + 2)?,
        cut: row.get(first + 3)?,
        hedge: max_percent.map(|max_percent| Hedge { after, max_percent }),
    })
}

/// Writes a model's columns; its version is counted by whoever writes the rest of the row.
pub(crate) fn write_model(tx: Tx<'_>, id: ModelId, tuning: &ModelTuning) -> Result<()> {
    let after = tuning.hedge.and_then(|hedge| match hedge.after {
        HedgeAfter::Learned => None,
        HedgeAfter::Fixed(time) => Some(millis(time)),
    });
    tx.run(
        "UPDATE models SET policy = ?2, slack_percent = ?3, sticky = ?4, cut = ?5, hedge_max_percent = ?6,
             hedge_after_ms = ?7
         WHERE id = ?1",
        params![
            id.0,
            tuning.policy.map(Policy::as_str),
            tuning.slack_percent,
            tuning.sticky,
            tuning.cut,
            tuning.hedge.map(|hedge| hedge.max_percent),
            after,
        ],
    )?;
    Ok(())
}

/// A column of whole milliseconds.
fn time(row: &Row<'_>, column: usize) -> Result<Option<Duration>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|ms| Duration::from_millis(unsigned(ms))))
}

fn millis(time: Duration) -> i64 {
    signed(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
