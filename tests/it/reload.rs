//! The configuration changes while the gateway runs: at once, whole, and never for the worse.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gateway_tests::{Gate, Gateway, Line, Upstream, chat, ms, sse, status, until, weighted};
use serde_json::{Value, json};
use toml::Table;

/// Version `n` of a configuration in which every part of an answer tells the version: even versions serve the model
/// from one channel, odd ones from another, and both call it by the version.
fn version(number: usize, table: &mut Table, even: &Upstream, odd: &Upstream) {
    let up = if number.is_multiple_of(2) { even } else { odd };
    let mut mapping = Table::new();
    mapping.insert("channel".to_owned(), up.name().into());
    mapping.insert("model".to_owned(), format!("version-{number}").into());
    table["models"][0]["channels"] = toml::Value::Array(vec![mapping.into()]);
}

/// Files that are no configuration, each in another way.
fn broken(number: usize, good: &str) -> String {
    match number % 7 {
        0 => good[..good.len() / 2].to_owned() + "\n[[models",
        1 => good.replace("[server]", "[sever]"),
        2 => good.replace("workers = 2", "workers = \"two\""),
        3 => format!("{good}\n[[models]]\nname = \"x\"\nchannels = [{{ channel = \"nobody\" }}]\n"),
        4 => "\u{0}\u{1}\u{2} not text at all".to_owned(),
        5 => good.replace("base_url = \"http", "base_url = \"gopher"),
        _ => "x = [".to_owned(),
    }
}

#[tokio::test]
async fn two_hundred_reloads_under_load_fail_no_request_and_mix_no_two_versions() {
    let even = Upstream::answering(|request| chat(&format!("even {}", request.model()))).start().await;
    let odd = Upstream::answering(|request| chat(&format!("odd {}", request.model()))).start().await;
    let gw = Gateway::serving("m", [&even])
        .model("other", weighted([(&odd, 10)]))
        .set("server.workers", 2)
        .config(|table| version(0, table, &even, &odd))
        .start()
        .await;
    let (over, acknowledged, begun) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));

    // Eight lanes with a pause of 14 ms: about 500 requests a second.
    let lanes = (0..8).map(|_| async {
        let mut line = Line::new();
        let mut answers = 0_usize;
        while !over.load(Ordering::SeqCst) {
            let at_least = acknowledged.load(Ordering::SeqCst);
            let answer = line.send(gw.chat("m").say("hi").call()).await.expect("an answer");
            let at_most = begun.load(Ordering::SeqCst);
            assert_eq!(answer.status, 200, "{}", answer.body_text());
            let said = answer.text();
            let (channel, seen) = said.split_once(" version-").expect("channel and version");
            let seen: usize = seen.parse().expect("a number");
            assert_eq!(
                channel,
                if seen.is_multiple_of(2) { "even" } else { "odd" },
                "half of one version and half of another"
            );
            assert!(
                (at_least..=at_most).contains(&seen),
                "version {seen} while {at_least}..={at_most} was in force"
            );
            answers += 1;
            tokio::time::sleep(ms(14)).await;
        }
        answers
    });
    let reloads = async {
        let admin = gw.admin();
        let mut good = gw.config_text();
        for number in 1..=200 {
            // Time for some requests under each version.
            tokio::time::sleep(ms(12)).await;
            if number % 10 % 3 == 1 && number % 10 != 1 || number % 10 == 9 {
                gw.write_config(&broken(number, &good));
                let refused = admin.post("/api/config/reload", &json!({})).await;
                assert_eq!(refused.status, 422, "reload {number}: {}", refused.body_text());
                refused.assert_error_shape();
                continue;
            }
            let mut table: Table = good.parse().expect("TOML");
            version(number, &mut table, &even, &odd);
            good = table.to_string();
            begun.store(number, Ordering::SeqCst);
            gw.write_config(&good);
            let applied = admin.post("/api/config/reload", &json!({})).await;
            assert_eq!(applied.status, 200, "reload {number}: {}", applied.body_text());
            acknowledged.store(number, Ordering::SeqCst);
        }
        over.store(true, Ordering::SeqCst);
    };
    let (answers, ()) = tokio::join!(gateway_tests::all(lanes), reloads);

    let answers: usize = answers.into_iter().sum();
    assert!(answers > 500, "only {answers} requests came to pass");
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_a_word() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("before", [&up]).start().await;

    gw.rewrite_config(|table| table["models"][0]["name"] = "after".into());

    until("the new model is served", async || {
        let answer = gw.chat("after").say("hi").send().await;
        (answer.status == 200).then_some(())
    })
    .await;
    gw.chat("before").say("hi").send().await.assert_error(404, "model_not_found");
    assert_eq!(gw.admin().read("/api/config").await["last_reload"]["cause"], "file_changed");
}

