use std::time::Duration;

use gateway_domain::{ChannelTuning, ModelTuning, SessionId};
use proptest::prelude::*;

use super::*;
use crate::fixture::{CHANNEL_KEY, any_channel_tuning, new_channel, new_user, store};
use crate::{Record, SessionRow};

#[test]
fn a_channel_is_read_as_it_was_made() {
    let store = store();
    let made = store.create_channel(&new_channel("openai")).unwrap();
    assert_eq!(made.version, 1);
    assert_eq!(made.created_at, made.updated_at);
    assert_eq!(made.value.api_key.expose(), CHANNEL_KEY);
    assert_eq!(store.channel(made.value.id).unwrap(), made);
    assert_eq!(store.channels().unwrap(), std::slice::from_ref(&made));
    assert_eq!(store.inventory().unwrap().channels, [made.value]);
}

#[test]
fn models_of_a_new_channel_are_found_or_made_and_mapped() {
    let store = store();
    let known = store.create_model("gpt-4o", &ModelTuning::default()).unwrap();
    let mut new = new_channel("openai");
    new.models = ["gpt-4o", "o3", "*", "o3"].map(Arc::from).to_vec();
    let channel = store.create_channel(&new).unwrap().value;
    assert!(channel.serves_any_model);
    let models = store.models().unwrap();
    let shown: Vec<_> = models
        .iter()
        .map(|row| {
            let mapping = &row.value.mappings[0];
            assert_eq!(row.value.mappings.len(), 1);
            (&*row.value.name, mapping.channel, &*mapping.backend_model, mapping.weight)
        })
        .collect();
    assert_eq!(shown, [("gpt-4o", channel.id, "gpt-4o", 10), ("o3", channel.id, "o3", 10)]);
    assert_eq!(models[0].value.id, known.value.id);
}

#[test]
fn a_patch_changes_what_it_names_and_counts_the_version() {
    let store = store();
    let made = store.create_channel(&new_channel("openai")).unwrap();
    let patch = ChannelPatch {
        weight: Some(0),
        api_key: Some(Secret::new("sk-new".to_owned())),
        max_concurrency: Some(Some(8)),
        probe: Some(ProbePlan::Chat { model: "tiny".to_owned() }),
        ..ChannelPatch::default()
    };
    let changed = store.update_channel(made.value.id, &patch, Some(1)).unwrap();
    assert_eq!(changed.version, 2);
    assert_eq!(changed.created_at, made.created_at);
    let expected = Channel {
        weight: 0,
        api_key: Secret::new("sk-new".to_owned()),
        max_concurrency: Some(8),
        probe: ProbePlan::Chat { model: "tiny".to_owned() },
        ..made.value
    };
    assert_eq!(changed.value, expected);
    assert_eq!(store.channel(expected.id).unwrap(), changed);

    let unlimited = ChannelPatch { max_concurrency: Some(None), ..ChannelPatch::default() };
    assert_eq!(store.update_channel(expected.id, &unlimited, None).unwrap().value.max_concurrency, None);
    let nothing = store.update_channel(expected.id, &ChannelPatch::default(), None).unwrap();
    assert_eq!(nothing.version, 3, "a patch that changes nothing makes no new version");
}

#[test]
fn a_patch_of_the_tuning_changes_one_field_and_can_take_it_away() {
    let store = store();
    let second = Duration::from_secs(1);
    let tuning = ChannelTuning { tier: 3, connect_timeout: Some(second), ..ChannelTuning::default() };
    let new = NewChannel { tuning: tuning.clone(), ..new_channel("openai") };
    let id = store.create_channel(&new).unwrap().value.id;
    let change = |tuning| {
        let patch = ChannelPatch { tuning, ..ChannelPatch::default() };
        store.update_channel(id, &patch, None).unwrap()
    };
    let limited = change(ChannelTuningPatch { requests_per_minute: Some(Some(60)), ..Default::default() });
    assert_eq!(limited.value.tuning, ChannelTuning { requests_per_minute: Some(60), ..tuning.clone() });
    assert_eq!(limited.version, 2);
    let gone = ChannelTuningPatch {
        requests_per_minute: Some(None),
        connect_timeout: Some(None),
        tier: Some(0),
        ..Default::default()
    };
    assert_eq!(change(gone).value.tuning, ChannelTuning::default());
}

#[test]
fn a_patch_on_an_older_version_is_refused() {
    let store = store();
    let id = store.create_channel(&new_channel("openai")).unwrap().value.id;
    let patch = |weight| ChannelPatch { weight: Some(weight), ..ChannelPatch::default() };
    store.update_channel(id, &patch(1), Some(1)).unwrap();
    let refused = store.update_channel(id, &patch(2), Some(1));
    assert!(matches!(refused, Err(StorageError::VersionMismatch { found: 2 })), "{refused:?}");
    assert_eq!(store.channel(id).unwrap().value.weight, 1);
}

