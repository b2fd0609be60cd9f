//! One exchange as bytes, and the way back. What an exchange does not have takes a bit and no more.

use std::iter;
use std::time::Duration;

use gateway_domain::{
    Attempt, AttemptOutcome, ChannelId, Exchange, ExchangeOutcome, KeyId, UnixMillis, Usage, UserId,
};

use super::numbers::{Numbers, put, put_signed, put_text};
use super::words;
use crate::exchanges::{StoredAttempt, StoredExchange};

/// All of an exchange but its attempts, its texts where they lie.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchanges) struct Facts<'a> {
    pub(in crate::exchanges) outcome: ExchangeOutcome,
    pub(in crate::exchanges) status: u16,
    pub(in crate::exchanges) streamed: bool,
    pub(in crate::exchanges) started_at: UnixMillis,
    pub(in crate::exchanges) user: Option<UserId>,
    pub(in crate::exchanges) key: Option<KeyId>,
    pub(in crate::exchanges) request_id: &'a str,
    pub(in crate::exchanges) endpoint: &'a str,
    pub(in crate::exchanges) model: Option<&'a str>,
    pub(in crate::exchanges) session_source: &'a str,
    pub(in crate::exchanges) first_byte: Option<Duration>,
    pub(in crate::exchanges) total: Duration,
    pub(in crate::exchanges) bytes_in: u64,
    pub(in crate::exchanges) bytes_out: u64,
    pub(in crate::exchanges) usage: Usage,
}

/// One of its attempts.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchanges) struct Try<'a> {
    pub(in crate::exchanges) channel: ChannelId,
    pub(in crate::exchanges) channel_name: &'a str,
    pub(in crate::exchanges) reason: &'a str,
    pub(in crate::exchanges) status: Option<u16>,
    pub(in crate::exchanges) first_byte: Option<Duration>,
    pub(in crate::exchanges) total: Duration,
    pub(in crate::exchanges) outcome: AttemptOutcome,
    pub(in crate::exchanges) home: Option<ChannelId>,
    /// In thousandths: three decimals are enough for people.
    pub(in crate::exchanges) health: Option<u16>,
    pub(in crate::exchanges) hedge: bool,
}

/// An exchange that is read as far as it was asked about.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchanges) struct Entry<'a> {
    pub(in crate::exchanges) facts: Facts<'a>,
    attempts: Numbers<'a>,
}

/// Bits that say what an exchange has.
mod has {
    pub(super) const STREAMED: u16 = 1;
    pub(super) const USER: u16 = 1 << 1;
    pub(super) const KEY: u16 = 1 << 2;
    pub(super) const MODEL: u16 = 1 << 3;
    pub(super) const FIRST_BYTE: u16 = 1 << 4;
    pub(super) const PROMPT: u16 = 1 << 5;
    pub(super) const COMPLETION: u16 = 1 << 6;
    pub(super) const CACHED: u16 = 1 << 7;
    pub(super) const REASONING: u16 = 1 << 8;
    pub(super) const AUDIO_IN: u16 = 1 << 9;
    pub(super) const AUDIO_OUT: u16 = 1 << 10;
}

/// Bits that say what an attempt has.
mod tried {
    pub(super) const HEDGE: u16 = 1;
    pub(super) const STATUS: u16 = 1 << 1;
    pub(super) const FIRST_BYTE: u16 = 1 << 2;
    pub(super) const HOME: u16 = 1 << 3;
    pub(super) const HEALTH: u16 = 1 << 4;
}

/// Writes an exchange behind what is there.
pub(super) fn write<'a>(to: &mut Vec<u8>, facts: &Facts<'a>, attempts: impl Iterator<Item = Try<'a>>) {
    facts.write(to);
    for attempt in attempts {
        attempt.write(to);
    }
}

// === impl Facts ===

