use std::path::PathBuf;
use std::sync::Arc;

use gateway_domain::{Declaration, UnixMillis};
use tokio::sync::{mpsc, oneshot};

use crate::{Origins, Problem, Problems};

/// The handle by which anyone asks the one publisher for a new snapshot. The publisher itself stands in the root;
/// it owns the receiving end, so that snapshots are made by one task, one after the other.
#[derive(Clone, Debug)]
pub struct Publisher(mpsc::Sender<PublishRequest>);

/// One wish for a new snapshot.
#[derive(Debug)]
pub struct PublishRequest {
    /// Why.
    pub cause: Cause,
    /// Where the answer goes. Nobody may be listening any more.
    pub reply: oneshot::Sender<Result<Published, PublishError>>,
}

/// Why a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The gateway starts.
    Start,
    /// The configuration file changed.
    FileChanged,
    /// SIGHUP.
    Signal,
    /// `POST /api/config/reload`.
    Api,
    /// A channel, model, user or key was changed through the admin API.
    AdminWrite,
}

/// A snapshot that is live now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its version.
    pub version: u64,
    /// The changed keys that only a restart applies.
    pub restart_needed: Vec<&'static str>,
    /// What is not wrong but not right either.
    pub warnings: Vec<Problem>,
}

/// Why there is no new snapshot. The old one stays live.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PublishError {
    /// The configuration is wrong.
    #[error("the configuration has problems:\n{0}")]
    Problems(Problems),
    /// The database could not be read or written.
    #[error("the database failed: {0}")]
    Storage(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Closed,
}

/// How the last attempt to make a snapshot went, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadStatus {
    /// When.
    pub last_attempt: UnixMillis,
    /// Why.
    pub cause: Cause,
    /// Whether it succeeded.
    pub ok: bool,
    /// The version that is live now, whether the attempt succeeded or not.
    pub version: u64,
    /// What was wrong; empty when it succeeded.
    pub problems: Vec<Problem>,
    /// What is not wrong but not right either.
    pub warnings: Vec<Problem>,
    /// The keys that differ from what the gateway was started with and that only a restart applies.
    pub restart_needed: Vec<&'static str>,
    /// The file that is live; `None`: built-in defaults and environment only.
    pub file: Option<PathBuf>,
    /// Every key's live value and where it comes from.
    pub origins: Origins,
    /// What the live configuration declares.
    pub declared: Arc<Declaration>,
}

// === impl Publisher ===

impl Publisher {
    /// A publisher's two ends; at most `capacity` wishes wait at a time.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<PublishRequest>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self(sender), receiver)
    }

    /// Asks for a new snapshot and waits until it is live or refused.
    pub async fn publish(&self, cause: Cause) -> Result<Published, PublishError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(PublishRequest { cause, reply }).await.map_err(|_closed| PublishError::Closed)?;
        answer.await.map_err(|_dropped| PublishError::Closed)?
    }
}

// === impl Cause ===

impl Cause {
    /// The word for it in logs, metrics and the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::FileChanged => "file_changed",
            Self::Signal => "signal",
            Self::Api => "api",
            Self::AdminWrite => "admin_write",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_asks_gets_the_publishers_answer() {
        let (publisher, mut wishes) = Publisher::channel(1);
        let answer = async {
            let wish = wishes.recv().await.unwrap();
            let news = Published { version: 7, restart_needed: vec!["server.port"], warnings: vec![] };
            wish.reply.send(Ok(news)).unwrap();
            wish.cause
        };
        let (news, cause) = tokio::join!(publisher.publish(Cause::Api), answer);
        assert_eq!((news.unwrap().version, cause), (7, Cause::Api));
    }

    #[tokio::test]
    async fn a_publisher_that_is_gone_answers_closed() {
        let (publisher, mut wishes) = Publisher::channel(1);
        let dropped = async { drop(wishes.recv().await) };
        let (answer, ()) = tokio::join!(publisher.publish(Cause::Signal), dropped);
        assert!(matches!(answer, Err(PublishError::Closed)));
        drop(wishes);
        assert!(matches!(publisher.publish(Cause::Signal).await, Err(PublishError::Closed)));
    }
}
