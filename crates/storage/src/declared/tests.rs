use gateway_domain::{ChannelTuning, Hedge, NewMapping, NewModel, Secret};
use rusqlite::Connection;

use super::*;
use crate::fixture::{key, named, new_channel, new_user, store};
use crate::{ChannelPatch, MappingPatch, UserPatch};

fn model(name: &str, mappings: &[(&str, &str, u32)]) -> NewModel {
    let mappings = mappings
        .iter()
        .map(|(channel, backend, weight)| NewMapping {
            channel: (*channel).into(),
            backend_model: (*backend).into(),
            weight: *weight,
        })
        .collect();
    NewModel { name: name.into(), mappings, tuning: ModelTuning::default() }
}

/// Two channels (one lists a model), a model on both, a user with two keys.
fn declaration() -> Declaration {
    let mut listing = new_channel("listing");
    listing.models = vec!["listed".into(), "*".into()];
    Declaration {
        channels: vec![new_channel("plain"), listing],
        models: vec![model("gpt-4o", &[("plain", "gpt-4o-2026", 3), ("listing", "other", 4)])],
        users: vec![new_user("alice", &["sk-alice-one", "sk-alice-two"])],
    }
}

/// Everything that there is, by names.
fn shown(store: &Store) -> Vec<String> {
    let inventory = store.inventory().unwrap();
    let name_of = |id| {
        let channel = inventory.channels.iter().find(|channel| channel.id == id);
        channel.map(|channel| Arc::clone(&channel.name)).unwrap()
    };
    let mut lines = Vec::new();
    for channel in &inventory.channels {
        lines.push(format!("channel {} {:?}", channel.name, channel.managed_by));
    }
    for model in &inventory.models {
        lines.push(format!("model {} {:?}", model.name, model.managed_by));
        for mapping in &model.mappings {
            let channel = name_of(mapping.channel);
            lines.push(format!("  on {channel} as {} x {}", mapping.backend_model, mapping.weight));
        }
    }
    for user in &inventory.users {
        let keys = inventory.keys.iter().filter(|key| key.user == user.id).count();
        lines.push(format!("user {} {:?} with {keys} keys", user.name, user.managed_by));
    }
    lines.sort_unstable_by_key(|line| !line.starts_with("channel"));
    lines
}

#[test]
fn a_declaration_becomes_rows_that_the_file_manages() {
    let store = store();
    assert!(store.apply(&declaration()).unwrap());
    let models = store.models().unwrap();
    let mappings = |at: usize| {
        let mut found: Vec<_> = models[at]
            .value
            .mappings
            .iter()
            .map(|mapping| (mapping.channel.0, &*mapping.backend_model, mapping.weight))
            .collect();
        found.sort_unstable();
        found
    };
    assert_eq!(mappings(0), [(1, "gpt-4o-2026", 3), (2, "other", 4)]);
    assert_eq!(mappings(1), [(2, "listed", 10)]);
    let channels = store.channels().unwrap();
    assert!(channels.iter().all(|row| row.value.managed_by == ManagedBy::File));
    assert!(!channels[0].value.serves_any_model && channels[1].value.serves_any_model);
    assert_eq!(store.inventory().unwrap().keys.len(), 2);
}

#[test]
fn an_unchanged_declaration_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    assert!(!store.apply(&Declaration::default()).unwrap(), "nothing declared, nothing there");
    assert!(store.apply(&declaration()).unwrap());
    let before = store.inventory().unwrap();

    // The number counts every change that another connection commits to the file.
    let watcher = Connection::open(&path).unwrap();
    let version = || watcher.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).unwrap();
    let seen = version();
    assert!(!store.apply(&declaration()).unwrap());
    assert_eq!(version(), seen);
    // Not even a locked database stands in the way of what has nothing to write.
    watcher.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(!store.apply(&declaration()).unwrap());
    watcher.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.inventory().unwrap(), before);

    let mut changed = declaration();
    changed.channels[0].weight = 11;
    assert!(store.apply(&changed).unwrap());
    assert_ne!(version(), seen);
}

#[test]
fn a_change_keeps_the_numbers_and_touches_only_what_changed() {
    let store = store();
    store.apply(&declaration()).unwrap();
    let before = (store.channels().unwrap(), store.models().unwrap(), store.users().unwrap());
    let mut changed = declaration();
    changed.channels[0].api_key = Secret::new("sk-rotated".to_owned());
    changed.models[0].mappings[0].weight = 9;
    changed.users[0].enabled = false;
    assert!(store.apply(&changed).unwrap());

    let after = (store.channels().unwrap(), store.models().unwrap(), store.users().unwrap());
    assert_eq!(after.0[0].value.id, before.0[0].value.id);
    assert_eq!(after.0[0].value.api_key.expose(), "sk-rotated");
    assert_eq!((after.0[0].version, after.0[1].version), (2, 1));
    let ids = |models: &[crate::Stored<gateway_domain::Model>]| {
        let mut ids: Vec<_> = models[0].value.mappings.iter().map(|mapping| mapping.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&after.1), ids(&before.1));
    assert_eq!(after.2[0].value.id, before.2[0].value.id);
    assert!(!after.2[0].value.enabled);
}

