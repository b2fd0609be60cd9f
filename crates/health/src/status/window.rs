use gateway_domain::UnixMillis;

/// How many calls succeeded and failed lately.
///
/// Consecutive failures miss a channel that fails every other call. Half a minute in six parts forgets smoothly
/// enough, and twenty calls are needed so that one failure of two is not taken for a rate.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    parts: [Part; 6],
}

const PARTS: i64 = 6;
const PART_MILLIS: i64 = 5_000;
const MIN_CALLS: u64 = 20;
const MIN_SUCCESS_PERCENT: u64 = 70;

/// The calls of one stretch of [`PART_MILLIS`].
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Which stretch, counted from 1970.
    number: i64,
    ok: u32,
    failed: u32,
}

// === impl Window ===

impl Window {
    pub(super) fn add(&mut self, ok: bool, now: UnixMillis) {
        let number = now.0.div_euclid(PART_MILLIS);
        let place = usize::try_from(number.rem_euclid(PARTS)).unwrap_or(0);
        let Some(part) = self.parts.get_mut(place) else { return };
        if part.number != number {
            *part = Part { number, ok: 0, failed: 0 };
        }
        let count = if ok { &mut part.ok } else { &mut part.failed };
        *count = count.saturating_add(1);
    }

    /// Whether there were enough calls to judge, and too few of them succeeded.
    pub(super) fn is_bad(&self, now: UnixMillis) -> bool {
        let number = now.0.div_euclid(PART_MILLIS);
        let recent = self.parts.iter().filter(|part| (0..PARTS).contains(&(number - part.number)));
        let (ok, calls) = recent.fold((0, 0), |(ok, calls), part| {
            (ok + u64::from(part.ok), calls + u64::from(part.ok) + u64::from(part.failed))
        });
        calls >= MIN_CALLS && ok * 100 < calls * MIN_SUCCESS_PERCENT
    }
}
