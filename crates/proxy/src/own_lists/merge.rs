//! One list out of the lists of several channels, without any waiting: it says what it must know, and is told.
//!
//! Every channel lists by the moment at which things were made, and what was made in the same second in an order of its
//! own. So does the whole: by the second, then by channel, and within a channel as the channel has it. The place of an
//! object in all lists follows from its second and its channel; its own channel finds it by its id.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use gateway_domain::{ChannelId, UnixMillis};
use gateway_objects::Record;

use super::page::{Item, Listing, Page};
use super::query::Order;

/// How many pages of one channel are read for one page of the whole.
pub(super) const MAX_PAGES: usize = 20;
/// The least that a channel is asked for at a time: to ask twice costs more than to list a little more.
const LEAST: usize = 20;
/// How much of objects is held for one page of the whole, in bytes; it is cut short there, and more follows.
const MAX_BYTES: usize = 16 << 20;

/// The merging of one page.
#[derive(Debug)]
pub(super) struct Merge {
    order: Order,
    limit: usize,
    feeds: Vec<Feed>,
    taken: Vec<(String, Bytes)>,
    bytes: usize,
    /// A channel was asked as often as it may be.
    cut: bool,
}

/// The list of one channel, as far as it was read.
#[derive(Debug)]
pub(super) struct Feed {
    channel: ChannelId,
    /// What stands at or before it was shown before.
    mark: Option<Mark>,
    at: At,
    /// Objects that stand before the mark, the nearest first. They may be gone by now.
    guesses: VecDeque<String>,
    /// How much to ask for at a time, and the most.
    size: usize,
    most: usize,
    /// How many pages were read.
    read: usize,
    own: VecDeque<Own>,
    /// The second of the last object that was listed.
    last: Option<i64>,
}

/// Where a page of the whole begins: behind this object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub made_at: i64,
    pub channel: ChannelId,
    /// When the gateway learned of it. Among what its own channel made in the same second this is all there is to go by
    /// once it is deleted.
    pub learned: UnixMillis,
}

/// Where a channel's next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    /// Behind this object, or at the beginning.
    Behind(Option<String>),
    /// Behind this one, if it still exists.
    Guess(String),
    /// Nothing was listed behind this one: does it still exist?
    Doubt(String),
    /// There is none.
    Over,
}

#[derive(Debug)]
struct Own {
    id: String,
    text: Bytes,
    made_at: i64,
}

/// What must be known of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A page of its list.
    Page { after: Option<String>, size: usize, is_guess: bool },
    /// Whether this object exists.
    Exists(String),
}

/// What was found out.
#[derive(Debug)]
pub(super) enum Told {
    /// A page, and which of its items are the caller's.
    Page(Box<Page>, HashMap<Arc<str>, Record>),
    /// A page that is longer than what is read whole.
    TooLong,
    /// There is no such page, because there is no object that it could stand behind.
    NoSuchPlace,
    /// Whether the object exists.
    Exists(bool),
}

/// Why lists cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A channel lists in another order than it was asked for, does not go on where it was asked to, or does not say
    /// when things were made.
    Disordered(ChannelId),
    /// Nothing that fits into memory can be read, or nothing of the caller's is found within bounds.
    TooLong,
}

// === impl Feed ===

impl Feed {
    /// A list that is read from this object on, or from its beginning.
    pub(super) fn behind(channel: ChannelId, id: Option<String>) -> Self {
        Self::at(channel, None, At::Behind(id), VecDeque::new())
    }

    /// A list that is read from this moment on. `guesses` stand before it, the nearest first.
    pub(super) fn past(channel: ChannelId, mark: Mark, guesses: impl IntoIterator<Item = String>) -> Self {
        let mut guesses: VecDeque<String> = guesses.into_iter().collect();
        let at = guesses.pop_front().map_or(At::Behind(None), At::Guess);
        Self::at(channel, Some(mark), at, guesses)
    }

    fn at(channel: ChannelId, mark: Option<Mark>, at: At, guesses: VecDeque<String>) -> Self {
        let own = VecDeque::new();
        Self { channel, mark, at, guesses, size: 1, most: 1, read: 0, own, last: None }
    }

    /// Whether it has to be asked before anything can be said of what comes next.
    fn is_dry(&self) -> bool {
        self.own.is_empty() && self.at != At::Over
    }

    fn ask(&self) -> Option<Ask> {
        let page = |after: &Option<String>, is_guess| {
            Some(Ask::Page { after: after.clone(), size: self.size, is_guess })
        };
        match &self.at {
            At::Behind(after) => page(after, false),
            At::Guess(id) => page(&Some(id.clone()), true),
            At::Doubt(id) => Some(Ask::Exists(id.clone())),
            At::Over => None,
        }
    }

    fn guess_again(&mut self) {
        self.at = self.guesses.pop_front().map_or(At::Behind(None), At::Guess);
    }

