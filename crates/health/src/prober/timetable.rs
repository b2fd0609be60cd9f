use std::time::Duration;

use tokio::time::Instant;

/// How soon a channel is probed of which nothing is known.
const SOON: Duration = Duration::from_secs(1);

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_hours(24);

/// When which channel is due: a grid of one interval's width that begins at `origin`, shifted for every channel by its
/// own share of the interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timetable {
    origin: Instant,
    interval: Duration,
}

/// A channel's place in the interval, as a fraction of 2³².
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase(u32);

// === impl Timetable ===

impl Timetable {
    pub(super) const fn new(origin: Instant) -> Self {
        Self { origin, interval: LONGEST }
    }

    /// The timetable with another interval. Clamped, so that no configuration can spin the prober or overflow a clock.
    pub(super) fn with_interval(self, interval: Duration) -> Self {
        Self { interval: interval.clamp(SHORTEST, LONGEST), ..self }
    }

    /// The first moment of the channel's grid after `now`.
    pub(super) fn next(&self, phase: Phase, now: Instant) -> Instant {
        let shift = phase.of(self.interval);
        let elapsed = now.duration_since(self.origin);
        let rounds = match elapsed.checked_sub(shift) {
            Some(running) => running.as_nanos() / self.interval.as_nanos() + 1,
            None => 0,
        };
        let whole = u64::try_from(self.interval.as_nanos() * rounds).unwrap_or(u64::MAX);
        self.origin + shift + Duration::from_nanos(whole)
    }

    /// The moment of a first probe that is asked for at `now`: spread too, but within a second.
    pub(super) fn soon(&self, phase: Phase, now: Instant) -> Instant {
        now + phase.of(self.interval.min(SOON))
    }
}

// === impl Phase ===

impl Phase {
    /// The place of a channel of this name: even names that differ in one digit lie apart.
    pub(super) fn of_name(name: &str) -> Self {
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        // FNV changes the low bits most, and the fraction is made of the high ones.
        let mixed = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        Self((mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35))
    }

    fn of(self, span: Duration) -> Duration {
        let nanos = u64::try_from((span.as_nanos() * u128::from(self.0)) >> 32);
        Duration::from_nanos(nanos.expect("part of a span of at most a day"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timetable(interval: Duration) -> (Instant, Timetable) {
        let origin = Instant::now();
        (origin, Timetable::new(origin).with_interval(interval))
    }

    #[test]
    fn probes_of_one_channel_are_one_interval_apart() {
        let (origin, table) = timetable(Duration::from_secs(30));
        let phase = Phase::of_name("openai");
        let first = table.next(phase, origin);
        let second = table.next(phase, first);
        assert!(first - origin <= Duration::from_secs(30));
        assert_eq!(second - first, Duration::from_secs(30));
        assert_eq!(table.next(phase, second - Duration::from_nanos(1)), second);
    }

    #[test]
    fn a_hundred_channels_fill_the_interval_evenly() {
        let (origin, table) = timetable(Duration::from_secs(100));
        let mut tenths = [0; 10];
        for number in 0..100 {
            let due = table.next(Phase::of_name(&format!("channel-{number}")), origin) - origin;
            tenths[usize::try_from(due.as_secs() / 10).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (3..=20).contains(count)), "{tenths:?}");
    }

    #[test]
    fn intervals_without_sense_neither_spin_nor_overflow() {
        let (origin, spinning) = timetable(Duration::from_nanos(1));
        let phase = Phase::of_name("x");
        let first = spinning.next(phase, origin);
        assert_eq!(spinning.next(phase, first) - first, SHORTEST);
        let (origin, endless) = timetable(Duration::MAX);
        assert!(endless.next(phase, origin) - origin <= LONGEST);
        assert!(endless.soon(phase, origin) - origin <= SOON);
    }
}
