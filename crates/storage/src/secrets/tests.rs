use std::os::unix::fs::PermissionsExt;

use super::*;

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn sealer(text: &str) -> Sealer {
    Sealer::new(&MasterKey::from_text(text).unwrap())
}

#[test]
fn the_same_bytes_are_the_same_key_in_every_spelling() {
    let expected = sealer(HEX).key_id();
    for spelling in [
        HEX.to_uppercase(),
        format!("  {HEX}\n"),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned(),
    ] {
        assert_eq!(sealer(&spelling).key_id(), expected, "{spelling}");
    }
    let url_alphabet = "__________________________________________8";
    let usual_alphabet = "//////////////////////////////////////////8=";
    assert_eq!(sealer(url_alphabet).key_id(), sealer(&"ff".repeat(32)).key_id());
    assert_eq!(sealer(usual_alphabet).key_id(), sealer(&"ff".repeat(32)).key_id());
}

#[test]
fn any_long_text_is_a_passphrase_and_short_text_is_refused() {
    assert_ne!(sealer("correct horse battery").key_id(), sealer("correct horse batterY").key_id());
    for short in ["", " ", "admin", "fifteen chars!!", "   fifteen chars!!   "] {
        let refused = MasterKey::from_text(short);
        assert!(matches!(refused, Err(StorageError::BadMasterKey { .. })), "{short:?}: {refused:?}");
    }
}

#[test]
fn the_refusal_does_not_repeat_the_text() {
    let error = MasterKey::from_text("canary").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!(format!("{:?}", MasterKey::from_text(HEX).unwrap()), "MasterKey(…)");
}

#[test]
fn what_is_sealed_opens_in_its_place_only() {
    let sealer = sealer(HEX);
    let blob = sealer.seal("channel:1", "sk-canary").unwrap();
    assert_eq!(sealer.unseal("channel:1", &blob).unwrap(), "sk-canary");
    assert!(matches!(sealer.unseal("channel:2", &blob), Err(StorageError::Corrupt { .. })));
    assert!(!blob.windows(9).any(|window| window == b"sk-canary"));
}

#[test]
fn sealing_twice_gives_different_bytes() {
    let sealer = sealer(HEX);
    assert_ne!(sealer.seal("channel:1", "sk").unwrap(), sealer.seal("channel:1", "sk").unwrap());
}

#[test]
fn another_master_key_is_recognised_as_such() {
    let blob = sealer(HEX).seal("channel:1", "sk-canary").unwrap();
    let other = sealer("some other passphrase").unseal("channel:1", &blob);
    assert!(matches!(other, Err(StorageError::WrongMasterKey { .. })));
}

#[test]
fn every_damaged_byte_is_noticed() {
    let sealer = sealer(HEX);
    let blob = sealer.seal("channel:1", "sk-canary").unwrap();
    for at in 0..blob.len() {
        let mut damaged = blob.clone();
        damaged[at] ^= 1;
        assert!(sealer.unseal("channel:1", &damaged).is_err(), "byte {at}");
        assert!(sealer.unseal("channel:1", &blob[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn the_key_file_is_made_once_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/master.key");
    let made = Sealer::new(&MasterKey::load_or_create(&file).unwrap()).key_id();
    let again = Sealer::new(&MasterKey::load_or_create(&file).unwrap()).key_id();
    assert_eq!(made, again);
    let rights = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(rights(&file), 0o600);
    assert_eq!(rights(file.parent().unwrap()), 0o700);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left behind");
}

#[test]
fn gateways_that_start_together_end_with_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    let ids: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Sealer::new(&MasterKey::load_or_create(&file).unwrap()).key_id()))
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn an_empty_key_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    fs::write(&file, "\n").unwrap();
    assert!(matches!(MasterKey::load_or_create(&file), Err(StorageError::BadMasterKey { .. })));
    assert_eq!(fs::read_to_string(&file).unwrap(), "\n");
}
