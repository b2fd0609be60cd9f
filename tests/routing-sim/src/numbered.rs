use std::ops::{Index, IndexMut, Range};

/// Things that are known by their number: channels, requests, attempts.
///
/// The numbers come from here ([`push`](Self::push), [`numbers`](Self::numbers)), and nothing is ever taken out, so a
/// number always leads to its thing.
#[derive(Clone, Debug)]
pub struct Numbered<T>(Vec<T>);

// === impl Numbered ===

impl<T> Numbered<T> {
    /// `count` times the same.
    pub fn filled(value: T, count: usize) -> Self
    where
        T: Clone,
    {
        Self(vec![value; count])
    }

    /// Adds a thing and returns its number.
    pub fn push(&mut self, thing: T) -> usize {
        self.0.push(thing);
        self.0.len() - 1
    }

    /// Every number there is.
    pub fn numbers(&self) -> Range<usize> {
        0..self.0.len()
    }

    /// The things, in the order of their numbers.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Index<usize> for Numbered<T> {
    type Output = T;

    fn index(&self, number: usize) -> &T {
        self.0.get(number).expect("numbers come from the list itself")
    }
}

impl<T> IndexMut<usize> for Numbered<T> {
    fn index_mut(&mut self, number: usize) -> &mut T {
        self.0.get_mut(number).expect("numbers come from the list itself")
    }
}

impl<T> FromIterator<T> for Numbered<T> {
    fn from_iter<I: IntoIterator<Item = T>>(things: I) -> Self {
        Self(things.into_iter().collect())
    }
}

impl<'n, T> IntoIterator for &'n Numbered<T> {
    type Item = &'n T;
    type IntoIter = std::slice::Iter<'n, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'n, T> IntoIterator for &'n mut Numbered<T> {
    type Item = &'n mut T;
    type IntoIter = std::slice::IterMut<'n, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}
