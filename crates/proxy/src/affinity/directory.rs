//! Finds whose an object is and where: in memory, or else in what storage remembers.

use std::collections::{HashMap, HashSet};
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
use crate::openai::ObjectKind;

/// Asks storage for records that memory does not hold.
pub type Recall = Arc<dyn Fn(Question) -> Recalled + Send + Sync>;

/// The answer under way. It must not block the thread that waits for it. Records that storage does not hold are missing
/// in it.
pub type Recalled = Pin<Box<dyn Future<Output = Result<Vec<Record>, Silent>> + Send>>;

/// What storage is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The records of these ids.
    Ids(Vec<Arc<str>>),
    /// What was made right before or after a moment.
    Neighbours(Neighbours),
}

/// The objects of one user, kind and channel that were made next to a moment, the nearest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    /// Whose.
    pub user: UserId,
    /// Of which kind.
    pub kind: &'static str,
    /// Made where.
    pub channel: ChannelId,
    /// The moment, in seconds by the upstream's clock. What was made in this second itself is not among them.
    pub at: i64,
    /// Whether what was made later is wanted, and not what was made before.
    pub later: bool,
    /// At most this many.
    pub limit: u32,
}

/// Storage has not answered: nobody can say what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent;

/// How long a call waits for storage.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of objects.
#[derive(Clone)]
pub(crate) struct Directory {
    pub objects: Arc<Objects>,
    pub recall: Recall,
}

