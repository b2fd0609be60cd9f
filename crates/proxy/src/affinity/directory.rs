//! Finds whose an object is and where: in memory, or else in what storage remembers.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gateway_config::{Isolation, ObjectSettings, UnknownIds};
use gateway_domain::{ChannelId, UserId};
use gateway_objects::{Objects, Record};
use tokio::time::timeout;

use super::call::Named;
use crate::error::ProxyError;

/// Asks storage for the records of ids that memory does not hold. Those that storage does not hold either, and all of
/// them when it fails, are missing in the answer.
pub type Recall = Arc<dyn Fn(Vec<Arc<str>>) -> Recalled + Send + Sync>;

/// The answer under way. It must not block the thread that waits for it.
pub type Recalled = Pin<Box<dyn Future<Output = Vec<Record>> + Send>>;

/// How long a call waits for storage. Whoever is not found by then counts as unknown.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of objects.
#[derive(Clone)]
pub(crate) struct Directory {
    pub objects: Arc<Objects>,
    pub recall: Recall,
}

/// What the objects of a call say of where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    /// It names no object that is known.
    None {
        /// It names one that is not known.
        unknown: bool,
    },
    /// All of them are at one channel, and belong to one user.
    To {
        /// The channel that has them.
        channel: ChannelId,
        /// Whose the first of them is; the caller, unless isolation is off.
        owner: UserId,
    },
}

// === impl Pull ===

impl Pull {
    pub(crate) const fn is_to(self) -> bool {
        matches!(self, Self::To { .. })
    }
}

// === impl Directory ===

impl Directory {
    /// Where a call of this user belongs that names these objects.
    ///
    /// Waits only for storage, only for ids that memory does not hold, and not for long.
    pub(crate) async fn place(
        &self,
        named: &Named<'_>,
        user: UserId,
        settings: ObjectSettings,
    ) -> Result<Pull, ProxyError> {
        if named.ids.is_empty() {
            return Ok(Pull::None { unknown: false });
        }
        let ids = named.ids.iter().chain(&named.parts).map(|id| &**id);
        let (known, mut missing) = self.find(ids).await;
        missing.retain(|id| !named.parts.iter().any(|part| **part == **id));
        judge(&known, &missing, user, settings)
    }

    /// Which of these objects are recorded as the user's.
    pub(crate) async fn owned_by(&self, user: UserId, ids: impl Iterator<Item = &str>) -> HashSet<Arc<str>> {
        let (known, _) = self.find(ids).await;
        known.into_iter().filter(|record| record.user == user).map(|record| record.id).collect()
    }

    /// The records of these ids, and the ids without one.
    async fn find(&self, ids: impl Iterator<Item = &str>) -> (Vec<Record>, Vec<Arc<str>>) {
        let mut known = Vec::new();
        let mut missing: Vec<Arc<str>> = Vec::new();
        for id in ids {
            match self.objects.of(id) {
                Some(record) => known.push(record),
                None => missing.push(Arc::from(id)),
            }
        }
        if !missing.is_empty() {
            let asked = (self.recall)(missing.clone());
            let recalled = timeout(PATIENCE, asked).await.unwrap_or_default();
            self.objects.restore(recalled.iter().cloned());
            let found: HashSet<&str> = recalled.iter().map(|record| &*record.id).collect();
            missing.retain(|id| !found.contains(&**id));
            known.extend(recalled);
        }
        (known, missing)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Directory")
    }
}

