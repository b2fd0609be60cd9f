use super::*;

fn graph(edges: &[(&str, &[&str])]) -> Graph {
    edges
        .iter()
        .map(|(from, to)| ((*from).to_owned(), to.iter().map(|to| (*to).to_owned()).collect()))
        .collect()
}

#[test]
fn the_workspace_keeps_its_layers() {
    assert_eq!(problems().unwrap(), Vec::<String>::new());
}

#[test]
fn an_arrow_that_is_not_in_the_table_is_refused() {
    let members = graph(&[("a", &[]), ("b", &["a"])]);
    assert_eq!(compare(&members, &[("a", &[]), ("b", &["a"])]), Vec::<String>::new());
    assert_eq!(compare(&members, &[("a", &[]), ("b", &[])]), ["b must not depend on a"]);
}

#[test]
fn the_table_must_be_whole_and_free_of_leftovers() {
    let members = graph(&[("a", &[]), ("b", &[])]);
    assert_eq!(compare(&members, &[("a", &[])]), ["b has no row in the table of layers"]);
    let problems = compare(&members, &[("a", &["b"]), ("b", &[]), ("c", &[])]);
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn what_is_reached_over_others_is_found_with_the_way() {
    let graph = graph(&[("pure", &["b", "c"]), ("b", &["pure"]), ("c", &["tokio"]), ("tokio", &["mio"])]);
    let problems = reached(&graph, "pure", &["tokio", "hyper"]);
    assert_eq!(problems, ["pure must not reach tokio: pure -> c -> tokio"]);
}

#[test]
fn manifests_and_resolution_are_read_without_development_dependencies() {
    let metadata = serde_json::json!({
        "workspace_members": ["id-a", "id-b"],
        "packages": [
            {"id": "id-a", "name": "a", "dependencies": [
                {"name": "b", "kind": null}, {"name": "x", "kind": null}, {"name": "a", "kind": "dev"}]},
            {"id": "id-b", "name": "b", "dependencies": []},
            {"id": "id-x", "name": "openssl-sys", "dependencies": []},
        ],
        "resolve": {"nodes": [
            {"id": "id-a", "deps": [
                {"pkg": "id-b", "dep_kinds": [{"kind": null}]}, {"pkg": "id-x", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "id-b", "deps": [{"pkg": "id-x", "dep_kinds": [{"kind": "dev"}, {"kind": "build"}]}]},
        ]},
    });
    assert_eq!(members(&metadata).unwrap(), graph(&[("a", &["b"]), ("b", &[])]));
    assert_eq!(resolved(&metadata).unwrap(), graph(&[("a", &["b"]), ("b", &["openssl-sys"])]));
    assert_eq!(banned(&metadata).unwrap().len(), 1);
}
