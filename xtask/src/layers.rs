//! `cargo xtask layers`: who may depend on whom, as a table, compared with what the manifests say.
//!
//! Ranks: words (`domain`), machines (`routing`, `sessions`, `objects`, `health`, `config`, `http1`, `storage`), conductors (`proxy`,
//! `admin`), root (`gateway-server`). Arrows point down only, never sideways. A new arrow is a decision: it is made by
//! changing [`EDGES`], where a reviewer sees it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::shell::{metadata, say};

/// Every member of the workspace, and the members it depends on.
const EDGES: [(&str, &[&str]); 17] = [
    ("gateway-domain", &[]),
    ("gateway-routing", &["gateway-domain"]),
    ("gateway-sessions", &["gateway-domain"]),
    ("gateway-objects", &["gateway-domain"]),
    ("gateway-health", &["gateway-domain"]),
    ("gateway-config", &["gateway-domain"]),
    ("gateway-http1", &[]),
    ("gateway-storage", &["gateway-domain"]),
    (
        "gateway-proxy",
        &[
            "gateway-config",
            "gateway-domain",
            "gateway-health",
            "gateway-http1",
            "gateway-objects",
            "gateway-routing",
            "gateway-sessions",
        ],
    ),
    (
        "gateway-admin",
        &[
            "gateway-config",
            "gateway-domain",
            "gateway-health",
            "gateway-routing",
            "gateway-sessions",
            "gateway-storage",
        ],
    ),
    (
        "gateway-server",
        &[
            "gateway-admin",
            "gateway-config",
            "gateway-domain",
            "gateway-health",
            "gateway-http1",
            "gateway-objects",
            "gateway-proxy",
            "gateway-routing",
            "gateway-sessions",
            "gateway-storage",
        ],
    ),
    ("gateway-fuzz-targets", &["gateway-config", "gateway-domain", "gateway-http1", "gateway-proxy"]),
    ("gateway-load", &[]),
    ("gateway-random-wire", &[]),
    ("gateway-routing-sim", &["gateway-routing"]),
    ("gateway-tests", &["gateway-config", "gateway-server"]),
    ("xtask", &[]),
];

/// What a crate that only decides must not reach: async, I/O, clocks, dice, wire formats.
const IMPURE: [&str; 32] = [
    "async-std",
    "chrono",
    "fastrand",
    "futures-util",
    "getrandom",
    "h2",
    "http",
    "http-body",
    "hyper",
    "hyper-rustls",
    "hyper-util",
    "jiff",
    "libsqlite3-sys",
    "metrics",
    "mio",
    "notify",
    "r2d2",
    "r2d2_sqlite",
    "rand",
    "reqwest",
    "ring",
    "rusqlite",
    "rustix",
    "rustls",
    "serde",
    "serde_json",
    "socket2",
    "time",
    "tokio",
    "tokio-rustls",
    "toml",
    "tracing",
];

/// What the charters forbid, checked along the whole way: a crate, and what it must not reach however far away.
const FORBIDDEN: [(&str, &[&str]); 9] = [
    ("gateway-domain", &IMPURE),
    ("gateway-routing", &IMPURE),
    ("gateway-sessions", &IMPURE),
    ("gateway-objects", &IMPURE),
    ("gateway-health", &["rusqlite", "toml"]),
    ("gateway-config", &["hyper", "rusqlite", "rustls"]),
    ("gateway-http1", &["hyper", "rustls", "serde", "tracing"]),
    ("gateway-storage", &["http", "hyper", "tokio", "toml"]),
    ("gateway-proxy", &["r2d2", "rusqlite"]),
];

/// What nobody reaches: one TLS stack (rustls) with one provider (ring), built by a C compiler alone.
const BANNED: [&str; 5] = ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"];

/// Package names and what each depends on, development dependencies left out.
type Graph = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn run() -> anyhow::Result<()> {
    let problems = problems()?;
    for problem in &problems {
        say(problem);
    }
    if !problems.is_empty() {
        bail!("{} arrows point where they must not", problems.len());
    }
    say(&format!("layers: {} members stand where the table says", EDGES.len()));
    Ok(())
}