/// What follows from what is known. Whether an object is another user's or nobody's must not be told apart, so that is
/// looked at first.
fn judge(
    known: &[Record],
    unknown: &[Arc<str>],
    user: UserId,
    settings: ObjectSettings,
) -> Result<Pull, ProxyError> {
    if settings.isolation == Isolation::On
        && let Some(foreign) = known.iter().find(|record| record.user != user)
    {
        return Err(ProxyError::object_not_found(&foreign.id));
    }
    if settings.unknown_ids == UnknownIds::Refuse
        && let Some(id) = unknown.first()
    {
        return Err(ProxyError::object_not_found(id));
    }
    let Some(first) = known.first() else { return Ok(Pull::None { unknown: !unknown.is_empty() }) };
    if let Some(other) = known.iter().find(|record| record.channel != first.channel) {
        return Err(ProxyError::objects_apart(&first.id, &other.id));
    }
    Ok(Pull::To { channel: first.channel, owner: first.user })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use gateway_domain::UnixMillis;

    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    fn record(id: &str, user: UserId, channel: i64) -> Record {
        Record {
            id: id.into(),
            kind: "file".into(),
            channel: ChannelId(channel),
            user,
            created_at: UnixMillis(0),
        }
    }

    fn directory(held: &[Record], stored: &[Record]) -> Directory {
        let objects = Arc::new(Objects::new());
        objects.restore(held.iter().cloned());
        let stored = stored.to_vec();
        let recall: Recall = Arc::new(move |ids| {
            let found = stored.iter().filter(|record| ids.contains(&record.id)).cloned().collect();
            Box::pin(std::future::ready(found))
        });
        Directory { objects, recall }
    }

    async fn placed(directory: &Directory, ids: &[&str], settings: ObjectSettings) -> Result<Pull, String> {
        let ids = ids.iter().map(|id| Cow::Borrowed(*id)).collect();
        directory
            .place(&Named { ids, parts: Vec::new() }, ANN, settings)
            .await
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn objects_pull_their_call_to_their_channel_from_memory_and_from_storage() {
        let directory = directory(&[record("a", ANN, 7)], &[record("b", ANN, 7)]);
        let to_seven = Ok(Pull::To { channel: ChannelId(7), owner: ANN });
        let settings = ObjectSettings::default();
        assert_eq!(placed(&directory, &["a", "b"], settings).await, to_seven);
        assert_eq!(directory.objects.of("b"), Some(record("b", ANN, 7)), "what was recalled is held");
        assert_eq!(placed(&directory, &["a", "nowhere"], settings).await, to_seven);
        assert_eq!(placed(&directory, &["nowhere"], settings).await, Ok(Pull::None { unknown: true }));
        assert_eq!(placed(&directory, &[], settings).await, Ok(Pull::None { unknown: false }));
    }

    #[tokio::test]
    async fn another_users_object_looks_like_one_that_nobody_has() {
        let directory = directory(&[record("a", BOB, 7)], &[record("b", BOB, 7)]);
        let refuse = ObjectSettings { unknown_ids: UnknownIds::Refuse, ..ObjectSettings::default() };
        for id in ["a", "b"] {
            let foreign = placed(&directory, &[id], refuse).await.unwrap_err();
            let nobodys = placed(&directory, &["c"], refuse).await.unwrap_err();
            assert_eq!(foreign.replace(&format!("`{id}`"), "`c`"), nobodys);
            assert_eq!(placed(&directory, &[id], ObjectSettings::default()).await, Err(foreign));
        }
        let open = ObjectSettings { isolation: Isolation::Off, ..ObjectSettings::default() };
        let bobs = Ok(Pull::To { channel: ChannelId(7), owner: BOB });
        assert_eq!(placed(&directory, &["a"], open).await, bobs);
    }

    #[tokio::test]
    async fn objects_on_two_channels_are_refused_unless_one_is_somebody_elses() {
        let directory = directory(&[record("a", ANN, 7), record("b", ANN, 8), record("c", BOB, 8)], &[]);
        let settings = ObjectSettings::default();
        let apart = placed(&directory, &["a", "b"], settings).await.unwrap_err();
        assert!(apart.contains("different channels"), "{apart}");
        let foreign = placed(&directory, &["a", "c"], settings).await.unwrap_err();
        assert!(!foreign.contains("different channels"), "{foreign}");
    }

    #[tokio::test]
    async fn a_part_of_an_object_counts_only_when_it_is_known() {
        let directory = directory(&[record("conv", ANN, 7), record("theirs", BOB, 7)], &[]);
        let refuse = ObjectSettings { unknown_ids: UnknownIds::Refuse, ..ObjectSettings::default() };
        let place = async |part| {
            let named = Named { ids: vec![Cow::Borrowed("conv")], parts: vec![Cow::Borrowed(part)] };
            directory.place(&named, ANN, refuse).await
        };
        let pull = place("msg_1").await.unwrap();
        assert_eq!(pull, Pull::To { channel: ChannelId(7), owner: ANN });
        assert!(matches!(place("theirs").await, Err(ProxyError::ObjectNotFound { .. })));
    }

    #[tokio::test]
    async fn storage_that_does_not_answer_is_waited_for_for_a_second_and_then_knows_nothing() {
        let directory = Directory {
            objects: Arc::new(Objects::new()),
            recall: Arc::new(|_| Box::pin(std::future::pending())),
        };
        let began = tokio::time::Instant::now();
        let pull = placed(&directory, &["a"], ObjectSettings::default()).await;
        assert_eq!(pull, Ok(Pull::None { unknown: true }));
        assert!((PATIENCE..10 * PATIENCE).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
