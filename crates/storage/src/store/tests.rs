//! The file as a whole: opening, refusing, closing, surviving.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use gateway_domain::{BaseUrl, ModelTuning, NewChannel, NewUser, Secret};
use rusqlite::Connection;

use super::*;
use crate::fixture::{key, new_channel};

/// Tells the child of the kill test where its database is.
const CHILD: &str = "GATEWAY_STORAGE_KILL_TEST";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_database_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/deep/gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    store.create_channel(&new_channel("openai")).unwrap();
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&folder.path().join("data")), 0o700);
    assert_eq!(mode(&folder.path().join("data/deep")), 0o700);
}

#[test]
fn a_database_that_others_could_read_is_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    Store::open(&path, &key()).unwrap().close().unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(&path, &key()).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    let made = store.create_channel(&new_channel("openai")).unwrap();
    store.set_setting("admin_token", "digest").unwrap();
    let before = store.inventory().unwrap();
    store.close().unwrap();

    let store = Store::open(&path, &key()).unwrap();
    assert_eq!(store.inventory().unwrap(), before);
    assert_eq!(store.channel(made.value.id).unwrap(), made);
    assert_eq!(store.setting("admin_token").unwrap().as_deref(), Some("digest"));
    assert_eq!(store.setting("something_else").unwrap(), None);
}

#[test]
fn close_leaves_one_file_and_refuses_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    store.create_channel(&new_channel("openai")).unwrap();
    store.health().unwrap();
    store.close().unwrap();
    store.close().unwrap();
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["gateway.db"]);
    assert!(matches!(store.channels(), Err(StorageError::Closed)));
    assert!(matches!(store.create_model("m", &ModelTuning::default()), Err(StorageError::Closed)));
    assert!(matches!(store.health(), Err(StorageError::Closed)));
}

#[test]
fn another_master_key_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    store.create_channel(&new_channel("openai")).unwrap();
    store.close().unwrap();
    let before = fs::read(&path).unwrap();

    let other = MasterKey::from_text("quite another passphrase").unwrap();
    let refused = Store::open(&path, &other).map(drop);
    assert!(matches!(refused, Err(StorageError::WrongMasterKey { .. })), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(Store::open(&path, &key()).unwrap().channels().unwrap().len(), 1);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    for content in [&b"not a database at all, but long enough to look like one"[..], b"x", b"SQLite format 3"]
    {
        fs::write(&path, content).unwrap();
        let refused = Store::open(&path, &key()).map(drop);
        let Err(StorageError::Corrupt { detail }) = refused else { panic!("{refused:?}") };
        assert!(detail.contains("gateway.db"), "{detail}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_damaged_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    for number in 0..200 {
        store.create_channel(&new_channel(&format!("channel {number}"))).unwrap();
    }
    store.close().unwrap();
    let whole = fs::read(&path).unwrap();

    for (damage, from, to) in
        [("header", 16, 100), ("first page", 100, 4096), ("everything", 4096, whole.len())]
    {
        let mut damaged = whole.clone();
        damaged[from..to].fill(0x5a);
        fs::write(&path, &damaged).unwrap();
        let refused = Store::open(&path, &key()).map(drop);
        assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "{damage}: {refused:?}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "{damage}");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let refused = Store::open(&path, &key()).map(drop);
    assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "cut in half: {refused:?}");
}

#[test]
fn damage_in_any_table_that_serving_needs_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    store.create_channel(&new_channel("openai")).unwrap();
    store.close().unwrap();
    let whole = fs::read(&path).unwrap();
    let conn = Connection::open(&path).unwrap();
    for table in ["settings", "channels", "models", "mappings", "users", "user_keys"] {
        let page: usize = conn
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))
            .map(|page: i64| usize::try_from(page).unwrap())
            .unwrap();
        let mut damaged = whole.clone();
        damaged[(page - 1) * 4096..page * 4096].fill(0x5a);
        let copy = folder.path().join("damaged.db");
        fs::write(&copy, &damaged).unwrap();
        let refused = Store::open(&copy, &key()).map(drop);
        assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "{table}: {refused:?}");
        assert_eq!(fs::read(&copy).unwrap(), damaged, "{table}");
    }
}

