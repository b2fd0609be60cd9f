//! Who gets which call.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gateway_tests::{Gateway, Line, Upstream, all, chat, in_order, ms, status, until, user_keys, weighted};
use http::Method;
use serde_json::json;

/// How long an ordinary channel takes to answer.
const ORDINARY: Duration = ms(80);

/// Who answered how often, and how many answers took half as long again as their channel did.
struct Measured {
    counts: BTreeMap<String, usize>,
    late: usize,
}

async fn ordinary() -> Upstream {
    Upstream::answering(|_| chat("ok").after(ORDINARY)).start().await
}

/// Sends one chat for each key, on eighty connections, and counts the answers by channel. Every one must be good.
async fn ask_with_keys(gw: &Gateway, keys: &[String]) -> Measured {
    let lanes = keys.chunks(keys.len().div_ceil(80)).enumerate().map(|(number, keys)| async move {
        // Not all at once: opening eighty connections in one moment is a stall of our own making.
        tokio::time::sleep(ms(4) * u32::try_from(number).expect("few lanes")).await;
        let mut line = Line::new();
        let mut answers = Vec::new();
        for key in keys {
            let sent = Instant::now();
            let answer = line.send(gw.chat("m").say("hi").key(key).call()).await.expect("an answer");
            answer.assert_text("ok");
            answers.push((answer.channel().to_owned(), sent.elapsed()));
        }
        answers
    });
    let mut measured = Measured { counts: BTreeMap::new(), late: 0 };
    for (channel, took) in all(lanes).await.into_iter().flatten() {
        *measured.counts.entry(channel).or_default() += 1;
        measured.late += usize::from(took > ORDINARY * 3 / 2);
    }
    assert_eq!(measured.counts.values().sum::<usize>(), keys.len());
    measured
}

/// The routing answers to congestion, and to its eyes a machine that stalls looks like congested channels. So what
/// does not hold is measured again when many answers were late; when few were, it fails at once.
async fn holds_on_calm_days(what: &str, mut measure: impl AsyncFnMut() -> (Measured, bool)) {
    for _ in 0..4 {
        let (measured, holds) = measure().await;
        if holds {
            return;
        }
        let Measured { counts, late } = measured;
        assert!(late > 10, "{what}: {counts:?}, and only {late} answers were late");
        eprintln!("measured again, for {late} answers were late: {counts:?}");
    }
    panic!("{what}: not once in four measurements on a machine that stalls");
}

#[tokio::test]
async fn four_thousand_users_are_shared_out_as_the_weights_say() {
    let keys = user_keys("share", 4_000);
    holds_on_calm_days("10:30 is 25:75 within 3 points", async || {
        let (small, large) = (ordinary().await, ordinary().await);
        let channels = weighted([(&small, 10), (&large, 30)]);
        let gw = Gateway::serving_weighted("m", channels).users(&keys).start().await;

        let measured = ask_with_keys(&gw, &keys).await;

        let share = measured.counts.get(small.name()).copied().unwrap_or(0) * 1000 / keys.len();
        (measured, (220..=280).contains(&share))
    })
    .await;
}

#[tokio::test]
async fn one_user_stays_with_one_channel_for_a_thousand_requests() {
    let keys = vec![gateway_tests::USER_KEY.to_owned(); 1_000];
    holds_on_calm_days("one user has one channel", async || {
        let (one, other) = (ordinary().await, ordinary().await);
        let gw = Gateway::serving("m", [&one, &other]).start().await;

        let measured = ask_with_keys(&gw, &keys).await;

        let channels = measured.counts.len();
        (measured, channels == 1)
    })
    .await;
}

#[tokio::test]
async fn the_next_request_after_a_channel_is_disabled_goes_elsewhere_without_an_error() {
    let one = Upstream::answering(|_| chat("ok")).start().await;
    let other = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::empty().start().await;
    gw.admin().add_channel(&one, &["m"]).await;
    gw.admin().add_channel(&other, &["m"]).await;

    for _ in 0..4 {
        let before = gw.chat("m").say("hi").send().await;
        let channels = gw.admin();
        let id = channels.id_of("/api/channels", before.channel()).await;
        assert_eq!(
            channels.put(&format!("/api/channels/{id}"), &json!({"enabled": false})).await.status,
            200
        );

        let after = gw.chat("m").say("hi").send().await;

        after.assert_text("ok");
        assert_eq!(after.attempts(), 1);
        assert_ne!(after.channel(), before.channel());
        assert_eq!(channels.put(&format!("/api/channels/{id}"), &json!({"enabled": true})).await.status, 200);
    }
}

#[tokio::test]
async fn a_weight_of_zero_drains_a_channel_even_of_its_sessions() {
    let one = Upstream::answering(|_| chat("ok")).start().await;
    let other = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::empty().start().await;
    gw.admin().add_channel(&one, &["m"]).await;
    gw.admin().add_channel(&other, &["m"]).await;
    let before = gw.chat("m").say("hi").send().await;
    let id = gw.admin().id_of("/api/channels", before.channel()).await;

    assert_eq!(gw.admin().patch(&format!("/api/channels/{id}"), &json!({"weight": 0})).await.status, 200);

    for _ in 0..20 {
        assert_ne!(gw.chat("m").say("hi").send().await.channel(), before.channel());
    }
}

