//! Checking a configuration file without putting it in force.

use std::sync::Arc;

use gateway_config::{Environment, ReloadStatus, Source, load_text};
use serde_json::{Value, json};

use super::gateway::{CHANNEL_KEY, Gateway, Reply};

async fn check(gateway: &Gateway, text: &str) -> Value {
    send(gateway, "text/plain; charset=utf-8", text).await.ok()
}

async fn send(gateway: &Gateway, kind: &str, body: &str) -> Reply {
    gateway.ask("POST", "/api/config/check").header("content-type", kind).body(body.to_owned()).send().await
}

fn channel(name: &str, weight: u32) -> String {
    format!(
        "[[channels]]\nname = \"{name}\"\nbase_url = \"http://127.0.0.1:9\"\napi_key = \"{CHANNEL_KEY}\"\nweight = {weight}\n"
    )
}

/// Says that this is the file in force; only what it declares matters here.
fn declare(gateway: &Gateway, text: &str) {
    let declared = load_text(text, &Source::default(), &Environment::new()).unwrap().declaration;
    let status = ReloadStatus { declared, ..ReloadStatus::clone(&gateway.reload.load()) };
    gateway.reload.store(Arc::new(status));
}

#[tokio::test]
async fn every_problem_is_told_with_its_place_and_what_to_do() {
    let gateway = Gateway::new();
    let verdict = check(&gateway, "[server]\nprot = 1\n[proxy]\nmax_attempts = 0\n").await;
    assert_eq!((&verdict["ok"], &verdict["changes"]), (&json!(false), &Value::Null));
    let problems = verdict["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{verdict}");
    let place =
        |problem: &Value| (problem["line"].as_i64(), problem["column"].as_i64(), problem["param"].clone());
    assert_eq!(place(&problems[0]), (Some(2), Some(1), json!("server.prot")));
    assert_eq!(problems[0]["advice"], "did you mean `port`?");
    assert_eq!(place(&problems[1]), (Some(4), Some(16), json!("proxy.max_attempts")));
    let broken = check(&gateway, "[server").await;
    assert!(broken["problems"][0]["message"].as_str().unwrap().starts_with("this is not TOML"), "{broken}");
}

#[tokio::test]
async fn a_good_file_is_told_what_it_would_change() {
    let gateway = Gateway::new();
    gateway.channel("mine").await;
    let kept = "[[users]]\nname = \"u\"\nkeys = [\"sk-canary-user-key-0009\"]\n";
    declare(&gateway, &format!("{}{}{kept}", channel("old", 1), channel("west", 1)));
    let file = format!(
        "[proxy]\nmax_attempts = 5\n[server]\nport = 9000\n[admin]\ntoken = \"canary-token-0123456789\"\n{}{}{}{kept}\
         [[models]]\nname = \"m\"\nchannels = [{{ channel = \"east\" }}]\n",
        channel("west", 2),
        channel("mine", 1),
        channel("east", 1)
    );
    let verdict = check(&gateway, &file).await;
    assert_eq!((&verdict["ok"], &verdict["problems"]), (&json!(true), &json!([])), "{verdict}");
    let changes = &verdict["changes"];
    let settings = changes["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 3, "{changes}");
    for expected in [
        json!({"key": "server.port", "from": "8080", "to": "9000"}),
        json!({"key": "proxy.max_attempts", "from": "3", "to": "5"}),
        json!({"key": "admin.token", "from": null, "to": null}),
    ] {
        assert!(settings.contains(&expected), "{expected} is not among {settings:?}");
    }
    assert!(changes["restart_needed"].as_array().unwrap().contains(&json!("server.port")), "{changes}");
    assert_eq!(
        changes["channels"],
        json!([
            {"name": "east", "change": "added"},
            {"name": "mine", "change": "taken_over"},
            {"name": "old", "change": "removed"},
            {"name": "west", "change": "changed"},
        ])
    );
    assert_eq!(changes["models"], json!([{"name": "m", "change": "added"}]));
    assert_eq!(changes["users"], json!([]));
}

#[tokio::test]
async fn checking_puts_nothing_in_force() {
    let gateway = Gateway::new();
    let before = gateway.get("/api/config").await.ok();
    let verdict = check(&gateway, &format!("[proxy]\nmax_attempts = 5\n{}", channel("east", 1))).await;
    assert_eq!(verdict["ok"], true);
    assert_eq!(gateway.get("/api/config").await.ok(), before);
    assert_eq!(gateway.get("/api/channels").await.text(), "[]");
    assert_eq!(gateway.live.load().settings.proxy.max_attempts, 3);
}

#[tokio::test]
async fn a_file_comes_as_text_or_in_json_and_as_nothing_else() {
    let gateway = Gateway::new();
    let text = "[proxy]\nmax_attempts = 5\n";
    let told = check(&gateway, text).await;
    assert_eq!(send(&gateway, "application/toml", text).await.ok(), told);
    assert_eq!(gateway.post("/api/config/check", json!({"toml": text})).await.ok(), told);
    assert_eq!(check(&gateway, "\n").await["ok"], true, "an empty file is a good one");
    send(&gateway, "text/plain", "").await.refused_for(400, "missing_field", "toml");
    send(&gateway, "application/x-www-form-urlencoded", text).await.refused(415, "unsupported_media_type");
    gateway.post("/api/config/check", json!({})).await.refused_for(400, "missing_field", "toml");
    let ask = gateway.ask("POST", "/api/config/check").header("content-type", "text/plain");
    let binary = ask.body(vec![b'#', 0xff]).send().await;
    binary.refused(400, "invalid_text");
    assert_eq!(binary.message(), "the body is not UTF-8 text (at byte 1)");
    let elsewhere = gateway.ask("POST", "/api/models").header("content-type", "text/plain").body("x");
    elsewhere.send().await.refused(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_page_of_another_site_cannot_have_a_file_checked() {
    let gateway = Gateway::new();
    let ask = gateway.ask("POST", "/api/config/check").header("content-type", "text/plain");
    ask.header("origin", "https://evil.example").body("x").send().await.refused(403, "cross_site_request");
}