#[tokio::test]
async fn a_file_written_in_place_is_noticed() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("before", [&up]).start().await;

    std::fs::write(gw.config_path(), gw.config_text().replace("before", "after"))
        .expect("the file can be written");

    until("the new model is served", async || {
        (gw.chat("after").say("hi").send().await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_swapped_config_map_is_noticed() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("first", [&up]).mounted().start().await;
    for (before, after) in [("first", "second"), ("second", "third")] {
        gw.swap_mount(&gw.config_text().replace(before, after));
        until("the new model is served", async || {
            (gw.chat(after).say("hi").send().await.status == 200).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_broken_file_is_shown_and_the_old_one_stays() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let good = gw.config_text();

    gw.write_config(&good.replace("workers = 1", "workerz = 1\nworkers = \"x\""));
    until("the metric tells", async || {
        (gw.metrics().await.count("gateway_config_reload_success", &[]) == 0).then_some(())
    })
    .await;

    let shown = gw.admin().read("/api/config").await;
    assert_eq!(shown["last_reload"]["ok"], false, "{shown}");
    let problems = shown["last_reload"]["problems"].as_array().cloned().unwrap_or_default();
    assert_eq!(problems.len(), 2, "all problems at once: {shown}");
    let typo = problems.iter().find(|p| p["param"] == "server.workerz").expect("the unknown key is named");
    assert!(typo["line"].as_i64().is_some_and(|line| line > 0) && typo["column"].is_number(), "{typo}");
    assert!(typo.to_string().contains("workers"), "a suggestion: {typo}");
    gw.chat("m").say("hi").send().await.assert_text("ok");

    gw.write_config(&good);
    until("the metric tells", async || {
        (gw.metrics().await.count("gateway_config_reload_success", &[]) == 1).then_some(())
    })
    .await;
    assert_eq!(gw.admin().read("/api/config").await["last_reload"]["ok"], true);
}

#[tokio::test]
async fn a_deleted_file_changes_nothing() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    std::fs::remove_file(gw.config_path()).expect("the file was there");
    let refused = gw.admin().post("/api/config/reload", &json!({})).await;

    assert_eq!(refused.status, 422, "{}", refused.body_text());
    gw.chat("m").say("hi").send().await.assert_text("ok");
}

#[tokio::test]
async fn what_needs_a_restart_is_named() {
    let gw = Gateway::empty().start().await;
    gw.set("server.workers", 3);

    let applied = gw.admin().post("/api/config/reload", &json!({})).await;

    assert_eq!((applied.status, &applied.json()["restart_needed"]), (200, &json!(["server.workers"])));
    assert_eq!(gw.admin().read("/api/config").await["restart_needed"], json!(["server.workers"]));
}

#[tokio::test]
async fn a_setting_is_in_force_for_the_next_call() {
    let up = Upstream::scripted().times(2, chat("ok").after(ms(150))).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");

    gw.set("proxy.total_timeout", "50ms");
    gw.set("proxy.first_byte_timeout", "50ms");
    gw.set("proxy.connect_timeout", "50ms");
    let applied = gw.admin().post("/api/config/reload", &json!({})).await;
    assert_eq!(applied.status, 200, "{}", applied.body_text());

    gw.chat("m").say("hi").send().await.assert_error(504, "upstream_timeout");
}

#[tokio::test]
async fn what_the_file_declares_is_the_files_and_leaves_with_it() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).user("leaver", "sk-canaryuser-leaver-0001").start().await;
    let admin = gw.admin();
    let channel = admin.named("/api/channels", up.name()).await;
    let path = format!("/api/channels/{}", channel["id"]);
    assert_eq!(channel["managed_by"], "file");
    admin.put(&path, &json!({"weight": 1})).await.assert_error(409, "managed_by_file");
    admin.delete(&path).await.assert_error(409, "managed_by_file");
    gw.chat("m").say("hi").key("sk-canaryuser-leaver-0001").send().await.assert_text("ok");

    gw.rewrite_config(|table| {
        let users = table["users"].as_array_mut().expect("users");
        users.retain(|user| user["name"].as_str() != Some("leaver"));
    });
    assert_eq!(admin.post("/api/config/reload", &json!({})).await.status, 200);

    gw.chat("m").say("hi").key("sk-canaryuser-leaver-0001").send().await.assert_error(401, "invalid_api_key");
    gw.chat("m").say("hi").send().await.assert_text("ok");
}

// --- F59: changes under a running stream ---

#[tokio::test]
async fn a_stream_outlives_the_change_of_its_channel_and_new_calls_see_the_change() {
    let changes: [(&str, Value); 4] = [
        ("PUT", json!({"enabled": false})),
        ("PUT", json!({"base_url": "http://127.0.0.1:1/v1"})),
        ("PUT", json!({"api_key": "sk-another-key-000000"})),
        ("DELETE", Value::Null),
    ];
    for (method, change) in changes {
        let gate = Gate::shut();
        let up = Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).start().await;
        let next = Upstream::scripted().reply(chat("next")).start().await;
        let gw = Gateway::empty().start().await;
        let id = gw.admin().add_channel(&up, &["m"]).await;
        let path = format!("/api/channels/{id}");
        let mut stream = gw.chat("m").say("hi").stream().open().await;
        stream.read_until("\"a\"").await;

        gw.admin().add_channel(&next, &["m"]).await;
        match method {
            "DELETE" => assert_eq!(gw.admin().delete(&path).await.status, 204),
            _ => assert_eq!(gw.admin().put(&path, &change).await.status, 200, "{change}"),
        }
        if change.get("base_url").is_some() || change.get("api_key").is_some() {
            // The changed channel still serves, at another place: drain it, so that the next call has one answer.
            assert_eq!(gw.admin().patch(&path, &json!({"weight": 0})).await.status, 200);
        }
        gw.chat("m").say("hi").send().await.assert_text("next");

        gate.open();
        stream.rest().await.assert_text("ab");
    }
}

#[tokio::test]
async fn a_channel_with_another_key_is_not_charged_with_what_its_old_account_used_up() {
    let up = Upstream::answering(|request| match request.header("authorization") {
        Some("Bearer sk-account-1") => status(429).retry_after(60),
        _ => chat("ok"),
    });
    let up = up.start().await;
    let gw = Gateway::serving("m", [&up]).channel(&up, "api_key", "sk-account-1").start().await;
    for _ in 0..2 {
        assert_eq!(gw.chat("m").say("hi").send().await.status, 429);
    }
    assert_eq!(up.count(), 1, "the account is left alone");

    let text = std::fs::read_to_string(gw.config_path()).expect("the configuration can be read");
    gw.write_config(&text.replace("sk-account-1", "sk-account-2"));

    until("the new account is asked", async || {
        (gw.chat("m").say("hi").send().await.status == 200).then_some(())
    })
    .await;
    // It has been asked with keys that are not the harness's.
    up.forgive();
}

#[tokio::test]
async fn a_hangup_signal_reloads() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let Some(gw) = Gateway::serving("m", [&up]).spawn().await else { return };

    gw.hang_up();

    until("the reload is shown", async || {
        let shown = gw.admin().read("/api/config").await;
        (shown["last_reload"]["cause"] == "signal").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_broken_file_is_logged_once() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let Some(gw) = Gateway::serving("m", [&up]).spawn().await else { return };
    let good = std::fs::read_to_string(gw.config_path()).expect("the file is there");

    std::fs::write(gw.config_path(), good.replace("[server]", "[sevrer]")).expect("the file can be written");
    gw.says("sevrer").await;
    for _ in 0..5 {
        let refused = gw.admin().post("/api/config/reload", &json!({})).await;
        assert_eq!(refused.status, 422);
    }

    let lines = gw.output().lines().filter(|line| line.contains("sevrer")).count();
    assert_eq!(lines, 1, "{}", gw.output());
}
