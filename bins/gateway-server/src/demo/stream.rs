use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use serde_json::Value;
use tokio::runtime::Handle;

/// Server-sent events that come one after the other, with pauses. A reader that leaves ends them.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Before the first event.
    pub(super) first: Duration,
    /// Between two events.
    pub(super) gap: Duration,
}

/// How an event is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// `data:` lines and `[DONE]` at the end: chat.
    Data,
    /// With `event:` lines and no end mark: responses.
    Named,
}

/// A body that gives these events.
pub(super) fn events(events: Vec<Value>, framing: Framing, pace: Pace) -> Channel<Bytes> {
    let (sender, body) = Channel::new(4);
    drop(Handle::current().spawn(play(events, framing, pace, sender)));
    body
}

async fn play(events: Vec<Value>, framing: Framing, pace: Pace, mut sender: Sender<Bytes>) {
    tokio::time::sleep(pace.first).await;
    for event in events {
        if sender.send_data(framing.write(&event)).await.is_err() {
            return;
        }
        tokio::time::sleep(pace.gap).await;
    }
    if let Framing::Data = framing {
        // An error is a reader that has left.
        let _read = sender.send_data(Bytes::from_static(b"data: [DONE]\n\n")).await.is_ok();
    }
}

// === impl Framing ===

impl Framing {
    fn write(self, event: &Value) -> Bytes {
        match self {
            Self::Data => format!("data: {event}\n\n").into(),
            Self::Named => {
                let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
                format!("event: {name}\ndata: {event}\n\n").into()
            }
        }
    }
}
