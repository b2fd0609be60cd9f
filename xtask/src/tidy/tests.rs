use super::*;

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

/// What the rules for code say about a file: line and first words.
fn told(path: &str, text: &str) -> Vec<(usize, String)> {
    let findings = code::check(&file(path, text)).into_iter();
    findings.map(|finding| (finding.line, finding.what)).collect()
}

#[track_caller]
fn refused(path: &str, text: &str, line: usize, why: &str) {
    let told = told(path, text);
    assert!(matches!(&told[..], [(at, what)] if *at == line && what.contains(why)), "{told:?}");
}

#[track_caller]
fn accepted(path: &str, text: &str) {
    assert_eq!(told(path, text), []);
}

#[test]
fn the_workspace_is_tidy() {
    let files = files::read(root()).unwrap();
    let findings: Vec<_> = findings(root(), &files).iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn a_file_holds_at_most_500_lines() {
    accepted("crates/a/src/b.rs", &"\n".repeat(500));
    refused("crates/a/src/b.rs", &"\n".repeat(501), 0, "501 lines");
    refused("crates/a/src/ui/b.js", &"\n".repeat(501), 0, "501 lines");
    accepted("crates/a/src/b/tests.rs", &"\n".repeat(501));
    accepted("docs/b.md", &"\n".repeat(501));
}

#[test]
fn modules_are_not_called_mod() {
    refused("crates/a/src/b/mod.rs", "", 0, "foo.rs");
}

#[test]
fn names_that_say_nothing_are_refused() {
    for name in ["utils", "helpers", "common", "manager", "types"] {
        refused(&format!("crates/a/src/{name}.rs"), "", 0, "names no subject");
    }
    accepted("crates/a/src/model.rs", "");
}

#[test]
fn lints_are_expected_not_allowed() {
    refused("crates/a/src/b.rs", "\n#[allow(dead_code)]\nfn f() {}", 2, "#[expect(");
    refused("crates/a/src/b.rs", "#![allow(dead_code)]", 1, "#[expect(");
    accepted("crates/a/src/b.rs", "#[expect(dead_code, reason = \"shown\")]");
}

#[test]
fn unfinished_work_is_found_in_comments_too() {
    for line in ["    todo!()", "unimplemented!(\"x\")", "// TODO: x", "x(); // FIXME"] {
        refused("crates/a/src/b.rs", line, 1, "finish it");
    }
    refused("tests/clients/a.py", "# TODO", 1, "finish it");
    accepted("crates/a/src/b.rs", "let todos = mastodon;");
}

#[test]
fn an_ignored_test_says_why() {
    refused("crates/a/src/b/tests.rs", "#[test]\n#[ignore]\nfn f() {}", 2, "says why");
    accepted("crates/a/src/b/tests.rs", "#[ignore = \"needs root\"]");
}

#[test]
fn a_crate_says_what_it_must_never_know() {
    refused("crates/a/src/lib.rs", "//! A crate.", 0, "never know");
    accepted("crates/a/src/lib.rs", "//! A crate.\n//!\n//! **Must never know:** others.");
}

#[test]
fn sql_stays_in_storage() {
    refused("crates/a/src/b.rs", "let q = \"SELECT 1\";", 1, "storage only");
    refused("crates/a/src/b.rs", "use rusqlite::Connection;", 1, "storage only");
    refused("crates/a/Cargo.toml", "[lints]\nworkspace = true\nrusqlite.workspace = true", 3, "storage");
    accepted("crates/storage/src/b.rs", "use rusqlite::Connection; let q = \"SELECT 1\";");
    accepted("crates/a/src/b.rs", "// no rusqlite here\nlet text = \"SELECTED\";");
}

#[test]
fn sql_is_never_put_together_at_run_time() {
    let path = "crates/storage/src/b.rs";
    refused(path, "db.execute(\n    &format!(\"{sql}\"),\n)", 1, "never formatted");
    refused(path, "let sql = format!(\n    \"SELECT {x}\"\n);", 1, "never formatted");
    refused(path, "\nlet sql = format!(r#\"UPDATE {x}\"#);", 2, "never formatted");
    accepted(path, "db.execute(SQL, params![x])?; let text = format!(\"{x}\");");
    accepted("crates/storage/src/b/tests.rs", "db.execute(&format!(\"PRAGMA {x}\"), [])");
}

#[test]
fn tasks_are_started_where_their_end_is_watched() {
    refused("crates/a/src/b.rs", "tokio::spawn(async {});", 1, "watched");
    for path in ["bins/a/src/serve.rs", "bins/a/src/serve/h1.rs", "crates/a/src/tasks.rs", "tests/it/b.rs"] {
        accepted(path, "tokio::spawn(async {});");
    }
    accepted("crates/a/src/b.rs", "#[cfg(test)]\nmod tests {\n    fn f() { tokio::spawn(async {}); }\n}");
}

#[test]
fn members_inherit_the_lints() {
    refused("crates/a/Cargo.toml", "[package]", 0, "[lints]");
}

#[test]
fn a_link_leads_to_a_file_of_the_repository() {
    let text = "[a](../README.md) [b](missing.md#x)\n[c](https://x.test/y) [d](#here) [e](../../etc/passwd)\n\
                ```\n[f](in-code.md)\n```\n[g](/absolute.md \"title\")";
    let findings =
        documents::check_links(root(), &file("xtask/notes.md", &text.replace("README.md", "Cargo.toml")));
    let lines: Vec<_> = findings.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
    assert_eq!(
        lines,
        [
            (1, "`missing.md#x` leads nowhere"),
            (2, "`../../etc/passwd` leads nowhere"),
            (6, "`/absolute.md` leads nowhere"),
        ]
    );
}

#[test]
fn the_readme_offers_two_commands_near_its_top() {
    let run = "<!-- command: run -->\n```sh\ncargo run --release -- demo\n```\n";
    let test = "<!-- command: test -->\n```sh\ncargo xtask test\n```\n";
    let wrong = |text: String| documents::check_readme(&[file("README.md", &text)]).len();
    assert_eq!(wrong(format!("# Gateway\n{run}\n{test}")), 0);
    assert_eq!(wrong(run.to_owned()), 1);
    assert_eq!(wrong(format!("{run}{test}{run}")), 1);
    assert_eq!(wrong(format!("{run}{}{test}", "\n".repeat(60))), 1);
    assert_eq!(wrong(format!("{run}{test}<!-- command: more -->\n")), 1);
    assert_eq!(wrong(format!("{}{test}", run.replace("--release ", ""))), 1);
    assert_eq!(documents::check_readme(&[]).len(), 1);
}
