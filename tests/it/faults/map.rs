//! Keeps the table of faults in `docs/testing.md` true: every row is there, and has tests that are there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The catalogue's rows for upstreams and clients that fail.
const ROWS: u32 = 39;

/// A row of the table: its number, and the tests that it names as `file::test`.
struct Row {
    number: u32,
    tests: Vec<String>,
    reason_for_none: bool,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project").to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn rows() -> Vec<Row> {
    let text = read(&root().join("docs/testing.md"));
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| F")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[number, _fault, _behaviour, tests] = cells.as_slice() else { panic!("not four cells: {line}") };
        rows.push(Row {
            number: number.trim_start_matches('F').parse().expect("a row has a number"),
            tests: tests.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
            reason_for_none: tests.starts_with("none: "),
        });
    }
    rows
}

/// The names of the test functions in a source file.
fn tests_in(path: &Path) -> BTreeSet<String> {
    let text = read(path);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let marked =
        lines.windows(2).filter(|pair| matches!(pair.first(), Some(&("#[test]" | "#[tokio::test]"))));
    let names = marked.filter_map(|pair| pair.get(1)?.split("fn ").nth(1)?.split('(').next());
    names.map(str::to_owned).collect()
}

/// `faults/slow` is a file of these tests; a path with `/src/` is one of the project.
fn file_of(reference: &str) -> PathBuf {
    if reference.contains("/src/") {
        root().join(format!("{reference}.rs"))
    } else {
        root().join(format!("tests/it/{reference}.rs"))
    }
}

#[test]
fn every_fault_of_the_catalogue_has_a_row_and_every_row_has_tests() {
    let rows = rows();
    let numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
    assert_eq!(
        numbers,
        (1..=ROWS).collect::<Vec<_>>(),
        "a row of docs/testing.md is missing, doubled or astray"
    );
    for Row { number, tests, reason_for_none } in &rows {
        assert!(!tests.is_empty() || *reason_for_none, "F{number} names no test");
        for test in tests {
            let (file, name) =
                test.rsplit_once("::").unwrap_or_else(|| panic!("F{number}: {test} is no file::test"));
            let there = tests_in(&file_of(file)).contains(name);
            assert!(there, "F{number} names {test}, but there is no such test");
        }
    }
}

#[test]
fn every_test_of_a_fault_belongs_to_a_row() {
    let named: BTreeSet<String> = rows().into_iter().flat_map(|row| row.tests).collect();
    let folder = root().join("tests/it/faults");
    for entry in std::fs::read_dir(&folder).expect("the folder of this file") {
        let path = entry.expect("an entry of a folder").path();
        let stem = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        if stem == "map" {
            continue;
        }
        for test in tests_in(&path) {
            let reference = format!("faults/{stem}::{test}");
            assert!(named.contains(&reference), "{reference} belongs to no row of docs/testing.md");
        }
    }
}
