//! A sweep for canaries: keys go in by every door, and none comes out by any.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use gateway_tests::{
    Admin, Gateway, GatewayProcess, Upstream, body, chat, html, json_body, reset, sse, status,
};
use http::Method;
use serde_json::{Value, json};

/// The spellings under which a key could hide.
fn spellings(key: &str) -> Vec<String> {
    let hex = key.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    });
    let url: String = key
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    vec![
        key.to_owned(),
        hex.clone(),
        hex.to_uppercase(),
        url,
        base64(key.as_bytes()),
        key.chars().rev().collect(),
    ]
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    // Whole groups only: the rest depends on what stands behind it.
    for group in bytes.chunks_exact(3) {
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        for shift in [18, 12, 6, 0] {
            text.push(char::from(LETTERS[(bits >> shift & 63) as usize]));
        }
    }
    text
}

/// Fails the test when the bytes hold one of the keys, in whatever spelling, or the mark of a key.
fn clean(what: &str, bytes: &[u8], keys: &[String]) {
    let marks = [gateway_tests::USER_KEY_MARK.to_owned(), gateway_tests::CHANNEL_KEY_MARK.to_owned()];
    for secret in keys.iter().flat_map(|key| spellings(key)).chain(marks) {
        let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        if let Some(at) = found {
            let around = String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 200).min(bytes.len())])
                .into_owned();
            panic!("{what} holds a key at byte {at}: …{around}…");
        }
    }
}

async fn every_admin_get(admin: &Admin) -> Vec<(String, String)> {
    let document = admin.read("/api/openapi.json").await;
    let mut answers = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if methods.get("get").is_none() {
            continue;
        }
        for id in 1..=3 {
            let path: Vec<String> = path
                .split('/')
                .map(|part| if part.starts_with('{') { id.to_string() } else { part.to_owned() })
                .collect();
            let path = path.join("/");
            if path == "/api/events" {
                // Has no end: what is told of the next second.
                let mut feed = admin.call(Method::GET, &path).open().await;
                feed.read_until("event: rates").await;
                answers.push((path, feed.so_far()));
                break;
            }
            answers.push((path.clone(), admin.get(&path).await.body_text()));
        }
    }
    answers
}

/// Traffic of every kind, good and bad, with keys in all the places where people put them.
async fn busy(gw: &GatewayProcess, up: &Upstream, keys: &mut Vec<String>) -> Vec<(String, Vec<u8>)> {
    let mut answers = Vec::new();
    let leak = format!(
        "Incorrect API key provided: {}. You can find your key at https://x.test/?key={}",
        up.key(),
        up.key()
    );
    let error = json!({"error": {"message": leak, "type": "invalid_request_error", "param": null, "code": "invalid_api_key"}});
    let replies = [
        chat("ok"),
        sse(["ok"]).usage(3, 2).into(),
        json_body(&error).with_status(400).header("x-debug-key", up.key()),
        json_body(&error).with_status(401),
        json_body(&error).with_status(500),
        body("text/html", format!("<html>{leak}</html>")).with_status(404),
        body("application/json", format!("{{\"leak\": \"{leak}")),
        sse(["ok"]).event(&error.to_string()).without_finish().into(),
        sse(["ok"]).close_after(1).into(),
        html(),
        reset(),
        status(429),
    ];
    for reply in replies {
        up.set_always(reply);
        for stream in [false, true] {
            let chat = gw
                .chat("m")
                .say("hi")
                .with("stream", json!(stream))
                .header("cookie", "key=sk-canaryuser-cookie");
            let answer = chat.send().await;
            answers.push((format!("the answer {}", answer.status), answer.body.to_vec()));
            answers.push(("the headers".to_owned(), format!("{:?}", answer.headers).into_bytes()));
        }
    }
    for wrong in ["sk-canaryuser-unknown-key-1", "sk-canaryuser-with'quote"] {
        keys.push(wrong.to_owned());
        let answer = gw.chat("m").say("hi").key(wrong).send().await;
        answers.push(("the answer to a wrong key".to_owned(), answer.body.to_vec()));
        let in_path = gw.call(Method::GET, &format!("/v1/{wrong}?key={wrong}")).send().await;
        assert_eq!(in_path.status, 404);
        let as_admin = gw.admin().with_token(wrong).get("/api/channels").await;
        answers.push(("the admin's answer to a wrong key".to_owned(), as_admin.body.to_vec()));
    }
    answers
}

async fn administer(gw: &GatewayProcess, up: &Upstream, keys: &mut Vec<String>) {
    let admin = gw.admin();
    let channel_key = "sk-canarychannel-by-admin-11";
    keys.push(channel_key.to_owned());
    let channel =
        json!({"name": "by-admin", "base_url": up.base_url(), "api_key": channel_key, "models": ["x"]});
    let id = admin.create("/api/channels", &channel).await;
    for body in [
        json!({"api_key": "sk-canarychannel-changed-22"}),
        json!({"base_url": "http://u:sk-canarychannel@host/"}),
        json!({"api_key": 7, "x": "sk-canarychannel-typo"}),
    ] {
        admin.put(&format!("/api/channels/{id}"), &body).await;
    }
    admin.post(&format!("/api/channels/{id}/test"), &json!({"model": "x"})).await;
    admin.get(&format!("/api/channels/{id}/models")).await;
    keys.push("sk-canarychannel-changed-22".to_owned());
    let user =
        admin.create("/api/users", &json!({"name": "u", "api_key": "sk-canaryuser-by-admin-3333"})).await;
    keys.push("sk-canaryuser-by-admin-3333".to_owned());
    let made = admin.post(&format!("/api/users/{user}/keys"), &json!({})).await.json();
    keys.push(made["api_key"].as_str().expect("shown once").to_owned());
    let taken =
        admin.post("/api/users", &json!({"name": "v", "api_key": "sk-canaryuser-by-admin-3333"})).await;
    assert_eq!(taken.status, 409);
    clean("the answer about a key that is taken", &taken.body, keys);
}

