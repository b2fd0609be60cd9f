//! Feeds every kept seed to its target: what once was found, or is worth looking at, on every run of the tests.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use gateway_fuzz_targets::TARGETS;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")
}

#[test]
fn every_seed_passes_its_target() {
    for (name, target) in TARGETS {
        let folder = fs::read_dir(seeds().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            let seed = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let withstood = std::panic::catch_unwind(|| target(&seed)).is_ok();
            assert!(withstood, "{} fails its target", file.display());
        }
    }
}

#[test]
fn every_folder_of_seeds_has_its_target_and_none_is_large() {
    for entry in fs::read_dir(seeds()).expect("the seeds") {
        let folder = entry.expect("an entry").path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        assert!(gateway_fuzz_targets::target(&name).is_some(), "{name} is no target");
        for seed in fs::read_dir(&folder).expect("a folder") {
            let seed = seed.expect("an entry");
            let length = seed.metadata().expect("a file").len();
            assert!(length <= 8 << 10, "{} is no seed but a corpus: {length} bytes", seed.path().display());
        }
    }
}

#[test]
fn any_few_bytes_pass_every_target() {
    for (_, target) in TARGETS {
        target(b"");
        for byte in 0..=u8::MAX {
            target(&[byte]);
            target(&[0, byte, byte]);
        }
    }
}
