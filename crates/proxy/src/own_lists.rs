//! Lists of objects, of which each user sees its own: of all channels, as one list.
//!
//! The index says at which channels the user has objects of the kind, and only those are asked. One that is alone is
//! asked as the client has asked, and where all that it lists is the user's, its answer passes unchanged. Otherwise a
//! page is put together: [`merge`] says what must be known for it, [`fetch`] finds it out.

mod fetch;
mod merge;
mod page;
mod query;
mod sorted;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use gateway_config::{Isolation, UnknownIds};
use gateway_domain::ChannelId;
use gateway_objects::Record;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};

use self::fetch::{Fetch, Fetched, concurrently};
use self::merge::{Ask, Feed, Flaw, Mark, Merge, Told};
use self::page::Page;
use self::query::{From, Order, Wanted, bad};
use self::sorted::Sorting;
use crate::affinity::{Directory, Neighbours};
use crate::attempt::{Answer, Content};
use crate::body::Body;
use crate::call::Call;
use crate::error::ProxyError;
use crate::gateway::Worker;
use crate::journal::{AttemptNumber, Entry};
use crate::openai::{Endpoint, ObjectKind};
use crate::plane::Plane;
use crate::search::Found;

pub(crate) use self::page::made_at;

/// How much a channel is asked for at a time at most; OpenAI gives more of files than of anything else.
const MOST: usize = 100;
const MOST_FILES: usize = 1_000;

/// How many objects are looked up that stand before the place in a channel's list where a page begins. Two are enough,
/// unless many were made in one second.
const NEAR: u32 = 50;

/// What a list comes to.
#[derive(Debug)]
pub(crate) enum Plan {
    /// The user has nothing to list.
    Empty(Response<Body>),
    /// Channels are to be asked.
    List(Box<OwnList>),
}

/// A list that is to be put together.
#[derive(Debug)]
pub(crate) struct OwnList {
    call: Call,
    kind: ObjectKind,
    /// Where the user has objects of the kind: one channel at least.
    channels: Vec<ChannelId>,
    wanted: Wanted,
    /// What is known of the object that the page begins behind, and whether it still exists.
    from: Option<(Record, bool)>,
}

/// An answer for the client, and which attempt brought it.
type Answered = (Answer, AttemptNumber);

/// What a channel that is alone has said.
enum Alone {
    /// What it lists is all the user's.
    Unchanged(Box<Answered>),
    /// Some of it is, of these records.
    Mixed(Box<Answered>, Box<Page>, HashMap<Arc<str>, Record>),
    /// More than is read whole.
    TooLong,
}

/// What the answer of a call lists, where each user sees its own.
pub(crate) fn lists(plane: &Plane, call: &Call) -> Option<ObjectKind> {
    let is_on = plane.snapshot.settings.objects.isolation == Isolation::On;
    call.endpoint.lists.filter(|_| is_on)
}

/// Who has to be asked for a list, as far as the index says.
pub(crate) async fn plan(
    directory: &Directory,
    plane: &Plane,
    kind: ObjectKind,
    call: Call,
) -> Result<Plan, ProxyError> {
    let mut channels = directory.objects.channels_of(call.user.id, kind.as_str());
    // What a disabled channel has cannot be used, so it is not listed either until the channel is enabled again.
    channels.retain(|id| plane.snapshot.channels.get(id).is_some_and(|channel| channel.enabled));
    let is_alone = channels.len() == 1;
    let wanted = match Wanted::read(call.query.as_deref(), kind) {
        Ok(wanted) => wanted,
        // A channel that is alone judges for itself.
        Err(_) if is_alone => Wanted::read(None, kind)?,
        Err(error) => return Err(error),
    };
    if channels.is_empty() {
        return Ok(Plan::Empty(nothing()));
    }
    if let (Some((param, why)), false) = (wanted.unmergeable, is_alone) {
        return Err(bad(param, &format!("your objects are on several channels, so that it {why}")));
    }
    let from = match &wanted.from {
        From::Beginning => None,
        From::After(id) | From::Before(id) => {
            let known = directory.whose(id, call.user.id).await?;
            let known = known.filter(|(record, _)| record.kind == kind.as_str());
            let refused = plane.snapshot.settings.objects.unknown_ids == UnknownIds::Refuse;
            if known.is_none() && (refused || !is_alone) {
                return Err(ProxyError::object_not_found(id));
            }
            known
        }
    };
    Ok(Plan::List(Box::new(OwnList { call, kind, channels, wanted, from })))
}