impl<'a> Facts<'a> {
    pub(super) fn of(exchange: &'a Exchange) -> Self {
        Self {
            outcome: exchange.outcome,
            status: exchange.status,
            streamed: exchange.streamed,
            started_at: exchange.started_at,
            user: exchange.user,
            key: exchange.key,
            request_id: &exchange.request_id,
            endpoint: exchange.endpoint,
            model: exchange.model.as_deref(),
            session_source: exchange.session_source,
            first_byte: exchange.first_byte,
            total: exchange.total,
            bytes_in: exchange.bytes_in,
            bytes_out: exchange.bytes_out,
            usage: exchange.usage,
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        let usage = &self.usage;
        let bits = sum(&[
            (has::STREAMED, self.streamed),
            (has::USER, self.user.is_some()),
            (has::KEY, self.key.is_some()),
            (has::MODEL, self.model.is_some()),
            (has::FIRST_BYTE, self.first_byte.is_some()),
            (has::PROMPT, usage.prompt.is_some()),
            (has::COMPLETION, usage.completion.is_some()),
            (has::CACHED, usage.cached.is_some()),
            (has::REASONING, usage.reasoning.is_some()),
            (has::AUDIO_IN, usage.audio_in.is_some()),
            (has::AUDIO_OUT, usage.audio_out.is_some()),
        ]);
        to.extend_from_slice(&bits.to_le_bytes());
        to.extend_from_slice(&[words::of_outcome(self.outcome), words::of_source(usage.source)]);
        to.extend_from_slice(&self.status.to_le_bytes());
        to.extend_from_slice(&self.started_at.0.to_le_bytes());
        for id in [self.user.map(|id| id.0), self.key.map(|id| id.0)].into_iter().flatten() {
            put_signed(to, id);
        }
        let texts = [Some(self.request_id), Some(self.endpoint), self.model, Some(self.session_source)];
        for text in texts.into_iter().flatten() {
            put_text(to, text);
        }
        for count in [
            self.first_byte.map(millis),
            Some(millis(self.total)),
            Some(self.bytes_in),
            Some(self.bytes_out),
            usage.prompt,
            usage.completion,
            usage.cached,
            usage.reasoning,
            usage.audio_in,
            usage.audio_out,
        ]
        .into_iter()
        .flatten()
        {
            put(to, count);
        }
    }

    fn read(from: &mut Numbers<'a>) -> Option<Self> {
        let bits = u16::from_le_bytes(from.array()?);
        let (outcome, source) = (words::outcome(from.byte()?)?, words::source(from.byte()?)?);
        let status = u16::from_le_bytes(from.array()?);
        let started_at = UnixMillis(i64::from_le_bytes(from.array()?));
        Some(Self {
            outcome,
            status,
            streamed: bits & has::STREAMED != 0,
            started_at,
            user: given(bits & has::USER, || from.signed())?.map(UserId),
            key: given(bits & has::KEY, || from.signed())?.map(KeyId),
            request_id: from.text()?,
            endpoint: from.text()?,
            model: given(bits & has::MODEL, || from.text())?,
            session_source: from.text()?,
            first_byte: given(bits & has::FIRST_BYTE, || from.number())?.map(Duration::from_millis),
            total: Duration::from_millis(from.number()?),
            bytes_in: from.number()?,
            bytes_out: from.number()?,
            usage: Usage {
                prompt: given(bits & has::PROMPT, || from.number())?,
                completion: given(bits & has::COMPLETION, || from.number())?,
                cached: given(bits & has::CACHED, || from.number())?,
                reasoning: given(bits & has::REASONING, || from.number())?,
                audio_in: given(bits & has::AUDIO_IN, || from.number())?,
                audio_out: given(bits & has::AUDIO_OUT, || from.number())?,
                source,
            },
        })
    }
}

// === impl Try ===

impl<'a> Try<'a> {
    pub(super) fn of(attempt: &'a Attempt) -> Self {
        Self {
            channel: attempt.channel,
            channel_name: &attempt.channel_name,
            reason: attempt.reason,
            status: attempt.status,
            first_byte: attempt.first_byte,
            total: attempt.total,
            outcome: attempt.outcome,
            home: attempt.home,
            health: Some(thousandths(attempt.health)),
            hedge: attempt.hedge,
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        let bits = sum(&[
            (tried::HEDGE, self.hedge),
            (tried::STATUS, self.status.is_some()),
            (tried::FIRST_BYTE, self.first_byte.is_some()),
            (tried::HOME, self.home.is_some()),
            (tried::HEALTH, self.health.is_some()),
        ]);
        put(to, bits.into());
        to.push(words::of_attempt(self.outcome));
        put_signed(to, self.channel.0);
        put_text(to, self.channel_name);
        put_text(to, self.reason);
        if let Some(home) = self.home {
            put_signed(to, home.0);
        }
        for count in [
            self.status.map(u64::from),
            self.health.map(u64::from),
            self.first_byte.map(millis),
            Some(millis(self.total)),
        ]
        .into_iter()
        .flatten()
        {
            put(to, count);
        }
    }

    fn read(from: &mut Numbers<'a>) -> Option<Self> {
        let bits = u16::try_from(from.number()?).ok()?;
        let small = |number: u64| u16::try_from(number).ok();
        Some(Self {
            outcome: words::attempt(from.byte()?)?,
            channel: ChannelId(from.signed()?),
            channel_name: from.text()?,
            reason: from.text()?,
            home: given(bits & tried::HOME, || from.signed())?.map(ChannelId),
            status: given(bits & tried::STATUS, || from.number().and_then(small))?,
            health: given(bits & tried::HEALTH, || from.number().and_then(small))?,
            first_byte: given(bits & tried::FIRST_BYTE, || from.number())?.map(Duration::from_millis),
            total: Duration::from_millis(from.number()?),
            hedge: bits & tried::HEDGE != 0,
        })
    }

    fn stored(&self) -> StoredAttempt {
        StoredAttempt {
            channel: self.channel,
            channel_name: self.channel_name.to_owned(),
            reason: self.reason.to_owned(),
            status: self.status,
            first_byte: self.first_byte,
            total: self.total,
            outcome: self.outcome,
            home: self.home,
            health: self.health.map(|share| f32::from(share) / 1000.0),
            hedge: self.hedge,
        }
    }
}

// === impl Entry ===

impl<'a> Entry<'a> {
    /// Reads an exchange that takes all of these bytes; `None`: they are none.
    pub(in crate::exchanges) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut numbers = Numbers(bytes);
        let facts = Facts::read(&mut numbers)?;
        Some(Self { facts, attempts: numbers })
    }