/// Ids, and what is known of them.
pub(super) struct Sought<'i> {
    pub(super) known: Vec<Record>,
    missing: Vec<&'i str>,
    /// Storage did not answer, so that those that are missing may be known all the same.
    silent: bool,
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
    /// Waits only for storage, only for ids that memory does not hold, and not for long. Storage that does not answer
    /// is no reason to let a call pass that might be about another user's object.
    pub(crate) async fn place(
        &self,
        named: &Named<'_>,
        user: UserId,
        settings: ObjectSettings,
    ) -> Result<Pull, ProxyError> {
        if named.is_empty() {
            return Ok(Pull::None { unknown: false });
        }
        let Sought { known, mut missing, silent } = self.find(named.all()).await;
        missing.retain(|id| !named.parts.iter().any(|part| **part == **id));
        let guesses = settings.isolation == Isolation::Off && settings.unknown_ids == UnknownIds::Pass;
        if silent && !missing.is_empty() && !guesses {
            return Err(ProxyError::ObjectsUnknown);
        }
        // A model that nobody is known to have trained is judged as any other model is.
        missing.retain(|id| named.model.as_deref() != Some(*id));
        judge(&known, &missing, user, settings)
    }

    /// The records of those of these objects that are the user's.
    pub(crate) async fn owned_by(
        &self,
        user: UserId,
        ids: impl Iterator<Item = &str>,
    ) -> Result<HashMap<Arc<str>, Record>, ProxyError> {
        let found = self.find(ids).await;
        if found.silent {
            return Err(ProxyError::ObjectsUnknown);
        }
        let own = found.known.into_iter().filter(|record| record.user == user);
        Ok(own.map(|record| (Arc::clone(&record.id), record)).collect())
    }

    /// The record of an object of the user's, and whether it still exists, as far as is known. Another user's is refused.
    pub(crate) async fn whose(&self, id: &str, user: UserId) -> Result<Option<(Record, bool)>, ProxyError> {
        let mut found = self.find(std::iter::once(id)).await;
        match found.known.pop() {
            Some(record) if record.user == user => Ok(Some((record, true))),
            Some(_) => Err(ProxyError::object_not_found(id)),
            None if found.silent => Err(ProxyError::ObjectsUnknown),
            None => {
                let departed = self.objects.departed(id).filter(|record| record.user == user);
                Ok(departed.map(|record| (record, false)))
            }
        }
    }

    /// What the user has made next to a moment. Storage that does not answer knows of nothing.
    pub(crate) async fn neighbours(&self, of: Neighbours) -> Vec<Record> {
        let asked = (self.recall)(Question::Neighbours(of));
        timeout(PATIENCE, asked).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// What is known of these ids.
    pub(super) async fn find<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Sought<'i> {
        let mut found = Sought { known: Vec::new(), missing: Vec::new(), silent: false };
        for id in ids {
            match self.objects.of(id) {
                Some(record) => found.known.push(record),
                None => found.missing.push(id),
            }
        }
        if found.missing.is_empty() {
            return found;
        }
        let ids = found.missing.iter().map(|id| Arc::from(*id)).collect();
        let Ok(Ok(recalled)) = timeout(PATIENCE, (self.recall)(Question::Ids(ids))).await else {
            found.silent = true;
            return found;
        };
        self.objects.restore(recalled.iter().cloned());
        let known: HashSet<&str> = recalled.iter().map(|record| &*record.id).collect();
        found.missing.retain(|id| !known.contains(id));
        found.known.extend(recalled);
        found
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
    unknown: &[&str],
    user: UserId,
    settings: ObjectSettings,
) -> Result<Pull, ProxyError> {
    if settings.isolation == Isolation::On
        && let Some(foreign) = known.iter().find(|record| record.user != user)
    {
        let is_model = foreign.kind == ObjectKind::FineTunedModel.as_str();
        let refuse = if is_model { ProxyError::model_not_found } else { ProxyError::object_not_found };
        return Err(refuse(&foreign.id));
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
            made_at: None,
        }
    }

    fn directory(held: &[Record], stored: &[Record]) -> Directory {
        let objects = Arc::new(Objects::new());
        objects.restore(held.iter().cloned());
        let stored = stored.to_vec();
        let recall: Recall = Arc::new(move |question| {
            let Question::Ids(ids) = question else { panic!("{question:?}") };
            let found = stored.iter().filter(|record| ids.contains(&record.id)).cloned().collect();
            Box::pin(std::future::ready(Ok(found)))
        });
        Directory { objects, recall }
    }

    async fn placed(directory: &Directory, ids: &[&str], settings: ObjectSettings) -> Result<Pull, String> {
        let ids = ids.iter().map(|id| Cow::Borrowed(*id)).collect();
        directory
            .place(&Named { ids, ..Named::default() }, ANN, settings)
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
            let (ids, parts) = (vec![Cow::Borrowed("conv")], vec![Cow::Borrowed(part)]);
            let named = Named { ids, parts, ..Named::default() };
            directory.place(&named, ANN, refuse).await
        };
        let pull = place("msg_1").await.unwrap();
        assert_eq!(pull, Pull::To { channel: ChannelId(7), owner: ANN });
        assert!(matches!(place("theirs").await, Err(ProxyError::ObjectNotFound { .. })));
    }

    #[tokio::test]
    async fn another_users_model_looks_like_one_that_nobody_has_trained() {
        let model = |user| Record { kind: "fine_tuned_model".into(), ..record("ft:m", user, 7) };
        let named = Named { model: Some(Cow::Borrowed("ft:m")), ..Named::default() };
        let refuse = ObjectSettings { unknown_ids: UnknownIds::Refuse, ..ObjectSettings::default() };
        let place = async |held: &[Record]| directory(held, &[]).place(&named, ANN, refuse).await;
        let pull = place(&[model(ANN)]).await.unwrap();
        assert_eq!(pull, Pull::To { channel: ChannelId(7), owner: ANN });
        assert!(matches!(place(&[model(BOB)]).await, Err(ProxyError::ModelNotFound { .. })));
        assert_eq!(place(&[]).await.unwrap(), Pull::None { unknown: false });
    }

    fn unanswered(recall: Recall) -> Directory {
        let objects = Arc::new(Objects::new());
        objects.restore([record("held", ANN, 7)]);
        Directory { objects, recall }
    }

    #[tokio::test]
    async fn where_storage_does_not_answer_nothing_is_guessed() {
        let directory = unanswered(Arc::new(|_| Box::pin(async { Err(Silent) })));
        let place = async |id, settings| placed(&directory, &["held", id], settings).await;
        let refused = place("a", ObjectSettings::default()).await.unwrap_err();
        assert!(refused.contains("again"), "{refused}");
        let to_seven = Ok(Pull::To { channel: ChannelId(7), owner: ANN });
        assert_eq!(place("held", ObjectSettings::default()).await, to_seven, "what memory holds is known");
        let open = ObjectSettings { isolation: Isolation::Off, ..ObjectSettings::default() };
        assert_eq!(place("a", open).await, to_seven);
        let own = directory.owned_by(ANN, ["held", "a"].into_iter()).await;
        assert!(matches!(own, Err(ProxyError::ObjectsUnknown)));
    }

    #[tokio::test]
    async fn storage_is_waited_for_for_a_second() {
        let directory = unanswered(Arc::new(|_| Box::pin(std::future::pending())));
        let began = tokio::time::Instant::now();
        placed(&directory, &["a"], ObjectSettings::default()).await.unwrap_err();
        assert!((PATIENCE..10 * PATIENCE).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn parts_that_storage_says_nothing_of_mean_nothing() {
        let objects = Arc::new(Objects::new());
        objects.restore([record("conv", ANN, 7)]);
        let directory = Directory { objects, recall: Arc::new(|_| Box::pin(async { Err(Silent) })) };
        let (ids, parts) = (vec![Cow::Borrowed("conv")], vec![Cow::Borrowed("msg_1")]);
        let named = Named { ids, parts, ..Named::default() };
        let pull = directory.place(&named, ANN, ObjectSettings::default()).await.unwrap();
        assert_eq!(pull, Pull::To { channel: ChannelId(7), owner: ANN });
    }
}
