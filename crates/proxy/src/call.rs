use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use gateway_domain::User;
use http::HeaderMap;

use crate::openai::{Endpoint, splice};
use crate::upstream::Outgoing;

/// A request that was let in: everything an attempt needs, read once.
#[derive(Debug)]
pub(crate) struct Call {
    /// Which endpoint.
    pub endpoint: &'static Endpoint,
    /// What stood after `?`.
    pub query: Option<String>,
    /// The headers that go up, without the channel's key.
    pub headers: HeaderMap,
    /// The body as the client sent it.
    pub body: Bytes,
    /// The model's name and where it stands in the body; `None` when the body names none.
    pub model: Option<(Arc<str>, Range<usize>)>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Who asks.
    pub user: Arc<User>,
}

// === impl Call ===

impl Call {
    /// The body for one channel: the client's bytes, with the model's value replaced where the channel calls it
    /// otherwise.
    pub(crate) fn body_for(&self, backend_model: Option<&str>) -> Outgoing {
        match (backend_model, &self.model) {
            (Some(backend), Some((name, span))) if **name != *backend => {
                let spliced = splice(&self.body, span.clone(), backend);
                Outgoing::new([spliced.head, spliced.model, spliced.tail])
            }
            _ => Outgoing::whole(self.body.clone()),
        }
    }
}
