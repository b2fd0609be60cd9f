//! The rules about code.

use std::path::Path;

use super::Finding;
use super::files::File;

/// How long a source file may be before it holds more than one subject.
const MAX_LINES: usize = 500;

/// Names that say nothing about what is in a file, and so invite everything.
const DRAWERS: [&str; 10] =
    ["common", "helper", "helpers", "manager", "managers", "misc", "type", "types", "util", "utils"];

/// Calls that take SQL text.
const SQL_CALLS: [&str; 7] = [
    ".execute(",
    ".execute_batch(",
    ".prepare(",
    ".prepare_cached(",
    ".query_row(",
    ".query_one(",
    ".exists(",
];

/// How SQL text begins.
const SQL_VERBS: [&str; 7] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "PRAGMA "];

type Rule = fn(&File) -> Vec<Finding>;

const RULES: [Rule; 11] = [
    length,
    module_files,
    names,
    no_allow,
    nothing_unfinished,
    no_bare_ignore,
    charter,
    sql_in_storage_only,
    sql_is_constant,
    spawns_are_watched,
    lints_are_inherited,
];

/// Everything that is wrong with one file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| rule(file)).collect()
}

fn length(file: &File) -> Vec<Finding> {
    let lines = file.text.lines().count();
    let source = file.is(&["rs", "py", "js", "mjs", "ts", "css", "sql"]);
    if !source || file.is_test() || lines <= MAX_LINES {
        return Vec::new();
    }
    vec![Finding::new(
        file,
        0,
        format!("{lines} lines; at most {MAX_LINES}: give each subject a file of its own"),
    )]
}

fn module_files(file: &File) -> Vec<Finding> {
    if !file.path.ends_with("/mod.rs") {
        return Vec::new();
    }
    vec![Finding::new(file, 0, "a module `foo` lies in foo.rs, its parts in foo/")]
}

fn names(file: &File) -> Vec<Finding> {
    let stem = Path::new(&file.path).file_stem().unwrap_or_default().to_string_lossy();
    if !DRAWERS.contains(&&*stem) {
        return Vec::new();
    }
    vec![Finding::new(file, 0, format!("`{stem}` names no subject"))]
}

fn no_allow(file: &File) -> Vec<Finding> {
    lines_with(
        file,
        &["#[allow(", "#![allow("],
        "use #[expect(lint, reason = \"…\")]: it tells when it is obsolete",
    )
}

/// Looks into comments, too: that is where unfinished work is confessed.
fn nothing_unfinished(file: &File) -> Vec<Finding> {
    if is_rule_book(file) || file.is(&["md"]) {
        return Vec::new();
    }
    let unfinished = |line: &str| {
        ["todo!(", "unimplemented!("].iter().any(|call| line.contains(call))
            || line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| matches!(word, "TODO" | "FIXME" | "XXX"))
    };
    let lines = file.text.lines().enumerate().filter(|(_, line)| unfinished(line));
    lines.map(|(index, _)| Finding::new(file, index + 1, "finish it, or write an issue")).collect()
}

fn no_bare_ignore(file: &File) -> Vec<Finding> {
    lines_with(file, &["#[ignore]"], "an ignored test says why: #[ignore = \"…\"]")
}

fn charter(file: &File) -> Vec<Finding> {
    if !file.path.ends_with("src/lib.rs") || file.text.contains("//! **Must never know:**") {
        return Vec::new();
    }
    vec![Finding::new(file, 0, "a crate says at its top what it **must never know:**")]
}

/// The tests are exempt: they look into the database from outside.
fn sql_in_storage_only(file: &File) -> Vec<Finding> {
    if file.path.starts_with("crates/storage/") || file.path.starts_with("tests/") {
        return Vec::new();
    }
    if file.path.ends_with("/Cargo.toml") {
        return lines_with(file, &["rusqlite", "r2d2"], "only crates/storage knows the database");
    }
    lines_with(
        file,
        &["rusqlite", "\"SELECT ", "\"INSERT INTO ", "\"DELETE FROM "],
        "SQL lives in crates/storage only",
    )
}

/// SQL that is put together at run time is where injections come from.
fn sql_is_constant(file: &File) -> Vec<Finding> {
    if !file.path.starts_with("crates/storage/src/") || file.is_test() {
        return Vec::new();
    }
    let shipped: Vec<_> = file.shipped_lines().collect();
    let text = shipped.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
    let mut findings = Vec::new();
    let mut blame = |at: usize| {
        let index = text.get(..at).unwrap_or_default().matches('\n').count();
        let line = shipped.get(index).map_or(0, |(line, _)| *line);
        findings.push(Finding::new(file, line, "SQL is constant; values are bound, never formatted into it"));
    };
    for call in SQL_CALLS {
        for (at, _) in text.match_indices(call) {
            if in_brackets(text.get(at + call.len()..).unwrap_or_default()).contains("format!(") {
                blame(at);
            }
        }
    }
    for (at, call) in text.match_indices("format!(") {
        let argument =
            text.get(at + call.len()..).unwrap_or_default().trim_start().trim_start_matches(['"', 'r', '#']);
        if SQL_VERBS.iter().any(|verb| argument.trim_start().starts_with(verb)) {
            blame(at);
        }
    }
    findings
}

fn spawns_are_watched(file: &File) -> Vec<Finding> {
    let place =
        |name: &str| file.path.ends_with(&format!("/{name}.rs")) || file.path.contains(&format!("/{name}/"));
    if file.is_test() || place("serve") || place("tasks") {
        return Vec::new();
    }
    let why = "tasks are started in tasks.rs or serve.rs, where their end is watched";
    lines_with(file, &["tokio::spawn(", "tokio::task::spawn("], why)
}

fn lints_are_inherited(file: &File) -> Vec<Finding> {
    let manifest = file.path.ends_with("/Cargo.toml") && !file.path.contains("/fuzz/");
    if !manifest || file.text.contains("[lints]\nworkspace = true") {
        return Vec::new();
    }
    vec![Finding::new(file, 0, "a member takes its lints from the workspace: [lints] workspace = true")]
}

/// Lines that ship (of tests: all) in Rust files and manifests and hold one of `words`.
fn lines_with(file: &File, words: &[&str], why: &str) -> Vec<Finding> {
    if is_rule_book(file) || !file.is(&["rs", "toml"]) || file.path == "Cargo.toml" {
        return Vec::new();
    }
    let guilty = file.shipped_lines().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    guilty.map(|(line, _)| Finding::new(file, line, why)).collect()
}

/// Whether the file holds these rules or their tests, which have to spell out what they refuse.
fn is_rule_book(file: &File) -> bool {
    file.path.starts_with("xtask/src/tidy") || file.path.starts_with("xtask/src/layers")
}

/// The text up to the bracket that closes the one already open.
fn in_brackets(text: &str) -> &str {
    let mut depth = 1_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}