#[test]
fn what_vanishes_from_the_declaration_is_removed_and_the_rest_stays() {
    let store = store();
    store.create_channel(&new_channel("of the api")).unwrap();
    store.create_model("of the api", &ModelTuning::default()).unwrap();
    store.create_user(&new_user("of the api", &["sk-api"])).unwrap();
    let before = shown(&store);
    store.apply(&declaration()).unwrap();

    let mut less = declaration();
    less.channels.remove(0);
    less.models[0].mappings.remove(0);
    less.users[0].keys.remove(0);
    assert!(store.apply(&less).unwrap());
    assert_eq!(
        shown(&store),
        [
            "channel of the api Api",
            "channel listing File",
            "model gpt-4o File",
            "  on listing as other x 4",
            "model listed File",
            "  on listing as listed x 10",
            "model of the api Api",
            "user of the api Api with 1 keys",
            "user alice File with 1 keys",
        ]
    );
    assert!(store.apply(&Declaration::default()).unwrap());
    assert_eq!(shown(&store), before);
}

#[test]
fn rows_of_the_api_are_taken_over_by_name() {
    let store = store();
    let channel = store.create_channel(&new_channel("plain")).unwrap().value.id;
    let spare = store.create_channel(&new_channel("spare")).unwrap().value.id;
    let model = store.create_model("gpt-4o", &ModelTuning::default()).unwrap().value.id;
    store.add_mapping(model, spare, "left over", 1).unwrap();
    let (user, keys) = store.create_user(&new_user("alice", &["sk-alice-one", "sk-of-the-api"])).unwrap();
    store.expire_key(keys[0].id, Some(gateway_domain::UnixMillis(1))).unwrap();
    assert!(store.apply(&declaration()).unwrap());

    let taken = store.channel(channel).unwrap().value;
    assert_eq!((taken.managed_by, taken.id), (ManagedBy::File, channel));
    let taken = store.model(model).unwrap().value;
    assert_eq!(taken.managed_by, ManagedBy::File);
    assert!(taken.mappings.iter().all(|mapping| mapping.channel != spare), "the declared set is the set");
    assert_eq!(store.user(user.value.id).unwrap().value.managed_by, ManagedBy::File);
    // The declared key is in force again; the one made by the API still is.
    let kept = store.keys(user.value.id).unwrap();
    assert_eq!(kept.iter().map(|key| key.expires_at).collect::<Vec<_>>(), [None, None, None]);
    assert_eq!((kept[0].id, kept[1].id), (keys[0].id, keys[1].id));
    assert!(!store.apply(&declaration()).unwrap(), "taken over once");
}

#[test]
fn a_model_that_a_channel_merely_lists_stays_the_apis() {
    let store = store();
    let spare = store.create_channel(&new_channel("spare")).unwrap().value.id;
    let listed = store.create_model("listed", &ModelTuning::default()).unwrap().value.id;
    store.add_mapping(listed, spare, "mine", 1).unwrap();
    store.apply(&declaration()).unwrap();
    let model = store.model(listed).unwrap().value;
    assert_eq!(model.managed_by, ManagedBy::Api);
    assert_eq!(model.mappings.len(), 2);
    let refused = store.delete_mapping(listed, store.channels().unwrap()[2].value.id, None);
    assert!(matches!(refused, Err(StorageError::ManagedByFile { what: "mapping", .. })), "{refused:?}");

    store.apply(&Declaration::default()).unwrap();
    let model = store.model(listed).unwrap().value;
    assert_eq!(model.mappings.iter().map(|mapping| &*mapping.backend_model).collect::<Vec<_>>(), ["mine"]);
}

#[test]
fn the_api_cannot_change_what_the_file_manages() {
    let store = store();
    store.apply(&declaration()).unwrap();
    let channel = store.channels().unwrap()[0].value.id;
    let model = store.models().unwrap()[0].value.id;
    let user = store.users().unwrap()[0].value.id;
    let key = store.keys(user).unwrap()[0].id;
    let spare = store.create_channel(&new_channel("spare")).unwrap().value.id;
    let mut joining = new_channel("joining");
    joining.models = vec!["gpt-4o".into()];

    let refusals = [
        store.update_channel(channel, &ChannelPatch::default(), None).map(drop),
        store.delete_channel(channel, None).map(drop),
        store.update_model(model, &named("other"), None).map(drop),
        store.delete_model(model, None).map(drop),
        store.add_mapping(model, spare, "x", 1).map(drop),
        store.update_mapping(model, channel, &MappingPatch::default(), None).map(drop),
        store.delete_mapping(model, channel, None),
        store.create_channel(&joining).map(drop),
        store.update_user(user, &UserPatch::default(), None).map(drop),
        store.delete_user(user, None).map(drop),
        store.expire_key(key, None).map(drop),
        store.revoke_key(key).map(drop),
    ];
    for (at, refused) in refusals.into_iter().enumerate() {
        assert!(matches!(refused, Err(StorageError::ManagedByFile { .. })), "{at}: {refused:?}");
    }
    assert!(!store.apply(&declaration()).unwrap(), "nothing has changed");
}

