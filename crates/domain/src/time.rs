/// A moment: milliseconds since 1970-01-01T00:00:00Z, as told by whoever has a clock.
///
/// Wall-clock moments are for showing and storing. Durations are measured on monotonic clocks by the crates that
/// own one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct UnixMillis(pub i64);

// === impl UnixMillis ===

impl UnixMillis {
    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds from `earlier` to this moment; zero when the wall clock has gone backwards.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}
