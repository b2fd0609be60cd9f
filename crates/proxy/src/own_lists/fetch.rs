//! Asks one channel for what a list needs.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use gateway_domain::ChannelId;
use gateway_objects::Record;
use http::Method;

use super::Answered;
use super::merge::{Ask, Told};
use super::page::{Page, made_at};
use super::query::Wanted;
use crate::affinity::Pull;
use crate::attempt::Content;
use crate::call::Call;
use crate::error::ProxyError;
use crate::gateway::Worker;
use crate::journal::{Ending, Entry};
use crate::openai::{Lookup, ObjectKind, lookup, uri};
use crate::plane::{Plane, Served};
use crate::search::{Found, Search};

/// What is needed to ask.
#[derive(Clone, Copy)]
pub(super) struct Fetch<'a> {
    pub worker: &'a Worker,
    pub plane: &'a Plane,
    pub served: &'a Served,
    /// The call for the list.
    pub call: &'a Call,
    /// What it lists.
    pub kind: ObjectKind,
}

/// What was found out.
pub(super) struct Fetched {
    pub told: Told,
    /// The answer that told it.
    pub answered: Option<Answered>,
}

// === impl Fetch ===

impl Fetch<'_> {
    /// Finds a page out at a channel. The branch tells of the attempts.
    pub(super) async fn ask(
        &self,
        channel: ChannelId,
        ask: Ask,
        wanted: &Wanted,
        branch: Entry,
    ) -> (Entry, Result<Fetched, ProxyError>) {
        let query = wanted.page(ask.after.as_deref(), ask.size);
        let (branch, answered) = self.list(channel, Some(query), branch).await;
        let fetched = match answered {
            Err(error) if ask.is_guess && is_unknown(&error) => {
                Ok(Fetched { told: Told::NoSuchPlace, answered: None })
            }
            Err(error) => Err(error),
            Ok(answered) => self.read(channel, answered).await,
        };
        (branch, fetched)
    }

    /// A page of a channel's list.
    pub(super) async fn list(
        &self,
        channel: ChannelId,
        query: Option<String>,
        branch: Entry,
    ) -> (Entry, Result<Answered, ProxyError>) {
        let call =
            Call { query: query.map(|query| self.for_channel(query, channel)), ..self.call_to(channel) };
        self.run(&call, branch).await
    }

    /// When an object was made, if its channel says so.
    pub(super) async fn look_at(
        &self,
        channel: ChannelId,
        id: &str,
        branch: Entry,
    ) -> (Entry, Result<Option<i64>, ProxyError>) {
        let path = format!("{}/{}", self.call.endpoint.template, uri::encoded(id));
        let Lookup::Forward { endpoint, path } = lookup(&Method::GET, &path) else {
            return (branch, Err(ProxyError::object_not_found(id)));
        };
        let call = Call { endpoint, path, query: None, ..self.call_to(channel) };
        let (branch, answered) = self.run(&call, branch).await;
        let told = answered.map(|(answer, _)| match &answer.content {
            Content::Whole { body, .. } => made_at(body),
            Content::Coming(_) | Content::Socket(_) => None,
        });
        (branch, told)
    }

    /// The records of what a page lists and is the caller's. What the page says of it is learned.
    pub(super) async fn own(
        &self,
        channel: ChannelId,
        page: &Page,
    ) -> Result<HashMap<Arc<str>, Record>, ProxyError> {
        let directory = self.worker.directory();
        let ids = page.items.iter().filter_map(|item| item.id.as_deref());
        let mut own = directory.owned_by(self.call.user.id, ids).await?;
        own.retain(|_, record| record.channel == channel);
        for item in &page.items {
            if let Some(record) = item.id.as_deref().and_then(|id| own.get(id)) {
                directory.relearn(record, self.kind, item.made_at, &item.text);
            }
        }
        Ok(own)
    }

    /// What people call a channel.
    pub(super) fn name_of(&self, channel: ChannelId) -> String {
        let channel = self.plane.snapshot.channels.get(&channel);
        channel.map_or_else(String::new, |channel| channel.name.as_ref().to_owned())
    }

    async fn read(&self, channel: ChannelId, answered: Answered) -> Result<Fetched, ProxyError> {
        let Content::Whole { body, .. } = &answered.0.content else {
            return Ok(Fetched { told: Told::TooLong, answered: None });
        };
        let page = Page::read(body).ok_or(ProxyError::InvalidAnswer)?;
        let own = self.own(channel, &page).await?;
        Ok(Fetched { told: Told::Page(Box::new(page), own), answered: Some(answered) })
    }

    async fn run(&self, call: &Call, branch: Entry) -> (Entry, Result<Answered, ProxyError>) {
        let search = Search { worker: self.worker, plane: self.plane, served: self.served, call };
        let Found { mut entry, outcome } = search.run(branch).await;
        if let Ok((answer, number)) = &outcome {
            entry.end(*number, Ending::ok(answer.status.as_u16()));
        }
        (entry, outcome)
    }

    fn call_to(&self, channel: ChannelId) -> Call {
        let pull = Pull::To { channel, owner: self.call.user.id };
        Call { pull, ..self.call.clone() }
    }

    /// Stored completions can be listed by their model, which each channel calls in its own way.
    fn for_channel(&self, query: String, channel: ChannelId) -> String {
        let backend = || {
            let name = uri::decoded(query.get(uri::in_query(&query, "model")?)?)?;
            self.plane.model(&name)?.route(channel)?.backend_name().cloned()
        };
        match (uri::in_query(&query, "model"), backend()) {
            (Some(span), Some(backend)) => uri::with(&query, span, &uri::encoded(&backend)),
            _ => query,
        }
    }
}

/// Whether a channel says by this that it knows no such object.
fn is_unknown(error: &ProxyError) -> bool {
    matches!(error, ProxyError::Upstream(answer) if matches!(answer.status, 400 | 404 | 410))
}

/// Waits for all of these at once.
pub(super) async fn concurrently<F: Future + Send>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut all = true;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(done) => *output = Some(done),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}