    /// Takes in a page. `strict`: its order matters.
    fn take(
        &mut self,
        page: Page,
        own: &HashMap<Arc<str>, Record>,
        order: Order,
        strict: bool,
    ) -> Result<(), Flaw> {
        let behind = match &self.at {
            At::Behind(after) => after.clone(),
            At::Guess(id) if page.items.is_empty() => {
                self.at = At::Doubt(id.clone());
                return Ok(());
            }
            At::Guess(id) => Some(id.clone()),
            At::Doubt(_) | At::Over => return Ok(()),
        };
        let next = page.items.iter().rev().find_map(|item| item.id.clone()).filter(|_| page.has_more);
        for item in page.items {
            // Whoever lists what stands before its place would be read for ever.
            let turns_back = behind.is_some() && item.id == behind;
            if turns_back || (strict && !self.in_order(&item, order)) {
                return Err(Flaw::Disordered(self.channel));
            }
            let Some(id) = item.id else { continue };
            let Some(record) = own.get(&*id) else { continue };
            if strict && item.made_at.is_none() {
                return Err(Flaw::Disordered(self.channel));
            }
            let made_at = item.made_at.unwrap_or_default();
            if self.mark.is_none_or(|mark| mark.is_before(made_at, self.channel, record.created_at, order)) {
                self.own.push_back(Own { id, text: item.text, made_at });
            }
        }
        self.at = next.map_or(At::Over, |next| At::Behind(Some(next)));
        self.size = self.most;
        Ok(())
    }

    fn in_order(&mut self, item: &Item, order: Order) -> bool {
        let Some(made_at) = item.made_at else { return true };
        let last = self.last.replace(made_at);
        last.is_none_or(|last| order.compare(last, made_at) != Ordering::Greater)
    }
}

// === impl Mark ===

impl Mark {
    /// Whether it stands before something that a channel lists.
    fn is_before(self, made_at: i64, channel: ChannelId, learned: UnixMillis, order: Order) -> bool {
        let mark = (self.made_at, self.channel, self.learned.0);
        order.compare(mark, (made_at, channel, learned.0)) == Ordering::Less
    }
}

// === impl Order ===

impl Order {
    fn compare<T: Ord + Copy>(self, one: T, other: T) -> Ordering {
        match self {
            Self::OldestFirst => one.cmp(&other),
            Self::NewestFirst => other.cmp(&one),
        }
    }
}

// === impl Merge ===

impl Merge {
    /// A merging of these lists, to `limit` objects. `most` is what a channel may be asked for at a time.
    pub(super) fn new(mut feeds: Vec<Feed>, order: Order, limit: usize, most: usize) -> Self {
        for feed in &mut feeds {
            (feed.size, feed.most) = ((limit + 1).clamp(LEAST, most), most);
        }
        Self { order, limit, feeds, taken: Vec::new(), bytes: 0, cut: false }
    }

    /// What must be known of which of the lists, by their number, before the page is whole; nothing once it is.
    pub(super) fn asks(&mut self) -> Vec<(usize, Ask)> {
        self.draw();
        let is_full = self.is_full();
        if self.cut || (is_full && self.feeds.iter().any(|feed| !feed.own.is_empty())) {
            return Vec::new();
        }
        let dry = self.feeds.iter().enumerate().filter(|(_, feed)| feed.is_dry());
        dry.filter_map(|(at, feed)| Some((at, feed.ask()?))).collect()
    }

    /// What was found out about one of the lists.
    pub(super) fn tell(&mut self, at: usize, told: Told) -> Result<(), Flaw> {
        let (order, strict) = (self.order, self.feeds.len() > 1);
        let Some(feed) = self.feeds.get_mut(at) else { return Ok(()) };
        match told {
            Told::Page(page, own) => {
                feed.read += 1;
                feed.take(*page, &own, order, strict)
            }
            Told::TooLong if feed.size == 1 => Err(Flaw::TooLong),
            Told::TooLong => {
                feed.read += 1;
                feed.most = (feed.size / 4).max(1);
                feed.size = feed.most;
                Ok(())
            }
            Told::Exists(true) => {
                feed.at = At::Over;
                Ok(())
            }
            Told::Exists(false) | Told::NoSuchPlace => {
                feed.guess_again();
                Ok(())
            }
        }
    }

    /// The page.
    pub(super) fn finish(self) -> Result<Listing, Flaw> {
        if self.taken.is_empty() && self.cut {
            return Err(Flaw::TooLong);
        }
        let has_more = self.feeds.iter().any(|feed| !feed.own.is_empty() || feed.is_dry());
        Ok(Listing { items: self.taken, has_more })
    }

    fn is_full(&self) -> bool {
        self.taken.len() >= self.limit || self.bytes >= MAX_BYTES
    }

    /// Takes what comes next, as long as that is known.
    fn draw(&mut self) {
        let order = self.order;
        loop {
            self.cut |= self.feeds.iter().any(|feed| feed.is_dry() && feed.read >= MAX_PAGES);
            if self.is_full() || self.feeds.iter().any(Feed::is_dry) {
                return;
            }
            let key = |feed: &Feed| feed.own.front().map(|own| (own.made_at, feed.channel));
            let waiting = self.feeds.iter_mut().filter(|feed| !feed.own.is_empty());
            let next = waiting.min_by(|one, other| order.compare(key(one), key(other)));
            let Some(own) = next.and_then(|feed| feed.own.pop_front()) else { return };
            self.bytes += own.text.len();
            self.taken.push((own.id, own.text));
        }
    }
}

#[cfg(test)]
mod tests;
