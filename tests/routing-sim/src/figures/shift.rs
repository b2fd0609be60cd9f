use super::Span;
use crate::sim::Picked;

/// Below this part of its usual share a channel has lost its traffic.
const LOST: f64 = 0.2;
/// Above this part it has its traffic back.
const REGAINED: f64 = 0.7;
/// The usual share is taken from so many seconds before the fault.
const BEFORE: f64 = 30.0;
/// Over how many seconds shares are taken while the channel sheds, and while it comes back.
const GLANCES: (f64, f64) = (2.0, 5.0);
/// How often they are taken, in seconds.
const STEP: f64 = 0.5;
/// So few attempts tell no share.
const FEWEST: usize = 3;

/// A fault by which shedding and coming back are timed.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// Whose fault, by number.
    pub channel: usize,
    /// When.
    pub fault: Span,
}

/// How fast traffic left a channel and came back.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    /// Seconds from the beginning of the fault; all of the fault, when traffic never left.
    pub shed: f64,
    /// Seconds from the end of the fault; all of the rest, when traffic never came back.
    pub back: f64,
}

/// First attempts in the order of their time: when, and whether on the watched channel.
struct Traffic(Vec<(f64, bool)>);

// === impl Shift ===

impl Shift {
    pub(super) fn of(picks: &[Picked], watch: Watch, end: f64) -> Self {
        let Span { from, until } = watch.fault;
        let first = picks.iter().filter(|pick| pick.first);
        let traffic = Traffic(first.map(|pick| (pick.at, pick.channel == watch.channel)).collect());
        let usual = traffic.share(from - BEFORE, BEFORE).unwrap_or(0.0).max(1e-6);
        let lost = |at| traffic.share(at, GLANCES.0).is_some_and(|share| share < LOST * usual);
        let regained = |at| traffic.share(at, GLANCES.1).is_some_and(|share| share > REGAINED * usual);
        let shed = steps(from, until - GLANCES.0).find(|at| lost(*at));
        let back = steps(until, end - GLANCES.1).find(|at| regained(*at));
        Self {
            shed: shed.unwrap_or(until) - from,
            back: back.map_or_else(|| (end - until).max(0.0), |at| at - until),
        }
    }
}

fn steps(from: f64, until: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(from), |at| Some(at + STEP)).take_while(move |at| *at < until)
}

// === impl Traffic ===

impl Traffic {
    fn share(&self, from: f64, seconds: f64) -> Option<f64> {
        let place = |moment: f64| self.0.partition_point(|(at, _)| *at < moment);
        let span = self.0.get(place(from)..place(from + seconds))?;
        let watched = span.iter().filter(|(_, watched)| *watched).count();
        (span.len() >= FEWEST).then(|| watched as f64 / span.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::{Shift, Watch};
    use crate::figures::Span;
    use crate::sim::Picked;

    #[test]
    fn a_channel_that_is_left_for_a_while_is_timed() {
        // Ten attempts per second, every second of them on channel 0, which has none from 103 to 130.
        let picks: Vec<_> = (0..2000_u32)
            .map(|number| (f64::from(number) / 10.0, number % 2 == 0))
            .map(|(at, even)| Picked {
                at,
                channel: usize::from(!even || (103.0..130.0).contains(&at)),
                first: true,
            })
            .collect();
        let watch = Watch { channel: 0, fault: Span { from: 100.0, until: 120.0 } };
        let shift = Shift::of(&picks, watch, 200.0);
        // At 128.5 the next five seconds hold more than 70 % of the usual share.
        assert_eq!((shift.shed, shift.back), (3.0, 8.5));
    }
}
