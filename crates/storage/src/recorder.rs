use std::cell::RefCell;
use std::sync::Arc;

use gateway_domain::{Exchange, SessionId};

use crate::exchanges::Written;
use crate::mailbox::Mailbox;
use crate::{ObjectRow, SessionRow};

thread_local! {
    /// Where a thread writes exchanges down, so that the queue is held for no longer than copying takes.
    static DESK: RefCell<Written> = RefCell::default();
}

/// Something besides exchanges that is kept and that nobody waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A session that is new or was used. Dropped silently when its user or channel is gone by then.
    SessionPut(SessionRow),
    /// A session that is no more.
    SessionRemove(SessionId),
    /// An object that was made. Dropped silently when its user or channel is gone by then, or when its id is another
    /// user's.
    ObjectPut(ObjectRow),
    /// An object that is no more.
    ObjectRemove(Arc<str>),
}

/// Takes records off the request path: never blocks, never fails, drops when the queue is full.
///
/// Cheap to clone. Outlives the store, and then drops everything.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Mailbox>);

// === impl Recorder ===

impl Recorder {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self(mailbox)
    }

    /// Queues a finished exchange, as it will stand in the database; `false` is dropped and counted.
    pub fn exchange(&self, exchange: &Exchange) -> bool {
        DESK.with_borrow_mut(|written| {
            written.write(exchange);
            self.0.exchange(written)
        })
    }

    /// Queues a record; `false` is dropped (the queue is full or the store closed), and counted.
    ///
    /// When the queue is full the newest records are the ones that are lost: what was promised first is kept.
    pub fn record(&self, record: Record) -> bool {
        self.0.record(record)
    }

    /// Records that were lost so far.
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    /// Records that wait to be written.
    pub fn queued(&self) -> usize {
        self.0.queued()
    }

    /// Records that were written so far.
    pub fn written(&self) -> u64 {
        self.0.written()
    }
}