#[test]
fn names_are_unique_and_a_refused_channel_leaves_nothing_behind() {
    let store = store();
    store.create_channel(&new_channel("one")).unwrap();
    let two = store.create_channel(&new_channel("two")).unwrap().value.id;
    let mut again = new_channel("one");
    again.models = vec!["left over".into()];
    let taken = |refused: &Result<Stored<Channel>>| matches!(refused, Err(StorageError::Conflict { what: "channel", field: "name", value }) if value == "one");
    assert!(taken(&store.create_channel(&again)));
    let rename = ChannelPatch { name: Some("one".into()), ..ChannelPatch::default() };
    assert!(taken(&store.update_channel(two, &rename, None)));
    assert_eq!(store.channels().unwrap().len(), 2);
    assert_eq!(store.models().unwrap(), []);
}

#[test]
fn deleting_a_channel_takes_its_mappings_and_sessions_along() {
    let store = store();
    let mut new = new_channel("one");
    new.models = vec!["a".into(), "b".into()];
    let one = store.create_channel(&new).unwrap().value.id;
    let two = store.create_channel(&NewChannel { name: "two".into(), ..new }).unwrap().value.id;
    let user = store.create_user(&new_user("alice", &[])).unwrap().0.value.id;
    let recorder = store.recorder();
    for (id, channel) in [(1, one), (2, one), (3, two)] {
        assert!(recorder.record(Record::SessionPut(SessionRow {
            id: SessionId(id),
            user,
            model: "a".into(),
            name: u64::MAX - id.cast_unsigned(),
            channel,
            created_at: gateway_domain::UnixMillis(1),
            last_used_at: gateway_domain::UnixMillis(2),
        })));
    }
    crate::fixture::wait_until_written(&recorder, 3);

    let removed = store.delete_channel(one, None).unwrap();
    assert_eq!(removed, Removed { mappings: 2, sessions: 2, keys: 0 });
    let left: Vec<_> = store.sessions().unwrap().into_iter().map(|row| row.id.0).collect();
    assert_eq!(left, [3]);
    assert!(store.models().unwrap().iter().all(|row| row.value.mappings.len() == 1));
    assert!(matches!(store.delete_channel(one, None), Err(StorageError::NotFound { what: "channel" })));
    assert!(matches!(store.channel(one), Err(StorageError::NotFound { what: "channel" })));
}

#[test]
fn what_looks_like_sql_is_text() {
    let store = store();
    for name in
        ["'; DROP TABLE channels; --", "\" OR 1=1", "%_%", "nul\0inside", "ключ 🔑", &"x".repeat(10_000)]
    {
        let made = store.create_channel(&new_channel(name)).unwrap();
        assert_eq!(&*store.channel(made.value.id).unwrap().value.name, name);
    }
}

fn any_probe() -> impl Strategy<Value = ProbePlan> {
    prop_oneof![
        Just(ProbePlan::Models),
        Just(ProbePlan::Off),
        any::<String>().prop_map(ProbePlan::Path),
        any::<String>().prop_map(|model| ProbePlan::Chat { model }),
        any::<String>().prop_map(|model| ProbePlan::ChatStream { model }),
        any::<String>().prop_map(|model| ProbePlan::Embeddings { model }),
        any::<String>().prop_map(|model| ProbePlan::Responses { model }),
    ]
}

prop_compose! {
    fn any_channel()(
        key in any::<String>(),
        host in "[a-z0-9.-]{1,20}",
        path in "(/[a-z0-9]{1,5}){0,3}",
        weight in any::<u32>(),
        enabled in any::<bool>(),
        max_concurrency in any::<Option<u32>>(),
        probe in any_probe(),
        tuning in any_channel_tuning(),
        any_model in any::<bool>(),
    ) -> NewChannel {
        NewChannel {
            name: "".into(),
            base_url: BaseUrl::parse(&format!("https://{host}{path}")).unwrap(),
            api_key: Secret::new(key),
            weight,
            enabled,
            max_concurrency,
            probe,
            tuning,
            models: if any_model { vec![ANY_MODEL.into()] } else { Vec::new() },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_channels_come_back_as_they_were_put_in(
        made in prop::collection::btree_map(any::<String>(), any_channel(), 1..12),
    ) {
        let store = store();
        let mut expected = Vec::new();
        for (name, new) in made {
            let new = NewChannel { name: name.into(), ..new };
            let id = store.create_channel(&new).unwrap().value.id;
            expected.push(from_new(id, &new, ManagedBy::Api));
        }
        prop_assert_eq!(store.inventory().unwrap().channels, expected);
    }
}