fn problems() -> anyhow::Result<Vec<String>> {
    let metadata = metadata(&[])?;
    let mut problems = compare(&members(&metadata)?, &EDGES);
    let graph = resolved(&metadata)?;
    problems.extend(FORBIDDEN.iter().flat_map(|(start, forbidden)| reached(&graph, start, forbidden)));
    problems.extend(banned(&metadata)?);
    Ok(problems)
}

/// What the manifests of the members say about members.
fn members(metadata: &Value) -> anyhow::Result<Graph> {
    let ids: BTreeSet<_> = list(metadata, "workspace_members")?.iter().filter_map(Value::as_str).collect();
    let mut members = Graph::new();
    for package in list(metadata, "packages")? {
        if package["id"].as_str().is_some_and(|id| ids.contains(id)) {
            let normal =
                list(package, "dependencies")?.iter().filter(|dependency| dependency["kind"].is_null());
            let names = normal.filter_map(|dependency| dependency["name"].as_str()).map(str::to_owned);
            members.insert(text(package, "name")?, names.collect());
        }
    }
    let names: BTreeSet<_> = members.keys().cloned().collect();
    for dependencies in members.values_mut() {
        dependencies.retain(|name| names.contains(name));
    }
    Ok(members)
}

/// What cargo resolved, by name. Two versions of one package count as one: it is enough that one is reached.
fn resolved(metadata: &Value) -> anyhow::Result<Graph> {
    let mut names = BTreeMap::new();
    for package in list(metadata, "packages")? {
        names.insert(text(package, "id")?, text(package, "name")?);
    }
    let mut graph = Graph::new();
    for node in list(&metadata["resolve"], "nodes")? {
        let from = names.get(&text(node, "id")?).context("a node that is no package")?;
        let reached = graph.entry(from.clone()).or_default();
        for dependency in list(node, "deps")? {
            let kinds = list(dependency, "dep_kinds")?;
            if kinds.iter().any(|kind| kind["kind"].as_str() != Some("dev")) {
                reached.extend(names.get(&text(dependency, "pkg")?).cloned());
            }
        }
    }
    Ok(graph)
}

fn compare(members: &Graph, table: &[(&str, &[&str])]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut unlisted: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    for (name, allowed) in table {
        unlisted.remove(name);
        let Some(actual) = members.get(*name) else {
            problems.push(format!("{name} is in the table of layers, but no member of the workspace"));
            continue;
        };
        for dependency in actual.iter().filter(|dependency| !allowed.contains(&dependency.as_str())) {
            problems.push(format!("{name} must not depend on {dependency}"));
        }
        for dependency in allowed.iter().filter(|dependency| !actual.contains(**dependency)) {
            problems
                .push(format!("{name} does not depend on {dependency} any more: strike it from the table"));
        }
    }
    problems.extend(unlisted.iter().map(|name| format!("{name} has no row in the table of layers")));
    problems
}

/// Which of `forbidden` is reached from `start`, and by which way.
fn reached(graph: &Graph, start: &str, forbidden: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::from([start]);
    while let Some(way) = ways.pop() {
        for next in way.last().and_then(|last| graph.get(*last)).into_iter().flatten() {
            if seen.insert(next) {
                let way = [&way[..], &[next.as_str()]].concat();
                if forbidden.contains(&next.as_str()) {
                    problems.push(format!("{start} must not reach {next}: {}", way.join(" -> ")));
                }
                ways.push(way);
            }
        }
    }
    problems
}

fn banned(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for package in list(metadata, "packages")? {
        let name = text(package, "name")?;
        if BANNED.contains(&name.as_str()) {
            problems
                .push(format!("{name} must not be built; `cargo tree --invert {name}` tells who wants it"));
        }
    }
    Ok(problems)
}

fn list<'v>(value: &'v Value, name: &str) -> anyhow::Result<&'v Vec<Value>> {
    value[name].as_array().with_context(|| format!("cargo metadata tells no {name}"))
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("cargo metadata tells no {name}"))
}

#[cfg(test)]
mod tests;
