//! Chance that can be had again: the same seed draws the same numbers.

/// A small generator of numbers (`SplitMix64`). Whoever has its seed can draw everything anew.
#[derive(Clone, Debug)]
pub struct Chance(u64);

// === impl Chance ===

impl Chance {
    /// The numbers of one subject (a stream, a caller) of a campaign with this seed; those of another subject are
    /// others, whatever order they are drawn in.
    pub fn of(seed: u64, subject: usize) -> Self {
        let subject = u64::try_from(subject).unwrap_or(u64::MAX);
        let mut chance = Self(seed ^ subject.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        chance.draw();
        chance
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.draw() % end).unwrap_or(0)
    }

    /// A number of this range, both ends included.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last + 1 - first)
    }

    /// True this many times in a hundred.
    pub fn percent(&mut self, chances: usize) -> bool {
        self.below(100) < chances
    }

    /// One of several. Fails the test when there are none.
    pub fn one_of<T: Copy>(&mut self, several: &[T]) -> T {
        *several.get(self.below(several.len())).expect("there is something to choose from")
    }
}
