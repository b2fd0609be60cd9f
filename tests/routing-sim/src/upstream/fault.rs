/// Something that goes wrong with a channel for a while.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// When it begins, in seconds.
    pub from: f64,
    /// When it ends, in seconds.
    pub until: f64,
    /// What goes wrong.
    pub harm: Harm,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Harm {
    /// Everything takes so many times as long.
    Slow(f64),
    /// The same, but it grows to this and falls again, both evenly.
    Drift(f64),
    /// Refuses at once.
    Down,
    /// Accepts and never answers.
    BlackHole,
    /// This share of answers fails instead of beginning.
    Errors(f64),
    /// Some requests take longer, the others do not.
    Grey {
        /// Which share.
        share: f64,
        /// How many times as long.
        times: f64,
    },
    /// So many of its slots are left, as a share.
    Shrunk(f64),
}

/// How a channel is doing at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// How many times as long as usual everything takes.
    pub slowness: f64,
    /// Whether it refuses.
    pub down: bool,
    /// Whether it accepts and never answers.
    pub silent: bool,
    /// The share of answers that fail.
    pub errors: f64,
    /// The share of requests that take longer than the others.
    pub slow_share: f64,
    /// How many times as long they take.
    pub slow_times: f64,
    /// How many it serves at a time.
    pub slots: u32,
}

// === impl Condition ===

impl Condition {
    /// What the faults make of a channel with so many slots that fails so often on a good day.
    pub(super) fn at(now: f64, slots: u32, errors: f64, faults: &[Fault]) -> Self {
        let well = Self {
            slowness: 1.0,
            down: false,
            silent: false,
            errors,
            slow_share: 0.0,
            slow_times: 1.0,
            slots,
        };
        let present = faults.iter().filter(|fault| (fault.from..fault.until).contains(&now));
        present.fold(well, |condition, fault| condition.harmed(now, fault))
    }

    fn harmed(mut self, now: f64, fault: &Fault) -> Self {
        match fault.harm {
            Harm::Slow(times) => self.slowness *= times,
            Harm::Drift(times) => {
                let way = (now - fault.from) / (fault.until - fault.from);
                let height = if way < 0.5 { 2.0 * way } else { 2.0 * (1.0 - way) };
                self.slowness *= 1.0 + (times - 1.0) * height;
            }
            Harm::Down => self.down = true,
            Harm::BlackHole => self.silent = true,
            Harm::Errors(share) => self.errors = self.errors.max(share),
            Harm::Grey { share, times } => (self.slow_share, self.slow_times) = (share, times),
            Harm::Shrunk(share) => self.slots = shrunk(self.slots, share),
        }
        self
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number of slots; the fraction shall go"
)]
fn shrunk(slots: u32, share: f64) -> u32 {
    ((f64::from(slots) * share) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Condition, Fault, Harm};

    #[test]
    fn faults_come_go_and_add_up() {
        let faults = [
            Fault { from: 10.0, until: 30.0, harm: Harm::Drift(5.0) },
            Fault { from: 20.0, until: 40.0, harm: Harm::Slow(2.0) },
            Fault { from: 20.0, until: 40.0, harm: Harm::Shrunk(0.25) },
        ];
        let at = |now| Condition::at(now, 10, 0.0, &faults);
        for (now, slowness) in [(5.0, 1.0), (10.0, 1.0), (15.0, 3.0), (20.0, 10.0), (35.0, 2.0), (40.0, 1.0)]
        {
            assert!((at(now).slowness - slowness).abs() < 1e-12, "at {now}: {}", at(now).slowness);
        }
        assert_eq!((at(15.0).slots, at(35.0).slots), (10, 2));
    }
}