#[tokio::test]
async fn no_key_comes_out_by_any_door() {
    let up = Upstream::scripted().for_anybody().always(chat("ok")).start().await;
    let builder = Gateway::serving("m", [&up]).channel(&up, "probe", "models").set("log.level", "trace");
    let Some(mut gw) =
        builder.set("health_check.interval", "1s").set("health_check.timeout", "500ms").spawn().await
    else {
        return;
    };
    let mut keys = vec![up.key().to_owned(), gateway_tests::USER_KEY.to_owned()];

    let answers = busy(&gw, &up, &mut keys).await;
    administer(&gw, &up, &mut keys).await;
    // A file that is wrong beside its secrets, and in them.
    let good = std::fs::read_to_string(gw.config_path()).expect("the file is there");
    for bad in [
        good.replace("api_key = ", "api_kex = "),
        good.replace(up.key(), &format!("{}\u{7}", up.key())),
        good.replace(
            &format!("\"{}\"", gateway_tests::USER_KEY),
            &format!("[\"{}\"]", gateway_tests::USER_KEY),
        ),
        good.replace(&format!("\"{}\"", gateway_tests::USER_KEY), gateway_tests::USER_KEY),
        good.replace("base_url = \"http://", "base_url = \"http://user:sk-canarychannel@"),
    ] {
        std::fs::write(gw.config_path(), bad).expect("the file can be written");
        let refused = gw.admin().post("/api/config/reload", &json!({})).await;
        assert_eq!(refused.status, 422);
        clean("the answer about a broken file", &refused.body, &keys);
    }
    for (what, bytes) in &answers {
        clean(what, bytes, &keys);
    }
    for (path, text) in every_admin_get(&gw.admin()).await {
        clean(&format!("GET {path}"), text.as_bytes(), &keys);
    }
    clean("/metrics", gw.metrics().await.text.as_bytes(), &keys);
    sweep_files(&gw.folder(), &keys);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", gw.id())).unwrap_or_default();
    clean("the command line", &arguments, &keys);
    gw.terminate();
    assert_eq!(gw.wait().await.code(), Some(0));
    let output = gw.output();
    assert!(output.len() > 1_000, "a gateway at level trace says more than this: {output}");
    clean("the log", output.as_bytes(), &keys);
    clean("the log", output.as_bytes(), &[gateway_tests::ADMIN_TOKEN.to_owned()]);
    sweep_files(&gw.folder(), &keys);
}

/// Every file beside the configuration: the database, its log, its key.
fn sweep_files(folder: &Path, keys: &[String]) {
    let mut swept = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "toml") || !path.is_file() {
            continue;
        }
        clean(&path.display().to_string(), &std::fs::read(&path).expect("a file can be read"), keys);
        swept += 1;
    }
    assert!(swept > 0, "there was nothing to sweep");
}

#[tokio::test]
async fn what_is_written_can_be_read_by_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");
    let folder = gw.database_path().parent().expect("a folder").to_owned();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "toml") || !path.is_file() {
            continue;
        }
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

#[tokio::test]
async fn every_log_line_is_json_whatever_clients_send() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let Some(mut gw) = Gateway::serving("m", [&up]).set("log.format", "json").spawn().await else { return };
    for id in ["\u{1b}[2J", "{\"level\":\"error\"}", "a b"] {
        if http::HeaderValue::from_str(id).is_ok() {
            gw.chat("m")
                .say("hi")
                .header("x-request-id", id)
                .header("user-agent", id)
                .send()
                .await
                .assert_text("ok");
        }
    }
    gw.chat("evil\n{\"level\":\"ERROR\"}\u{1b}[2J").say("hi").send().await;
    gw.call(Method::GET, "/%0a%1b[2J").send().await;
    gw.terminate();
    gw.wait().await;

    for line in gw.output().lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|line| line.is_object()), "no JSON: {line:?}");
        assert!(!line.contains('\u{1b}'));
    }
}

#[tokio::test]
async fn a_wrong_master_key_is_refused_at_start() {
    let up = Upstream::scripted().start().await;
    let builder = Gateway::empty().env("GATEWAY_MASTER_KEY", "first-master-key-0123456789abcdef0123456789ab");
    let Some(mut gw) = builder.spawn().await else { return };
    gw.admin().add_channel(&up, &["m"]).await;
    gw.terminate();
    gw.wait().await;

    let environment = BTreeMap::from([
        ("GATEWAY_MASTER_KEY".to_owned(), "other-master-key-0123456789abcdef0123456789ab".to_owned()),
        ("GATEWAY_ADMIN_TOKEN".to_owned(), gateway_tests::ADMIN_TOKEN.to_owned()),
    ]);
    let arguments = ["--config".to_owned(), gw.config_path().display().to_string()];
    let (code, output) =
        GatewayProcess::run(&arguments, &environment, gw.folder()).await.expect("the binary is there");
    assert_ne!(code, 0);
    assert!(output.contains("master"), "{output}");
}
