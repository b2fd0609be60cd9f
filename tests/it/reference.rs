//! The pages under `docs/reference` are written from the product itself, and are what it says today.
//!
//! `GATEWAY_UPDATE_DOCS=1 cargo test -p gateway-tests reference` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use gateway_config::Reload;
use gateway_tests::{Gateway, Upstream, chat, in_good_time, sse, status};
use serde_json::Value;

#[test]
fn the_page_of_the_configuration_lists_every_key() {
    let mut page = String::from(
        "# Configuration\n\nTOML, read from `--config`, `./gateway.toml` or `./config/gateway.toml`; every key also by \
         environment. [`config/gateway.toml`](../../config/gateway.toml) is this page as a file. \
         `gateway-server check` tells everything that is wrong with a file, with line and column.\n\n\
         *Hot* keys follow a reload (file change, SIGHUP, `POST /api/config/reload`); the others are named in the log \
         and wait for a restart.\n\n| key | takes | default | environment | applied | meaning |\n|---|---|---|---|---|---|\n",
    );
    for key in gateway_config::reference() {
        let default = if key.default.is_empty() { "–".to_owned() } else { format!("`{}`", key.default) };
        let variables: Vec<String> = key.variables.iter().map(|name| format!("`{name}`")).collect();
        let reload = match key.reload {
            Reload::Hot => "hot",
            Reload::Restart => "restart",
        };
        row(
            &mut page,
            &[&format!("`{}`", key.name), &key.kind, &default, &variables.join(" "), reload, key.meaning],
        );
    }
    is_the_page("configuration.md", &page);
}

#[tokio::test]
async fn the_page_of_the_admin_api_lists_every_route() {
    let gw = Gateway::empty().start().await;
    let document = gw.admin().read("/api/openapi.json").await;
    let mut page = String::from(
        "# Admin API\n\nEvery call needs `Authorization: Bearer <admin token>` unless `admin.auth = \"none\"`. Errors have \
         OpenAI's shape. The machine-readable form of this page is `GET /api/openapi.json`.\n\n\
         The web pages send the cookie of `POST /api/login` instead; with it, changes must carry `x-gateway-ui: 1`.\n\n\
         Lists are whole unless `limit` says how much of them is wanted: then the `Link` header leads to the next page, and \
         `x-total-count` says how many rows there are on all of them. `q` searches (not in `/api/exchanges`, which has \
         filters of its own).\n\n\
         Single things carry an `ETag`. Sent back in `If-Match`, it makes a change by whoever was not fast enough fail with \
         409 `version_mismatch`, whose `error.current` is the thing as it is now.\n\n\
         | method | path | what it does | success |\n|---|---|---|---|\n",
    );
    for (path, methods) in members(&document["paths"]) {
        for (method, operation) in members(methods) {
            let Some(summary) = operation["summary"].as_str() else { continue };
            let success =
                members(&operation["responses"]).map(|(status, _)| status).find(|s| s.starts_with('2'));
            row(
                &mut page,
                &[&method.to_uppercase(), &format!("`{path}`"), summary, success.map_or("–", String::as_str)],
            );
        }
    }
    is_the_page("admin-api.md", &page);
}

#[tokio::test]
async fn the_page_of_the_metrics_lists_every_metric() {
    let up =
        Upstream::scripted().reply(chat("ok")).then(sse(["ok"]).usage(3, 2)).then(status(500)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");
    gw.chat("m").say("hi").stream().send().await.assert_text("ok");
    assert_eq!(gw.chat("m").say("hi").send().await.status / 100, 5);
    // Every metric but this one is there once its call is over; the channel's first verdict takes its own time.
    let text = in_good_time("the channel's verdict", async || {
        let text = gw.get("/metrics").send().await.body_text();
        text.contains("\ngateway_channel_transitions_total{").then_some(text)
    })
    .await;

    let mut metrics: BTreeMap<&str, (&str, &str, &str)> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(help)) => metrics.entry(name).or_default().0 = help,
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => metrics.entry(name).or_default().1 = kind,
            _ => {
                let labels =
                    line.split_once('{').and_then(|(name, rest)| Some((name, rest.split_once('}')?.0)));
                let name = line.split(['{', ' ']).next().unwrap_or_default();
                let base = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end))
                    .unwrap_or(name);
                let place = if metrics.contains_key(name) { name } else { base };
                if let Some((_, labels)) = labels {
                    metrics.entry(place).or_default().2 = labels;
                }
            }
        }
    }
    let mut page = String::from(
        "# Metrics\n\n`GET /metrics` in Prometheus' text format. Label values are bounded: templates of endpoints, \
         configured channels and models (`*` for names that only a wildcard channel serves).\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for (name, (help, kind, labels)) in metrics {
        assert!(!help.is_empty(), "{name} has no help text");
        let mut names: Vec<&str> = labels
            .split("\",")
            .filter_map(|label| label.split('=').next())
            .filter(|l| !l.is_empty() && *l != "le")
            .collect();
        names.sort_unstable();
        row(&mut page, &[&format!("`{name}`"), kind, &names.join(", "), help]);
    }
    is_the_page("metrics.md", &page);
}

fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    writeln!(page, "| {} |", cells.join(" | ")).expect("a string takes everything");
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Holds a page against the one in the repository, or writes it.
fn is_the_page(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
    if std::env::var_os("GATEWAY_UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).expect("the page can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/reference/{name} is not what the product says: write it anew with \
         `GATEWAY_UPDATE_DOCS=1 cargo test -p gateway-tests reference` and look at the difference"
    );
}
