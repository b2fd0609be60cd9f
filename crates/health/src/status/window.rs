use gateway_domain::UnixMillis;

/// How many calls succeeded and failed lately.
///
/// Consecutive failures miss a channel that fails every other call. Half a minute in six parts forgets smoothly
/// enough, and twenty calls are needed so that one failure of two is not taken for a rate.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    parts: [Part; PARTS],
}

const PARTS: usize = 6;
const PART_MILLIS: i64 = 5_000;
const MIN_CALLS: u32 = 20;
const MIN_SUCCESS_PERCENT: u32 = 70;

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
        let place = usize::try_from(number.rem_euclid(PARTS as i64)).unwrap_or(0);
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
        let recent = self.parts.iter().filter(|part| (0..PARTS as i64).contains(&(number - part.number)));
        let (ok, failed) =
            recent.fold((0_u32, 0_u32), |(ok, failed), part| (ok + part.ok, failed + part.failed));
        let calls = ok.saturating_add(failed);
        calls >= MIN_CALLS && u64::from(ok) * 100 < u64::from(calls) * u64::from(MIN_SUCCESS_PERCENT)
    }
}
