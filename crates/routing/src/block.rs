//! How long an upstream rate limit keeps a channel out.
//!
//! A 429 is no failure: the channel is well, but asking it again is of no use until its limit has passed. `Retry-After`
//! says how long that is, or there is a guess that grows while refusals follow each other closely.
//!
//! What an upstream says is often the time until *one* more request fits, a few dozen milliseconds. When all the
//! channel's sessions return then, the second is refused again, and every refusal costs a request a detour; so no block
//! is shorter than half a second, which halves the detours. Nor is it lengthened beyond what the upstream says: a
//! channel that carries much of the traffic and comes and goes in long pulses floods its neighbours each time.
//!
//! **Refusals that go on** say that the channel's sessions ask for more than its limit grants. Blocks alone would send
//! them all away and call them all back, twice a second, and whoever was sent away has left its cache behind. So the
//! share of recent attempts that were refused lowers the channel's health (see `health.rs`), and it sheds as many
//! sessions for good, always the same ones, as it takes until hardly any are refused. A few refusals remain: they are
//! how one learns that the limit has not grown. Gain times lag stays far from where such a loop would swing, because a
//! refusal takes milliseconds and what it teaches half a minute to fade.

use crate::Micros;
use crate::fade::fade;

/// The first guess and the shortest block, in seconds.
const FIRST: f64 = 0.5;
/// By how much the guess grows with each refusal.
const GROWTH: f64 = 1.7;
/// The longest guess, in seconds.
const LONGEST_GUESS: f64 = 20.0;
/// A refusal more than this many lengths of the last block after it began is the first in a row.
const SOON: u64 = 2;
/// No rate limit is believed for longer: asking once in five minutes costs one refusal.
const LONGEST: Micros = Micros::from_millis(300_000);

/// How long refusals are remembered, in seconds.
const TAU_REFUSALS: f64 = 30.0;
/// How many attempts are remembered at most.
const CAP: f64 = 200.0;
/// How many a channel is born with that were let in: its first refusal says little.
const PRIOR_LET_IN: f64 = 4.0;
/// Headers of answers are believed for no longer: they tell when a budget will be full again, and long before that it
/// has room for some.
const LONGEST_ANNOUNCED: Micros = Micros::from_millis(120_000);

/// The rate limits of one channel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Block {
    in_a_row: i32,
    /// When the last one was learned of, and how long it was to last.
    at: Micros,
    length: Micros,
}

/// How long a channel is kept out that was not refused, but whose answer says that the next will be.
pub(crate) fn announced(wait: Micros) -> Micros {
    wait.clamp(Micros::from_seconds(FIRST), LONGEST_ANNOUNCED)
}

/// The fading counts of attempts that an upstream let in and of those that it refused for its rate limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refusals {
    let_in: f64,
    refused: f64,
    at: Micros,
}

// === impl Refusals ===

impl Refusals {
    /// A first token.
    pub(crate) fn let_in(&mut self, now: Micros) {
        self.make_room(now);
        self.let_in += 1.0;
    }

    /// A 429.
    pub(crate) fn refused(&mut self, now: Micros) {
        self.make_room(now);
        self.refused += 1.0;
    }

    /// The share of attempts that were refused of late, in [0, 1).
    pub(crate) fn share(&self, now: Micros) -> f64 {
        if self.refused <= 0.0 {
            return 0.0;
        }
        let fade = fade(self.at, now, TAU_REFUSALS);
        let refused = self.refused * fade;
        refused / (self.let_in * fade + refused + PRIOR_LET_IN)
    }

    fn make_room(&mut self, now: Micros) {
        let fade = fade(self.at, now, TAU_REFUSALS);
        let known = (self.let_in + self.refused) * fade;
        let keep = if known + 1.0 > CAP { fade * (CAP - 1.0) / known } else { fade };
        self.let_in *= keep;
        self.refused *= keep;
        self.at = self.at.max(now);
    }
}

// === impl Block ===

impl Block {
    /// A refusal of an attempt sent at `sent`. Returns until when the channel is kept out.
    ///
    /// Of attempts that were sent together, only the first refusal lengthens the guess.
    pub(crate) fn refused(&mut self, sent: Micros, retry_after: Option<Micros>, now: Micros) -> Micros {
        if self.in_a_row == 0 || sent >= self.at {
            let soon = now.since(self.at) <= Micros(self.length.0.saturating_mul(SOON));
            self.in_a_row = if soon { self.in_a_row.saturating_add(1) } else { 1 };
            self.at = now;
        }
        let guess = (FIRST * GROWTH.powi(self.in_a_row - 1)).min(LONGEST_GUESS);
        let told = retry_after.map(|told| told.clamp(Micros::from_seconds(FIRST), LONGEST));
        self.length = told.unwrap_or_else(|| Micros::from_seconds(guess));
        now.after(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Refusals};
    use crate::Micros;

    fn ms(millis: u64) -> Micros {
        Micros::from_millis(millis)
    }

    #[test]
    fn what_the_upstream_says_is_heeded_within_reason() {
        let until = |told| Block::default().refused(ms(0), Some(ms(told)), ms(10));
        assert_eq!(until(7_000), ms(7_010));
        assert_eq!(until(86_400_000), ms(300_010), "nobody is believed for a day");
        assert_eq!(until(20), ms(510), "room for one more is no room");
    }

    #[test]
    fn the_guess_grows_while_refusals_come_soon_after_each_other() {
        let mut block = Block::default();
        let mut now = ms(1_000);
        let mut lengths = Vec::new();
        for _ in 0..12 {
            let until = block.refused(now, None, now);
            lengths.push(until.since(now));
            now = until.after(ms(50));
        }
        assert!(lengths.is_sorted() && lengths[0] == ms(500), "{lengths:?}");
        assert_eq!(lengths[11], ms(20_000));
        assert_eq!(
            block.refused(now.after(ms(100_000)), None, now.after(ms(100_000))).since(now),
            ms(100_500)
        );
    }

    #[test]
    fn refusals_of_attempts_sent_together_count_once() {
        let mut block = Block::default();
        for _ in 0..50 {
            assert_eq!(block.refused(ms(1_000), None, ms(1_020)), ms(1_520));
        }
    }

    #[test]
    fn refusals_are_a_share_that_fades_and_one_says_little() {
        let mut seen = Refusals::default();
        seen.refused(ms(0));
        assert!(seen.share(ms(0)) <= 0.2);
        for i in 0..2000_u64 {
            if i % 10 == 0 { seen.refused(ms(10 * i)) } else { seen.let_in(ms(10 * i)) }
        }
        let share = seen.share(ms(20_000));
        assert!((share - 0.1).abs() < 0.01, "{share}");
        for i in 0..1000_u64 {
            seen.let_in(ms(20_000 + 10 * i));
        }
        assert!(seen.share(ms(30_000)) < 0.002);
        assert!(seen.share(ms(0)) < 0.002, "a clock that goes back");
    }
}
