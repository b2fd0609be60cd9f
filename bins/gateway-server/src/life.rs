use tokio::sync::watch;

/// How far the app is on its way from serving to gone. Only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    /// Everything runs.
    Serving,
    /// Not ready, but still accepting: load balancers take notice.
    NotReady,
    /// The data plane accepts no more; running calls end.
    Draining,
    /// The grace is over: running streams end with their error event.
    Cutting,
    /// The data plane is gone; the control side ends.
    Leaving,
    /// Whatever still runs is dropped.
    Over,
}

/// The one who says how far it is.
#[derive(Clone, Debug)]
pub(crate) struct LifeLine(watch::Sender<Life>);

/// One who listens.
#[derive(Clone, Debug)]
pub(crate) struct LifeWatch(watch::Receiver<Life>);

// === impl LifeLine ===

impl LifeLine {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Life::Serving))
    }

    /// Goes forward; never back.
    pub(crate) fn advance(&self, to: Life) {
        self.0.send_if_modified(|now| {
            let further = *now < to;
            *now = (*now).max(to);
            further
        });
    }

    pub(crate) fn watch(&self) -> LifeWatch {
        LifeWatch(self.0.subscribe())
    }
}

// === impl LifeWatch ===

impl LifeWatch {
    pub(crate) fn now(&self) -> Life {
        *self.0.borrow()
    }

    /// Whether it has gone on since this watch was made, or last waited; once it has, that stays so. For whoever is to be woken
    /// anyway when it goes on.
    pub(crate) fn has_moved(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }

    /// Waits until it is at least that far. An app that is dropped without a word is over.
    pub(crate) async fn reaches(&mut self, at_least: Life) {
        // An error means that the sender is gone: nobody will say more.
        let _far = self.0.wait_for(|life| *life >= at_least).await.is_ok();
    }
}
