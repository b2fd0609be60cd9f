//! One list out of the lists of several channels, without any waiting: it says what it must know, and is told.
//!
//! Every channel lists by the moment at which things were made, and what was made in the same second in an order of its
//! own. So does the whole: by the second, then by channel, and within a channel as the channel has it. The place of an
//! object in all lists follows from its second and its channel; its own channel tells what of the same second stands
//! before it.
//!
//! Nothing is taken on trust: a list is read from an object on that is known to stand before the place only where the
//! next known one is met behind it, and from its beginning otherwise. A list that turns out to be in no order is read to
//! its end, and put in order here.

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
/// How often it is guessed from where a list may be read, before it is read from its beginning.
const GUESSES: usize = 3;
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
    /// From where else it may be read: behind what, and what has to be met there.
    guesses: VecDeque<(String, String)>,
    /// Whether the list must be in order: where it is not the only one.
    strict: bool,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub id: Arc<str>,
    pub made_at: i64,
    pub channel: ChannelId,
    /// When the gateway learned of it. Among what its own channel made in the same second this is all there is to go by
    /// once it is deleted.
    pub learned: UnixMillis,
    /// Whether it still exists.
    pub exists: bool,
}

/// Where a channel's next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    /// Behind this object, or at the beginning.
    Behind(Option<String>),
    /// Behind the first, if that still exists, and the second is met there.
    Guess(String, String),
    /// There is none.
    Over,
}

#[derive(Clone, Debug)]
struct Own {
    id: String,
    text: Bytes,
    made_at: i64,
}

/// A page of a channel's list that must be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub after: Option<String>,
    pub size: usize,
    /// It is no harm if there is no such page.
    pub is_guess: bool,
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
    /// The only list, that is read from this object on, or from its beginning.
    pub(super) fn alone(channel: ChannelId, id: Option<String>) -> Self {
        Self { strict: false, ..Self::at(channel, None, At::Behind(id)) }
    }

    /// A list that is read from its beginning.
    pub(super) fn whole(channel: ChannelId) -> Self {
        Self::at(channel, None, At::Behind(None))
    }

    /// A list that is read from this moment on. `near` are records that stand before it, the nearest first. They may be
    /// gone by now.
    pub(super) fn past(channel: ChannelId, mark: Mark, near: &[Record]) -> Self {
        let itself = (mark.exists && mark.channel == channel).then_some((&mark.id, Some(mark.made_at)));
        let known = itself.into_iter().chain(near.iter().map(|record| (&record.id, record.made_at)));
        // What was made in the same second may stand on either side, so one of each second.
        let mut known: Vec<(&Arc<str>, Option<i64>)> = known.collect();
        known.dedup_by_key(|(_, made_at)| *made_at);
        let pairs = known.iter().zip(known.iter().skip(1)).take(GUESSES);
        let text = |id: &Arc<str>| id.as_ref().to_owned();
        let guesses = pairs.map(|((met, _), (behind, _))| (text(behind), text(met))).collect();
        let mut feed = Self { guesses, ..Self::at(channel, Some(mark), At::Behind(None)) };
        feed.guess();
        feed
    }

    fn at(channel: ChannelId, mark: Option<Mark>, at: At) -> Self {
        Self {
            channel,
            mark,
            at,
            guesses: VecDeque::new(),
            strict: true,
            size: LEAST,
            most: LEAST,
            read: 0,
            own: VecDeque::new(),
            last: None,
        }
    }

    /// Goes on from the next guess, or else from the beginning.
    fn guess(&mut self) {
        let next = self.guesses.pop_front();
        self.at = next.map_or(At::Behind(None), |(behind, met)| At::Guess(behind, met));
    }

    /// Whether it has to be asked before anything can be said of what comes next.
    fn is_dry(&self) -> bool {
        self.own.is_empty() && self.at != At::Over
    }

    fn ask(&self) -> Option<Ask> {
        let (after, is_guess) = match &self.at {
            At::Behind(after) => (after.clone(), false),
            At::Guess(after, _) => (Some(after.clone()), true),
            At::Over => return None,
        };
        Some(Ask { after, size: self.size, is_guess })
    }

    fn take(&mut self, page: Page, own: &HashMap<Arc<str>, Record>, order: Order) -> Result<(), Flaw> {
        let behind = match &self.at {
            At::Behind(after) => after.clone(),
            At::Guess(_, met) if !page.items.iter().any(|item| item.id.as_ref() == Some(met)) => {
                self.guess();
                return Ok(());
            }
            At::Guess(..) | At::Over => None,
        };
        // Whoever lists what stands before its place heeds no cursor, and would be read for ever.
        if behind.is_some() && page.items.iter().any(|item| item.id == behind) {
            if self.strict {
                return Err(Flaw::Disordered(self.channel));
            }
            // There is nobody to join it with, and what has come is all that can be had.
            self.at = At::Over;
            return Ok(());
        }
        let next = page.items.iter().rev().find_map(|item| item.id.clone()).filter(|_| page.has_more);
        for item in page.items {
            if self.strict && !self.in_order(&item, order) {
                return Err(Flaw::Disordered(self.channel));
            }
            let Some(id) = item.id else { continue };
            let Some(record) = own.get(&*id) else { continue };
            if self.strict && item.made_at.is_none() {
                return Err(Flaw::Disordered(self.channel));
            }
            let made_at = item.made_at.unwrap_or_else(|| record.created_at.seconds());
            if self.passes(&id, made_at, record.created_at, order) {
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

    /// Whether something that is listed stands behind the mark.
    fn passes(&mut self, id: &str, made_at: i64, learned: UnixMillis, order: Order) -> bool {
        let Some(mark) = &self.mark else { return true };
        if mark.channel != self.channel {
            return order.compare((mark.made_at, mark.channel), (made_at, self.channel)) == Ordering::Less;
        }
        if mark.exists && *mark.id == *id {
            // From here on the list itself tells.
            self.mark = None;
            return false;
        }
        // Of the mark's own second, what stands before it has been shown; it is still to come as long as it exists.
        let mark_learned = if mark.exists { learned.0 } else { mark.learned.0 };
        order.compare((mark.made_at, mark_learned), (made_at, learned.0)) == Ordering::Less
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
        if self.cut || (self.is_full() && self.feeds.iter().any(|feed| !feed.own.is_empty())) {
            return Vec::new();
        }
        let dry = self.feeds.iter().enumerate().filter(|(_, feed)| feed.is_dry());
        dry.filter_map(|(at, feed)| Some((at, feed.ask()?))).collect()
    }

    /// What was found out about one of the lists.
    pub(super) fn tell(&mut self, at: usize, told: Told) -> Result<(), Flaw> {
        let order = self.order;
        let Some(feed) = self.feeds.get_mut(at) else { return Ok(()) };
        feed.read += 1;
        match told {
            Told::Page(page, own) => feed.take(*page, &own, order),
            Told::TooLong if feed.size == 1 => Err(Flaw::TooLong),
            Told::TooLong => {
                feed.most = (feed.size / 4).max(1);
                feed.size = feed.most;
                Ok(())
            }
            Told::NoSuchPlace => {
                feed.guess();
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
