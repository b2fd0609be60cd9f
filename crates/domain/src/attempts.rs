use std::iter::Chain;
use std::{option, slice, vec};

use crate::Attempt;

/// The tries of a call, in order. Nearly every call has one, which lies here itself and takes no memory of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempts {
    first: Option<Attempt>,
    /// Empty while there is no first one.
    more: Vec<Attempt>,
}

// === impl Attempts ===

impl Attempts {
    /// None yet.
    pub const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.first.is_some() as usize + self.more.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Adds one behind the others.
    pub fn push(&mut self, attempt: Attempt) {
        if self.first.is_none() {
            self.first = Some(attempt);
        } else {
            self.more.push(attempt);
        }
    }

    /// The one at this place, counted from 0.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut Attempt> {
        match place.checked_sub(1) {
            None => self.first.as_mut(),
            Some(place) => self.more.get_mut(place),
        }
    }

    /// The last one.
    pub fn last(&self) -> Option<&Attempt> {
        self.more.last().or(self.first.as_ref())
    }

    /// All of them, in order.
    pub fn iter(&self) -> Chain<option::Iter<'_, Attempt>, slice::Iter<'_, Attempt>> {
        self.first.iter().chain(&self.more)
    }
}

impl<'a> IntoIterator for &'a Attempts {
    type Item = &'a Attempt;
    type IntoIter = Chain<option::Iter<'a, Attempt>, slice::Iter<'a, Attempt>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Attempts {
    type Item = Attempt;
    type IntoIter = Chain<option::IntoIter<Attempt>, vec::IntoIter<Attempt>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}

impl Extend<Attempt> for Attempts {
    fn extend<T: IntoIterator<Item = Attempt>>(&mut self, attempts: T) {
        for attempt in attempts {
            self.push(attempt);
        }
    }
}

impl FromIterator<Attempt> for Attempts {
    fn from_iter<T: IntoIterator<Item = Attempt>>(attempts: T) -> Self {
        let mut all = Self::new();
        all.extend(attempts);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{AttemptOutcome, ChannelId};

    fn attempt(channel: i64) -> Attempt {
        Attempt {
            channel: ChannelId(channel),
            channel_name: "a".into(),
            reason: "home",
            status: None,
            first_byte: None,
            total: Duration::ZERO,
            outcome: AttemptOutcome::Ok,
            home: None,
            health: 1.0,
            hedge: false,
        }
    }

    #[test]
    fn attempts_are_in_the_order_in_which_they_came_however_many_there_are() {
        for count in 0..5_i64 {
            let mut attempts: Attempts = (0..count).map(attempt).collect();
            let expected: Vec<Attempt> = (0..count).map(attempt).collect();
            assert_eq!((attempts.len(), attempts.is_empty()), (expected.len(), expected.is_empty()));
            assert_eq!(attempts.last(), expected.last());
            for place in 0..6 {
                assert_eq!(attempts.get_mut(place).cloned(), expected.get(place).cloned());
            }
            assert_eq!(attempts.iter().cloned().collect::<Vec<_>>(), expected);
            assert_eq!(attempts.into_iter().collect::<Vec<_>>(), expected);
        }
    }
}