    /// Its attempts, in order. The last one is `None` where it cannot be read.
    pub(in crate::exchanges) fn attempts(&self) -> impl Iterator<Item = Option<Try<'a>>> + use<'a> {
        let mut left = self.attempts;
        iter::from_fn(move || {
            if left.is_empty() {
                return None;
            }
            let attempt = Try::read(&mut left);
            if attempt.is_none() {
                left = Numbers(&[]);
            }
            Some(attempt)
        })
    }

    /// A copy of its own, under its number; `None`: its attempts cannot be read.
    pub(in crate::exchanges) fn stored(&self, id: i64) -> Option<StoredExchange> {
        let Facts { outcome, status, streamed, started_at, user, key, .. } = self.facts;
        let Facts { request_id, endpoint, model, session_source, .. } = self.facts;
        let Facts { first_byte, total, bytes_in, bytes_out, usage, .. } = self.facts;
        Some(StoredExchange {
            id,
            request_id: request_id.to_owned(),
            started_at,
            user,
            key,
            endpoint: endpoint.to_owned(),
            model: model.map(str::to_owned),
            streamed,
            attempts: self
                .attempts()
                .map(|attempt| attempt.map(|attempt| attempt.stored()))
                .collect::<Option<_>>()?,
            outcome,
            status,
            first_byte,
            total,
            bytes_in,
            bytes_out,
            usage,
            session_source: session_source.to_owned(),
        })
    }
}

/// The bits that are set.
fn sum(bits: &[(u16, bool)]) -> u16 {
    bits.iter().fold(0, |sum, (bit, is)| sum | if *is { *bit } else { 0 })
}

/// What follows where the bit is set. The outer `None`: it cannot be read.
#[expect(clippy::option_option, reason = "what is not there is not what cannot be read")]
fn given<T>(bit: u16, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if bit == 0 { Some(None) } else { read().map(Some) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A share as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the clamp leaves 0 to 1000, or no number, which is 0"
)]
fn thousandths(share: f32) -> u16 {
    (share.clamp(0.0, 1.0) * 1000.0).round() as u16
}
