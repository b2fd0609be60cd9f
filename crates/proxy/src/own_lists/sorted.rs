//! Lists that are in no order, or in another than was asked for: read to their ends, and put in order here.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use gateway_domain::ChannelId;
use gateway_objects::Record;

use super::merge::{Ask, Flaw, MAX_PAGES, Mark, Told};
use super::page::{Listing, Page};
use super::query::Order;

/// How much of objects is held, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The sorting of all that the channels list.
#[derive(Debug)]
pub(super) struct Sorting {
    order: Order,
    limit: usize,
    mark: Option<Mark>,
    feeds: Vec<Feed>,
    own: Vec<Own>,
    bytes: usize,
}

#[derive(Debug)]
struct Feed {
    channel: ChannelId,
    /// Whether there is a page that was not read, and behind which object it begins.
    goes_on: bool,
    after: Option<String>,
    size: usize,
    read: usize,
    seen: HashSet<String>,
}

#[derive(Debug)]
struct Own {
    id: String,
    text: Bytes,
    key: (i64, ChannelId),
}

// === impl Sorting ===

impl Sorting {
    /// The lists of these channels, of which `limit` objects behind the mark are wanted.
    pub(super) fn new(
        channels: &[ChannelId],
        mark: Option<Mark>,
        order: Order,
        limit: usize,
        most: usize,
    ) -> Self {
        let feed = |channel: &ChannelId| {
            let (channel, seen) = (*channel, HashSet::new());
            Feed { channel, goes_on: true, after: None, size: most, read: 0, seen }
        };
        let feeds = channels.iter().map(feed).collect();
        Self { order, limit, mark, feeds, own: Vec::new(), bytes: 0 }
    }

    /// What must be known of which of the lists; nothing once they have been read.
    pub(super) fn asks(&self) -> Vec<(usize, Ask)> {
        let open = self.feeds.iter().enumerate().filter(|(_, feed)| feed.goes_on);
        let ask = |feed: &Feed| Ask { after: feed.after.clone(), size: feed.size, is_guess: false };
        open.map(|(at, feed)| (at, ask(feed))).collect()
    }

    /// What was found out about one of the lists.
    pub(super) fn tell(&mut self, at: usize, told: Told) -> Result<(), Flaw> {
        let Some(feed) = self.feeds.get_mut(at) else { return Ok(()) };
        feed.read += 1;
        let disordered = Err(Flaw::Disordered(feed.channel));
        match told {
            Told::Page(page, own) => self.take(at, *page, &own),
            Told::TooLong if feed.size == 1 => return Err(Flaw::TooLong),
            Told::TooLong => feed.size = (feed.size / 4).max(1),
            Told::NoSuchPlace => return disordered,
        }
        let unread = self.feeds.iter().any(|feed| feed.goes_on && feed.read >= MAX_PAGES);
        if unread || self.bytes > MAX_BYTES { disordered } else { Ok(()) }
    }

    /// The page.
    pub(super) fn finish(mut self) -> Listing {
        let order = self.order;
        // Stable: what a channel made in one second stays as the channel has it.
        self.own.sort_by(|one, other| order.compare(one.key, other.key));
        let shown = self.mark.as_ref().map_or(0, |mark| {
            let met = self.own.iter().position(|own| *own.id == *mark.id);
            let key = (mark.made_at, mark.channel);
            let before = |own: &Own| order.compare(own.key, key) != Ordering::Greater;
            met.map_or_else(|| self.own.partition_point(before), |at| at + 1)
        });
        let mut rest = self.own.into_iter().skip(shown);
        let items = rest.by_ref().take(self.limit).map(|own| (own.id, own.text)).collect();
        Listing { items, has_more: rest.next().is_some() }
    }

    fn take(&mut self, at: usize, page: Page, own: &HashMap<Arc<str>, Record>) {
        let Some(feed) = self.feeds.get_mut(at) else { return };
        let mut last = None;
        for item in page.items {
            let Some(id) = item.id else { continue };
            // What was listed before is not gone on with, or the list would be read for ever.
            if !feed.seen.insert(id.clone()) {
                continue;
            }
            if let Some(record) = own.get(&*id) {
                let made_at = item.made_at.or(record.made_at);
                let made_at = made_at.unwrap_or_else(|| record.created_at.seconds());
                self.bytes += item.text.len();
                let key = (made_at, feed.channel);
                self.own.push(Own { id: id.clone(), text: item.text, key });
            }
            last = Some(id);
        }
        (feed.goes_on, feed.after) = (page.has_more && last.is_some(), last);
    }
}
