use crate::layout::Seat;

/// How many runners a field holds…
const CAPACITY: usize = 64;
/// … and how many it keeps when there are more channels than that.
const SHORTLIST: usize = 12;

/// The channels of a tier that may be chosen, with their race values for one key.
///
/// Lives on the stack and is never sorted: a walk that comes here usually ends soon. Of more channels than it has room
/// for it keeps those that are first in the key's order, which are the ones a walk would come to.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    runners: [Option<(f64, &'a Seat)>; CAPACITY],
    len: usize,
    room: usize,
}

// === impl Field ===

impl<'a> Field<'a> {
    /// An empty field for a tier of so many channels.
    pub(crate) const fn for_tier(channels: usize) -> Self {
        let room = if channels <= CAPACITY { CAPACITY } else { SHORTLIST };
        Self { runners: [None; CAPACITY], len: 0, room }
    }

    pub(crate) fn push(&mut self, race: f64, seat: &'a Seat) {
        if self.len < self.room {
            if let Some(place) = self.runners.get_mut(self.len) {
                *place = Some((race, seat));
                self.len += 1;
            }
            return;
        }
        let last = self.runners.iter_mut().take(self.len).min_by(|a, b| pace(**a).total_cmp(&pace(**b)));
        if let Some(last) = last
            && pace(*last) < race
        {
            *last = Some((race, seat));
        }
    }

    /// Takes out the first of those that remain.
    pub(crate) fn take_first(&mut self) -> Option<(f64, &'a Seat)> {
        self.runners.iter_mut().take(self.len).max_by(|a, b| pace(**a).total_cmp(&pace(**b)))?.take()
    }
}

fn pace(runner: Option<(f64, &Seat)>) -> f64 {
    runner.map_or(f64::NEG_INFINITY, |(race, _)| race)
}
