//! Which times hold for a channel, and which of its own do not fit into the times around them.

use std::time::Duration;

use gateway_domain::ChannelTuning;

use crate::ProxySettings;
use crate::duration::show;

/// The times of one channel's calls: its own where it has some, else the gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelTimes {
    /// The longest time for a connection, TLS included.
    pub connect: Duration,
    /// The longest wait for the first byte of a streamed answer.
    pub first_byte: Duration,
    /// The longest silence inside a streamed answer.
    pub stream_gap: Duration,
    /// How long an idle connection is kept.
    pub pool_idle: Duration,
}

/// A channel's own time that is longer than the one it lies within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The channel's key: `connect_timeout`, `first_byte_timeout` or `stream_gap_timeout`.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

// === impl ProxySettings ===

impl ProxySettings {
    /// The times that hold for a channel. A time that is longer than the one it lies within gives way: whoever
    /// shortens the outer time, here or on the channel, need not know the inner ones.
    pub fn times_of(&self, tuning: &ChannelTuning) -> ChannelTimes {
        let first_byte =
            tuning.first_byte_timeout.unwrap_or(self.first_byte_timeout).min(self.stream_timeout);
        let connect = tuning.connect_timeout.unwrap_or(self.connect_timeout);
        let stream_gap = tuning.stream_gap_timeout.unwrap_or(self.stream_gap_timeout);
        ChannelTimes {
            connect: connect.min(first_byte).min(self.total_timeout),
            first_byte,
            stream_gap: stream_gap.min(self.stream_timeout),
            pool_idle: tuning.pool_idle_timeout.unwrap_or(self.pool_idle_timeout),
        }
    }

    /// The channel's own times that are longer than the times around them, each once.
    pub fn misfits(&self, tuning: &ChannelTuning) -> Vec<Misfit> {
        let first_byte = match tuning.first_byte_timeout {
            Some(own) => ("first_byte_timeout", own),
            None => ("proxy.first_byte_timeout", self.first_byte_timeout),
        };
        let total = ("proxy.total_timeout", self.total_timeout);
        let stream = ("proxy.stream_timeout", self.stream_timeout);
        let mut misfits: Vec<Misfit> = Vec::new();
        for (key, own, (outer, around)) in [
            ("connect_timeout", tuning.connect_timeout, first_byte),
            ("connect_timeout", tuning.connect_timeout, total),
            ("first_byte_timeout", tuning.first_byte_timeout, stream),
            ("stream_gap_timeout", tuning.stream_gap_timeout, stream),
        ] {
            let Some(own) = own.filter(|own| *own > around) else { continue };
            if misfits.iter().all(|misfit| misfit.key != key) {
                misfits.push(Misfit {
                    key,
                    message: format!("{} is longer than {outer}, which is {}", show(own), show(around)),
                    advice: format!("shorten it, or lengthen {outer}"),
                });
            }
        }
        misfits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_channel_without_times_of_its_own_has_the_gateways() {
        let proxy = ProxySettings::default();
        let times = proxy.times_of(&ChannelTuning::default());
        assert_eq!(
            (times.connect, times.first_byte, times.stream_gap, times.pool_idle),
            (
                proxy.connect_timeout,
                proxy.first_byte_timeout,
                proxy.stream_gap_timeout,
                proxy.pool_idle_timeout
            )
        );
    }

    #[test]
    fn a_channels_own_time_is_taken_and_what_lies_within_it_gives_way() {
        let proxy = ProxySettings::default();
        let quick = ChannelTuning { first_byte_timeout: Some(seconds(2)), ..ChannelTuning::default() };
        let times = proxy.times_of(&quick);
        assert_eq!((times.connect, times.first_byte), (Duration::from_secs(2), Duration::from_secs(2)));
        assert_eq!(proxy.misfits(&quick), [], "nobody wrote the connect timeout that is too long");

        let short = ProxySettings { stream_timeout: Duration::from_secs(5), ..proxy };
        let slow = ChannelTuning { stream_gap_timeout: Some(seconds(50)), ..ChannelTuning::default() };
        assert_eq!(short.times_of(&slow).stream_gap, Duration::from_secs(5));
    }

    #[test]
    fn a_channels_own_time_that_does_not_fit_is_named_once_with_the_way_out() {
        let proxy = ProxySettings { total_timeout: Duration::from_secs(30), ..ProxySettings::default() };
        let tuning = ChannelTuning {
            connect_timeout: Some(seconds(90)),
            first_byte_timeout: Some(seconds(4_000)),
            stream_gap_timeout: Some(seconds(1_800)),
            ..ChannelTuning::default()
        };
        let found: Vec<_> =
            proxy.misfits(&tuning).into_iter().map(|it| (it.key, it.message, it.advice)).collect();
        let of = |key, message: &str, advice: &str| (key, message.to_owned(), advice.to_owned());
        assert_eq!(
            found,
            [
                of(
                    "connect_timeout",
                    "1m30s is longer than proxy.total_timeout, which is 30s",
                    "shorten it, or lengthen proxy.total_timeout"
                ),
                of(
                    "first_byte_timeout",
                    "1h6m40s is longer than proxy.stream_timeout, which is 30m",
                    "shorten it, or lengthen proxy.stream_timeout"
                ),
            ]
        );
    }
}