#[test]
fn a_key_moves_with_the_declaration_from_one_user_to_another() {
    let store = store();
    let declared = |alice: &[&str], bob: &[&str]| Declaration {
        users: vec![new_user("alice", alice), new_user("bob", bob)],
        ..Declaration::default()
    };
    store.apply(&declared(&["sk-1", "sk-2"], &[])).unwrap();
    store.apply(&declared(&["sk-2"], &["sk-1"])).unwrap();
    let users = store.users().unwrap();
    let count = |at: usize| store.keys(users[at].value.id).unwrap().len();
    assert_eq!((count(0), count(1)), (1, 1));
    // Also when its old holder vanishes at the same time.
    let only_bob = Declaration { users: vec![new_user("bob", &["sk-1", "sk-2"])], ..Declaration::default() };
    store.apply(&only_bob).unwrap();
    assert_eq!(store.inventory().unwrap().keys.len(), 2);
    assert_eq!(store.users().unwrap().len(), 1);
}

#[test]
fn a_declaration_that_contradicts_itself_changes_nothing() {
    let store = store();
    store.apply(&declaration()).unwrap();
    let before = shown(&store);
    let with = |change: fn(&mut Declaration)| {
        let mut declaration = declaration();
        declaration.channels[0].weight = 77;
        change(&mut declaration);
        store.apply(&declaration)
    };
    let conflict = |refused: Result<bool>| matches!(refused, Err(StorageError::Conflict { .. }));
    assert!(conflict(with(|d| d.channels.push(new_channel("plain")))));
    assert!(conflict(with(|d| d.models.push(model("gpt-4o", &[])))));
    assert!(conflict(with(|d| d.models[0] = model("gpt-4o", &[("plain", "a", 1), ("plain", "b", 1)]))));
    assert!(conflict(with(|d| d.users.push(new_user("alice", &[])))));
    assert!(conflict(with(|d| d.users.push(new_user("bob", &["sk-alice-one"])))));
    let unknown = with(|d| d.models.push(model("m", &[("nowhere", "m", 1)])));
    assert!(
        matches!(&unknown, Err(StorageError::UnknownChannel { channel, .. }) if channel == "nowhere"),
        "{unknown:?}"
    );
    assert_eq!(shown(&store), before);
    assert!(store.channels().unwrap().iter().all(|row| row.value.weight == 10));
}

#[test]
fn a_declared_model_may_use_a_channel_of_the_api() {
    let store = store();
    let spare = store.create_channel(&new_channel("spare")).unwrap().value.id;
    let declared = Declaration { models: vec![model("m", &[("spare", "m", 1)])], ..Declaration::default() };
    store.apply(&declared).unwrap();
    store.delete_channel(spare, None).unwrap();
    let refused = store.apply(&declared);
    assert!(matches!(refused, Err(StorageError::UnknownChannel { .. })), "{refused:?}");
}

#[test]
fn what_the_file_says_of_routing_is_taken_and_taken_back() {
    let store = store();
    store.apply(&declaration()).unwrap();
    let mut tuned = declaration();
    tuned.channels[0].tuning = ChannelTuning { tier: 1, ..ChannelTuning::default() };
    tuned.models[0].tuning = ModelTuning { hedge: Some(Hedge::default()), ..ModelTuning::default() };
    tuned.users[0].may_explain = true;
    assert!(store.apply(&tuned).unwrap());
    assert!(!store.apply(&tuned).unwrap());
    let found = store.inventory().unwrap();
    assert_eq!(found.channels[0].tuning, tuned.channels[0].tuning);
    assert_eq!(found.models[0].tuning, tuned.models[0].tuning);
    assert!(found.users[0].may_explain);

    // Of the model only the channel's list is left: it stays, without its tuning.
    tuned.models.clear();
    tuned.channels[0].models = vec!["gpt-4o".into()];
    assert!(store.apply(&tuned).unwrap());
    assert_eq!(store.inventory().unwrap().models[0].tuning, ModelTuning::default());
    assert!(!store.apply(&tuned).unwrap());
}

#[test]
fn a_listed_model_of_the_api_keeps_its_tuning() {
    let store = store();
    let tuning = ModelTuning { cut: Some(false), ..ModelTuning::default() };
    let id = store.create_model("listed", &tuning).unwrap().value.id;
    store.apply(&declaration()).unwrap();
    assert_eq!(store.model(id).unwrap().value.tuning, tuning);
    assert!(!store.apply(&declaration()).unwrap());
}
