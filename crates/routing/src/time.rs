/// A moment or a length of time in microseconds.
///
/// Moments count from an origin of the caller's choosing (process start, say) on a clock that does not go back.
/// One that stands still or goes back does no harm: a negative length counts as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Micros(pub u64);

// === impl Micros ===

impl Micros {
    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// So many seconds, rounded down to a microsecond; negative and NaN count as zero, too much as the maximum.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates and turns NaN into 0, which is what is promised"
    )]
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e6) as u64)
    }

    /// In seconds.
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 µs, which is 285 years")]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// In milliseconds, rounded up: nothing that lasts counts as zero.
    pub const fn millis_up(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// The length of time from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This moment, later by `length`.
    #[must_use]
    pub const fn after(self, length: Self) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}