// === impl OwnList ===

impl OwnList {
    pub(crate) const fn endpoint(&self) -> &'static Endpoint {
        self.call.endpoint
    }

    /// Asks the channels, and puts together what they say.
    pub(crate) async fn search(&self, worker: &Worker, plane: &Plane, mut entry: Entry) -> Found {
        let Some(served) = plane.default().or(plane.everyone()) else {
            return Found { entry, outcome: Err(ProxyError::ModelMissing) };
        };
        entry.asks_for(&served.name);
        let fetch = Fetch { worker, plane, served, call: &self.call, kind: self.kind };
        let outcome = Box::pin(self.seek(&fetch, &mut entry)).await;
        Found { entry, outcome }
    }

    async fn seek(&self, fetch: &Fetch<'_>, entry: &mut Entry) -> Result<Answered, ProxyError> {
        let most = if self.kind == ObjectKind::File { MOST_FILES } else { MOST };
        let (order, limit) = (self.wanted.order, self.wanted.limit);
        let mut shape = None;
        let mut begun = None;
        if let [only] = self.channels[..] {
            match self.as_asked(fetch, only, entry).await? {
                Alone::Unchanged(answered) => return Ok(*answered),
                Alone::Mixed(answered, page, own) => {
                    begun = (!self.is_backwards()).then(|| Told::Page(page.clone(), own));
                    shape = Some((*answered, *page));
                }
                Alone::TooLong => {}
            }
        }
        let mark = self.mark(fetch, entry).await?;
        let feeds = self.feeds(fetch, mark.as_ref()).await;
        let mut merge = Merge::new(feeds, order, limit, most);
        let mut merged = begun.map_or(Ok(()), |begun| merge.tell(0, begun));
        while merged.is_ok() {
            let asks = merge.asks();
            if asks.is_empty() {
                break;
            }
            for (at, told) in self.find_out(asks, fetch, &mut shape, entry).await? {
                merged = merged.and_then(|()| merge.tell(at, told));
            }
        }
        let listing = match merged.and_then(|()| merge.finish()) {
            Err(Flaw::Disordered(_)) if self.channels.len() > 1 => {
                let mut sorting = Sorting::new(&self.channels, mark, order, limit, most);
                loop {
                    let asks = sorting.asks();
                    if asks.is_empty() {
                        break Ok(sorting.finish());
                    }
                    let mut sorted = Ok(());
                    for (at, told) in self.find_out(asks, fetch, &mut shape, entry).await? {
                        sorted = sorted.and_then(|()| sorting.tell(at, told));
                    }
                    if let Err(flaw) = sorted {
                        break Err(flaw);
                    }
                }
            }
            merged => merged,
        };
        let mut listing = listing.map_err(|flaw| flawed(flaw, fetch))?;
        if self.is_backwards() {
            listing.items.reverse();
        }
        let ((mut answer, number), page) = shape.ok_or(ProxyError::ListTooLong)?;
        if let Content::Whole { body, .. } = &mut answer.content {
            *body = page.listing(&listing);
        }
        Ok((answer, number))
    }

    /// Asks channels, all at once. `shape` becomes the first answer that is a page.
    async fn find_out(
        &self,
        asks: Vec<(usize, Ask)>,
        fetch: &Fetch<'_>,
        shape: &mut Option<(Answered, Page)>,
        entry: &mut Entry,
    ) -> Result<Vec<(usize, Told)>, ProxyError> {
        let asking = asks.into_iter().filter_map(|(at, ask)| {
            let (channel, branch) = (*self.channels.get(at)?, entry.branch());
            Some(async move { (at, channel, fetch.ask(channel, ask, &self.wanted, branch).await) })
        });
        let (mut found, mut failed) = (Vec::new(), None);
        for (at, channel, (branch, fetched)) in concurrently(asking).await {
            match fetched {
                Ok(Fetched { told, answered }) => {
                    entry.join(branch);
                    if let (None, Some(answered), Told::Page(page, _)) = (&shape, answered, &told) {
                        *shape = Some((answered, Page::clone(page)));
                    }
                    found.push((at, told));
                }
                Err(error) => failed = Some((channel, branch, error)),
            }
        }
        let Some((channel, branch, error)) = failed else { return Ok(found) };
        // Last, because whoever reads the record looks there for what went wrong.
        entry.join(branch);
        Err(self.incomplete(error, channel, fetch))
    }

    /// Asks the only channel just as the client has asked.
    async fn as_asked(
        &self,
        fetch: &Fetch<'_>,
        channel: ChannelId,
        entry: &mut Entry,
    ) -> Result<Alone, ProxyError> {
        let (branch, answered) = fetch.list(channel, self.call.query.clone(), entry.branch()).await;
        entry.join(branch);
        let answered = answered?;
        let Content::Whole { body, .. } = &answered.0.content else { return Ok(Alone::TooLong) };
        // What is no list has nothing in it that could be anybody's.
        let Some(page) = Page::read(body) else { return Ok(Alone::Unchanged(Box::new(answered))) };
        let own = fetch.own(channel, &page).await?;
        let is_own = |id: &String| own.contains_key(&**id);
        let all_own = page.items.iter().all(|item| item.id.as_ref().is_some_and(is_own));
        // An empty page with more behind it: clients would take it for the end.
        let says_something = !page.items.is_empty() || !page.has_more;
        Ok(if all_own && says_something {
            Alone::Unchanged(Box::new(answered))
        } else {
            Alone::Mixed(Box::new(answered), Box::new(page), own)
        })
    }

    /// The lists of the channels, each from where the page begins.
    async fn feeds(&self, fetch: &Fetch<'_>, mark: Option<&Mark>) -> Vec<Feed> {
        if let [only] = self.channels[..] {
            let id = match &self.wanted.from {
                From::Beginning => None,
                From::After(id) | From::Before(id) => Some(id.clone()),
            };
            return vec![Feed::alone(only, id)];
        }
        let Some(mark) = mark else {
            return self.channels.iter().map(|channel| Feed::whole(*channel)).collect();
        };
        let mut feeds = Vec::with_capacity(self.channels.len());
        for channel in self.channels.iter().copied() {
            let near = Neighbours {
                user: self.call.user.id,
                kind: self.kind.as_str(),
                channel,
                at: mark.made_at,
                later: self.wanted.order == Order::NewestFirst,
                limit: NEAR,
            };
            let near = fetch.worker.directory().neighbours(near).await;
            feeds.push(Feed::past(channel, mark.clone(), &near));
        }
        feeds
    }

    /// The place of the object that the page begins behind in all lists. Its channel is asked when it was made, if
    /// nobody has been told; if it does not say so either, it was when the gateway learned of it.
    async fn mark(&self, fetch: &Fetch<'_>, entry: &mut Entry) -> Result<Option<Mark>, ProxyError> {
        let Some((record, exists)) = self.from.as_ref().filter(|_| self.channels.len() > 1) else {
            return Ok(None);
        };
        let mut made_at = record.made_at;
        if made_at.is_none() && *exists && self.channels.contains(&record.channel) {
            let (branch, told) = fetch.look_at(record.channel, &record.id, entry.branch()).await;
            entry.join(branch);
            made_at = told.map_err(|error| self.incomplete(error, record.channel, fetch))?;
        }
        Ok(Some(Mark {
            id: Arc::clone(&record.id),
            made_at: made_at.unwrap_or_else(|| record.created_at.seconds()),
            channel: record.channel,
            learned: record.created_at,
            exists: *exists,
        }))
    }

    const fn is_backwards(&self) -> bool {
        matches!(self.wanted.from, From::Before(_))
    }

    /// A list without what one channel has would be a lie, so its failure is that of the list.
    fn incomplete(&self, error: ProxyError, channel: ChannelId, fetch: &Fetch<'_>) -> ProxyError {
        let is_the_clients = matches!(&error, ProxyError::Upstream(answer)
            if (400..500).contains(&answer.status) && answer.status != 429);
        let is_ours = matches!(error, ProxyError::Stopping | ProxyError::ObjectsUnknown);
        if is_the_clients || is_ours || self.channels.len() == 1 {
            return error;
        }
        ProxyError::ListIncomplete { channel: fetch.name_of(channel), error: Box::new(error) }
    }
}

fn flawed(flaw: Flaw, fetch: &Fetch<'_>) -> ProxyError {
    match flaw {
        Flaw::Disordered(channel) => ProxyError::ListDisordered { channel: fetch.name_of(channel) },
        Flaw::TooLong => ProxyError::ListTooLong,
    }
}

/// The list of somebody who has nothing.
fn nothing() -> Response<Body> {
    let body = r#"{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"#;
    let mut response = Response::new(Body::full(Bytes::from_static(body.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