#[tokio::test]
async fn each_channel_is_asked_for_its_own_name_of_the_model() {
    let one = Upstream::scripted().reply(status(503)).start().await;
    let other = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving_weighted("public", in_order([&one, &other]))
        .mapping("public", &one, "model", "first-name")
        .mapping("public", &other, "model", "second-name")
        .start()
        .await;

    gw.chat("public").say("hi").send().await.assert_text("ok");

    assert_eq!(one.only_request().model(), "first-name");
    assert_eq!(other.only_request().model(), "second-name");
}

#[tokio::test]
async fn a_wildcard_channel_serves_what_is_not_mapped_under_the_clients_name() {
    let mapped = Upstream::scripted().times(2, chat("mapped")).start().await;
    let wild = Upstream::scripted().times(2, chat("wild")).start().await;
    let gw = Gateway::serving("known", [&mapped]).wildcard(&wild).start().await;

    gw.chat("known").say("hi").send().await.assert_text("mapped");
    gw.chat("never/heard-of:it").say("hi").send().await.assert_text("wild");
    gw.chat("known").say("hi").send().await.assert_text("mapped");
    gw.chat("öther").say("hi").send().await.assert_text("wild");

    let names: Vec<String> = wild.requests().iter().map(gateway_tests::Received::model).collect();
    assert_eq!(names, ["never/heard-of:it", "öther"]);
}

#[tokio::test]
async fn without_any_channel_the_answer_is_503_at_once() {
    let only = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&only]).channel(&only, "enabled", false).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    answer.assert_error(503, "no_channel_available");
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_user_is_limited_to_the_models_it_may_use() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("allowed", [&up])
        .model("forbidden", weighted([(&up, 10)]))
        .set("proxy.default_channel", up.name())
        .config(|toml| {
            let user = toml["users"][0].as_table_mut().expect("a table");
            user.insert("models".to_owned(), toml::Value::Array(vec!["allowed".into()]));
        })
        .start()
        .await;

    gw.chat("allowed").say("hi").send().await.assert_text("ok");
    gw.chat("forbidden").say("hi").send().await.assert_error(404, "model_not_found");
    // Naming none is no way around: the default channel is not one of its models.
    gw.post("/v1/moderations", r#"{"input":"hi"}"#).send().await.assert_error(400, "missing_model");
}

#[tokio::test]
async fn every_json_endpoint_takes_the_same_path() {
    let endpoints = [
        "/completions",
        "/embeddings",
        "/responses",
        "/moderations",
        "/images/generations",
        "/audio/speech",
        "/chat/completions",
    ];
    let up = Upstream::scripted().times(endpoints.len(), chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).mapping("m", &up, "model", "backend").start().await;

    for endpoint in endpoints {
        let call = gw.post(&format!("/v1{endpoint}"), r#"{"model":"m","input":"x"}"#);
        assert_eq!(call.send().await.status, 200, "{endpoint}");
    }

    for (request, endpoint) in up.requests().iter().zip(endpoints) {
        assert_eq!(
            (request.target(), request.model().as_str()),
            (format!("/v1{endpoint}").as_str(), "backend")
        );
    }
}

#[tokio::test]
async fn a_base_url_works_with_and_without_its_path_and_slash() {
    let up = Upstream::scripted().times(3, chat("ok")).start().await;
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    for (number, url) in ["", "/v1", "/v1/"].iter().enumerate() {
        let url = format!("http://{}{url}", up.address());
        let model = format!("m{number}");
        let channel = json!({"name": format!("c{number}"), "base_url": url, "api_key": up.key(), "enabled": true,
                             "models": [model], "probe": "off"});
        admin.create("/api/channels", &channel).await;
        gw.chat(&model).say("hi").send().await.assert_text("ok");
    }
    assert!(up.requests().iter().all(|request| request.target() == "/v1/chat/completions"));
}

#[tokio::test]
async fn the_gateway_answers_with_and_without_v1_in_the_clients_base_url() {
    let up = Upstream::scripted().times(2, chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;

    for path in ["/v1/chat/completions", "/chat/completions"] {
        let body = json!({"model": "m", "messages": []});
        gw.call(Method::POST, path).json(&body).send().await.assert_text("ok");
    }
}

#[tokio::test]
async fn a_channel_never_gets_more_calls_at_a_time_than_it_may() {
    let gate = gateway_tests::Gate::shut();
    let held = gate.clone();
    let narrow = Upstream::answering(move |_| chat("narrow").behind(&held)).start().await;
    let wide = Upstream::answering(|_| chat("wide")).start().await;
    let keys = user_keys("crowd", 12);
    let gw = Gateway::serving_weighted("m", in_order([&narrow, &wide]))
        .channel(&narrow, "max_concurrency", 2)
        .users(&keys)
        .start()
        .await;

    let calls = keys.iter().map(|key| gw.chat("m").say("hi").key(key).send());
    let (answers, ()) = tokio::join!(all(calls), async {
        until("the wide channel took what the narrow one could not", async || {
            (wide.count() >= 10).then_some(())
        })
        .await;
        gate.open();
    });

    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(narrow.peak() <= 2, "{} at a time", narrow.peak());
}
