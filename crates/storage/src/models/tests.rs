use std::time::Duration;

use gateway_domain::{ChannelId, Hedge, HedgeAfter, MappingId, Policy, SessionId, UnixMillis};
use proptest::prelude::*;

use super::*;
use crate::fixture::{any_model_tuning, named, new_channel, new_user, store, wait_until_written};
use crate::{MappingPatch, Record, SessionRow};

#[test]
fn models_come_by_name_with_their_mappings() {
    let store = store();
    let channel = store.create_channel(&new_channel("openai")).unwrap().value.id;
    let b = store.create_model("b", &ModelTuning::default()).unwrap().value.id;
    let a = store.create_model("a", &ModelTuning::default()).unwrap();
    assert_eq!(a.value.created_at, a.created_at);
    let mapping = store.add_mapping(b, channel, "backend-b", 7).unwrap();
    assert_eq!(
        mapping.value,
        Mapping { id: MappingId(1), channel, backend_model: "backend-b".into(), weight: 7 }
    );
    let models = store.models().unwrap();
    assert_eq!(models.iter().map(|row| &*row.value.name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(models[1].value.mappings, std::slice::from_ref(&mapping.value));
    assert_eq!(store.mappings(b).unwrap(), [mapping]);
    assert_eq!(store.mappings(a.value.id).unwrap(), []);
    assert_eq!(store.model(b).unwrap(), models[1]);
}

#[test]
fn a_mapping_joins_two_that_exist_and_only_once() {
    let store = store();
    let channel = store.create_channel(&new_channel("openai")).unwrap().value.id;
    let model = store.create_model("m", &ModelTuning::default()).unwrap().value.id;
    let refused = store.add_mapping(ModelId(99), channel, "x", 1);
    assert!(matches!(refused, Err(StorageError::NotFound { what: "model" })), "{refused:?}");
    let refused = store.add_mapping(model, ChannelId(99), "x", 1);
    assert!(matches!(refused, Err(StorageError::NotFound { what: "channel" })), "{refused:?}");
    store.add_mapping(model, channel, "x", 1).unwrap();
    let refused = store.add_mapping(model, channel, "y", 1);
    assert!(matches!(refused, Err(StorageError::Conflict { what: "mapping", .. })), "{refused:?}");
    assert!(matches!(store.mappings(ModelId(99)), Err(StorageError::NotFound { what: "model" })));
}

#[test]
fn a_mapping_can_be_changed_and_taken_away() {
    let store = store();
    let channel = store.create_channel(&new_channel("openai")).unwrap().value.id;
    let model = store.create_model("m", &ModelTuning::default()).unwrap().value.id;
    let made = store.add_mapping(model, channel, "x", 1).unwrap();
    let heavier = MappingPatch { weight: Some(5), ..MappingPatch::default() };
    let changed = store.update_mapping(model, channel, &heavier, None).unwrap();
    assert_eq!((changed.value.id, changed.value.weight, changed.version), (made.value.id, 5, 2));
    assert_eq!(&*changed.value.backend_model, "x");
    let renamed = MappingPatch { backend_model: Some("y".into()), ..MappingPatch::default() };
    assert_eq!(&*store.update_mapping(model, channel, &renamed, None).unwrap().value.backend_model, "y");
    store.delete_mapping(model, channel, None).unwrap();
    let gone = |refused| matches!(refused, Err(StorageError::NotFound { what: "mapping" }));
    assert!(gone(store.delete_mapping(model, channel, None)));
    assert!(gone(store.update_mapping(model, channel, &heavier, None).map(drop)));
}

#[test]
fn model_names_are_unique() {
    let store = store();
    store.create_model("a", &ModelTuning::default()).unwrap();
    let b = store.create_model("b", &ModelTuning::default()).unwrap();
    let taken = |refused: Result<Stored<Model>>| matches!(refused, Err(StorageError::Conflict { what: "model", field: "name", value }) if value == "a");
    assert!(taken(store.create_model("a", &ModelTuning::default())));
    assert!(taken(store.update_model(b.value.id, &named("a"), None)));
    let same = store.update_model(b.value.id, &named("b"), None).unwrap();
    assert_eq!(same, b);
    let refused = store.update_model(b.value.id, &named("c"), Some(2));
    assert!(matches!(refused, Err(StorageError::VersionMismatch { found: 1 })), "{refused:?}");
    assert_eq!(store.update_model(b.value.id, &named("c"), Some(1)).unwrap().version, 2);
}

#[test]
fn renaming_or_deleting_a_model_ends_its_sessions() {
    let store = store();
    let channel = store.create_channel(&new_channel("openai")).unwrap().value.id;
    let user = store.create_user(&new_user("alice", &[])).unwrap().0.value.id;
    let (a, b) = (
        store.create_model("a", &ModelTuning::default()).unwrap().value.id,
        store.create_model("b", &ModelTuning::default()).unwrap().value.id,
    );
    store.add_mapping(a, channel, "a", 10).unwrap();
    let recorder = store.recorder();
    for (id, model) in [(1, "a"), (2, "b"), (3, "c")] {
        let (created_at, last_used_at) = (UnixMillis(1), UnixMillis(2));
        let id = SessionId(id);
        let row = SessionRow { id, user, model: model.into(), name: 0, channel, created_at, last_used_at };
        assert!(recorder.record(Record::SessionPut(row)));
    }
    wait_until_written(&recorder, 3);
    let left = || store.sessions().unwrap().into_iter().map(|row| row.id.0).collect::<Vec<_>>();
    store.update_model(b, &named("bb"), None).unwrap();
    assert_eq!(left(), [1, 3]);
    assert_eq!(store.delete_model(a, None).unwrap(), Removed { mappings: 1, sessions: 1, keys: 0 });
    assert_eq!(left(), [3]);
    assert!(matches!(store.delete_model(a, None), Err(StorageError::NotFound { what: "model" })));
}

#[test]
fn what_exists_only_because_a_channel_lists_it_is_not_in_the_way_of_who_asks_for_it() {
    let store = store();
    let mut listed = new_channel("c");
    listed.models = vec!["m".into()];
    let channel = store.create_channel(&listed).unwrap().value.id;
    let implied = store.models().unwrap().remove(0).value;

    let asked = store.create_model("m", &ModelTuning::default()).unwrap().value;
    let mapping = store.add_mapping(asked.id, channel, "backend", 7).unwrap().value;

    assert_eq!(asked.id, implied.id);
    assert_eq!((mapping.id, &*mapping.backend_model, mapping.weight), (implied.mappings[0].id, "backend", 7));
    assert!(matches!(store.create_model("m", &ModelTuning::default()), Err(StorageError::Conflict { .. })));
    assert!(matches!(store.add_mapping(asked.id, channel, "x", 1), Err(StorageError::Conflict { .. })));
}

#[test]
fn a_models_tuning_is_changed_field_by_field_and_ends_no_session() {
    let store = store();
    let user = store.create_user(&new_user("alice", &[])).unwrap().0.value.id;
    let channel = store.create_channel(&new_channel("openai")).unwrap().value.id;
    let hedge = Hedge { after: HedgeAfter::Fixed(Duration::from_millis(1500)), max_percent: 10 };
    let tuning = ModelTuning { hedge: Some(hedge), cut: Some(false), ..ModelTuning::default() };
    let made = store.create_model("m", &tuning).unwrap();
    assert_eq!(made.value.tuning, tuning);
    let recorder = store.recorder();
    let (created_at, last_used_at) = (UnixMillis(1), UnixMillis(2));
    let row =
        SessionRow { id: SessionId(1), user, model: "m".into(), name: 0, channel, created_at, last_used_at };
    assert!(recorder.record(Record::SessionPut(row)));
    wait_until_written(&recorder, 1);

    let patch =
        ModelTuningPatch { policy: Some(Some(Policy::Weighted)), cut: Some(None), ..Default::default() };
    let patch = ModelPatch { tuning: patch, ..ModelPatch::default() };
    let changed = store.update_model(made.value.id, &patch, Some(1)).unwrap();
    let expected =
        ModelTuning { policy: Some(Policy::Weighted), hedge: Some(hedge), ..ModelTuning::default() };
    assert_eq!((&changed.value.tuning, &*changed.value.name, changed.version), (&expected, "m", 2));
    assert_eq!(store.update_model(made.value.id, &patch, None).unwrap(), changed, "nothing changes");
    assert_eq!(store.sessions().unwrap().len(), 1);
}

#[test]
fn a_model_that_a_channel_lists_takes_the_tuning_of_who_asks_for_it() {
    let store = store();
    let mut listed = new_channel("c");
    listed.models = vec!["m".into()];
    store.create_channel(&listed).unwrap();
    let tuning = ModelTuning { sticky: Some(false), ..ModelTuning::default() };
    assert_eq!(store.create_model("m", &tuning).unwrap().value.tuning, tuning);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_tuning_comes_back_as_it_was_put_in(tunings in prop::collection::vec(any_model_tuning(), 1..6)) {
        let store = store();
        for (number, tuning) in tunings.iter().enumerate() {
            store.create_model(&number.to_string(), tuning).unwrap();
        }
        let found: Vec<_> = store.inventory().unwrap().models.into_iter().map(|model| model.tuning).collect();
        prop_assert_eq!(found, tunings);
    }
}
