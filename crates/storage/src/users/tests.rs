use gateway_domain::{KeyId, Secret, UnixMillis};

use super::*;
use crate::fixture::{new_user, store};
use crate::key_digest;

#[test]
fn a_user_is_read_as_it_was_made_and_its_keys_are_digests() {
    let store = store();
    let mut new = new_user("alice", &["sk-first-0123456789", "sk-second"]);
    new.enabled = false;
    new.allowed_models = Some(vec!["gpt-4o".into(), "odd \"name\"".into()]);
    new.may_explain = true;
    let (user, keys) = store.create_user(&new).unwrap();
    assert_eq!(user.value.allowed_models, new.allowed_models);
    assert!(!user.value.enabled && user.value.may_explain);
    assert_eq!(store.user(user.value.id).unwrap(), user);
    assert_eq!(keys[0].digest, key_digest("sk-first-0123456789"));
    assert_eq!((&*keys[0].prefix, &*keys[0].last_four), ("sk-fir", "6789"));
    assert_eq!((&*keys[1].prefix, &*keys[1].last_four), ("sk-", ""));
    assert_eq!(store.keys(user.value.id).unwrap(), keys);
    let inventory = store.inventory().unwrap();
    assert_eq!(inventory.users, [user.value]);
    assert_eq!(inventory.keys, keys);
}

#[test]
fn user_names_may_repeat_and_keys_may_not() {
    let store = store();
    store.create_user(&new_user("alice", &["sk-canary-0123456789"])).unwrap();
    store.create_user(&new_user("alice", &[])).unwrap();
    let refused = store.create_user(&new_user("bob", &["sk-new", "sk-canary-0123456789"]));
    let Err(error @ StorageError::Conflict { what: "key", field: "api_key", .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!(store.users().unwrap().len(), 2, "the refused user is not half there");
    assert_eq!(store.inventory().unwrap().keys.len(), 1);
    let id = store.users().unwrap()[1].value.id;
    let refused = store.add_key(id, &Secret::new("sk-canary-0123456789".to_owned()), None);
    assert!(matches!(refused, Err(StorageError::Conflict { .. })), "{refused:?}");
}

#[test]
fn a_patch_changes_what_it_names() {
    let store = store();
    let id = store.create_user(&new_user("alice", &[])).unwrap().0.value.id;
    let only = Some(vec![Arc::from("gpt-4o")]);
    let patch =
        UserPatch { enabled: Some(false), allowed_models: Some(only.clone()), ..UserPatch::default() };
    let changed = store.update_user(id, &patch, Some(1)).unwrap();
    assert_eq!((changed.value.enabled, &changed.value.allowed_models, changed.version), (false, &only, 2));
    let refused = store.update_user(id, &patch, Some(1));
    assert!(matches!(refused, Err(StorageError::VersionMismatch { found: 2 })), "{refused:?}");
    let curious = UserPatch { may_explain: Some(true), ..UserPatch::default() };
    assert!(!changed.value.may_explain);
    assert!(store.update_user(id, &curious, None).unwrap().value.may_explain);
    let all = UserPatch { allowed_models: Some(None), name: Some("al".into()), ..UserPatch::default() };
    let changed = store.update_user(id, &all, None).unwrap();
    assert_eq!((changed.value.allowed_models, &*changed.value.name), (None, "al"));
    let nobody = store.update_user(UserId(99), &all, None);
    assert!(matches!(nobody, Err(StorageError::NotFound { what: "user" })), "{nobody:?}");
}

#[test]
fn keys_are_added_expired_and_revoked() {
    let store = store();
    let id = store.create_user(&new_user("alice", &["sk-old-0123456789"])).unwrap().0.value.id;
    let end = UnixMillis(1_800_000_000_000);
    let new = store.add_key(id, &Secret::new("sk-new-0123456789".to_owned()), Some(end)).unwrap();
    assert_eq!(new.expires_at, Some(end));
    let old = store.keys(id).unwrap()[0].id;
    assert_eq!(store.expire_key(old, Some(end)).unwrap().expires_at, Some(end));
    assert_eq!(store.expire_key(new.id, None).unwrap().expires_at, None);
    assert_eq!(store.revoke_key(old).unwrap().id, old);
    assert_eq!(store.keys(id).unwrap().into_iter().map(|key| key.id).collect::<Vec<_>>(), [new.id]);
    let gone = |refused: Result<UserKey>| matches!(refused, Err(StorageError::NotFound { what: "key" }));
    assert!(gone(store.revoke_key(old)));
    assert!(gone(store.expire_key(KeyId(99), None)));
    let nobody = UserId(99);
    assert!(matches!(store.keys(nobody), Err(StorageError::NotFound { what: "user" })));
    let refused = store.add_key(nobody, &Secret::new("sk-x".to_owned()), None);
    assert!(matches!(refused, Err(StorageError::NotFound { what: "user" })), "{refused:?}");
}

#[test]
fn deleting_a_user_takes_its_keys_along() {
    let store = store();
    let id = store.create_user(&new_user("alice", &["sk-1", "sk-2"])).unwrap().0.value.id;
    store.create_user(&new_user("bob", &["sk-3"])).unwrap();
    assert_eq!(store.delete_user(id, None).unwrap(), Removed { mappings: 0, sessions: 0, keys: 2 });
    assert_eq!(store.inventory().unwrap().keys.len(), 1);
    assert!(matches!(store.delete_user(id, None), Err(StorageError::NotFound { what: "user" })));
    // The number of a deleted user is not given again, so nothing old can come to mean somebody else.
    let next = store.create_user(&new_user("carol", &["sk-1"])).unwrap().0.value.id;
    assert!(next.0 > id.0 + 1);
}