#[test]
fn a_database_of_a_newer_gateway_or_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    Store::open(&path, &key()).unwrap().close().unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Store::open(&path, &key()).map(drop);
    assert!(matches!(refused, Err(StorageError::TooNew { found: 99, .. })), "{refused:?}");

    for sql in ["CREATE TABLE songs (id)", "PRAGMA user_version = 3", "PRAGMA application_id = 77"] {
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let refused = Store::open(&path, &key()).map(drop);
        assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "{sql}: {refused:?}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_place_that_cannot_be_written_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Store::open(folder.path(), &key()).map(drop);
    assert!(matches!(refused, Err(StorageError::Io { .. })), "a folder: {refused:?}");
    fs::write(folder.path().join("file"), "").unwrap();
    let refused = Store::open(&folder.path().join("file/gateway.db"), &key()).map(drop);
    assert!(matches!(refused, Err(StorageError::Io { .. })), "below a file: {refused:?}");
}

#[test]
fn a_deleted_or_replaced_file_is_not_written_into_the_void() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = Store::open(&path, &key()).unwrap();
    let aside = folder.path().join("aside.db");
    fs::rename(&path, &aside).unwrap();
    assert!(matches!(store.create_model("a", &ModelTuning::default()), Err(StorageError::Io { .. })));
    fs::write(&path, "").unwrap();
    assert!(matches!(store.create_model("b", &ModelTuning::default()), Err(StorageError::Io { .. })));
    fs::rename(&aside, &path).unwrap();
    store.create_model("c", &ModelTuning::default()).unwrap();
    assert_eq!(store.models().unwrap().len(), 1);
}

#[test]
fn two_stores_in_memory_are_two_databases() {
    let (one, two) = (Store::open_in_memory(&key()).unwrap(), Store::open_in_memory(&key()).unwrap());
    one.create_channel(&new_channel("openai")).unwrap();
    assert_eq!(one.channels().unwrap().len(), 1);
    assert_eq!(two.channels().unwrap().len(), 0);
}

#[test]
fn eight_threads_write_and_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for store in [
        Store::open(&folder.path().join("gateway.db"), &key()).unwrap(),
        Store::open_in_memory(&key()).unwrap(),
    ] {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let store = store.clone();
                scope.spawn(move || {
                    for round in 0..10 {
                        let mut new = new_channel(&format!("channel {thread}/{round}"));
                        new.models = vec!["shared".into()];
                        let made = store.create_channel(&new);
                        // The model is made by whoever comes first, and found by the others.
                        let id = made.unwrap().value.id;
                        assert_eq!(store.channel(id).unwrap().value.name, new.name);
                        store.inventory().unwrap();
                    }
                });
            }
        });
        let inventory = store.inventory().unwrap();
        assert_eq!(inventory.channels.len(), 80);
        assert_eq!(inventory.models.len(), 1);
        assert_eq!(inventory.models[0].mappings.len(), 80);
        store.close().unwrap();
    }
}

/// Not a test by itself: the kill test below starts it in a process of its own.
#[test]
fn child_that_acknowledges_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = Store::open(Path::new(&path), &key()).unwrap();
    let url = BaseUrl::parse("https://api.openai.com").unwrap();
    for number in 0.. {
        let new = NewChannel::new(&format!("channel {number}"), url.clone(), Secret::new("sk-1".to_owned()));
        println!("ack channel {}", store.create_channel(&new).unwrap().value.name);
        let keys = vec![Secret::new(format!("sk-user-{number}"))];
        let user = NewUser {
            name: format!("user {number}").into(),
            keys,
            enabled: true,
            allowed_models: None,
            may_explain: false,
        };
        println!("ack user {}", store.create_user(&user).unwrap().0.value.name);
    }
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    for (round, after) in [1, 7, 30, 61].into_iter().enumerate() {
        let path = folder.path().join(format!("{round}.db"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::child_that_acknowledges_writes_until_it_is_killed",
                "--nocapture",
            ])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some((_, what)) = line.unwrap().split_once("ack ") {
                acknowledged.push(what.to_owned());
                if acknowledged.len() == after {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(acknowledged.len() >= after);

        let inventory = Store::open(&path, &key()).unwrap().inventory().unwrap();
        let kept = |name: &str| match name.split_once(' ').unwrap() {
            ("channel", name) => inventory.channels.iter().any(|channel| *channel.name == *name),
            (_, name) => {
                let user = inventory.users.iter().find(|user| *user.name == *name);
                user.is_some_and(|user| inventory.keys.iter().any(|key| key.user == user.id))
            }
        };
        for what in &acknowledged {
            assert!(kept(what), "{what} was acknowledged and is gone");
        }
        assert_eq!(inventory.users.len(), inventory.keys.len(), "no half writes");
        let check: String = Connection::open(&path)
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
    }
}
