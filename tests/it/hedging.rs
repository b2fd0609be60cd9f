//! A second attempt beside a slow first one, and first tokens that are given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gateway_tests::{
    ADMIN_TOKEN, Gate, Gateway, GatewayBuilder, Reply, Upstream, chat, eventually, hang, in_order, ms, sse,
    status,
};
use serde_json::{Value, json};

/// Channels of one model in this order, the next one asked beside the first after so long.
pub(crate) fn hedged(upstreams: &[&Upstream], after: &str) -> GatewayBuilder {
    hedging(Gateway::serving_weighted("m", in_order(upstreams.iter().copied())), after)
}

/// The same of these models.
fn hedging(builder: GatewayBuilder, after: &str) -> GatewayBuilder {
    let after = after.to_owned();
    builder.config(move |table| {
        let models = table.get_mut("models").and_then(toml::Value::as_array_mut).expect("there are models");
        let hedge = toml::Table::from_iter([
            ("after".to_owned(), after.into()),
            ("max_percent".to_owned(), 50.into()),
        ]);
        for model in models.iter_mut().filter_map(toml::Value::as_table_mut) {
            model.insert("hedge".to_owned(), hedge.clone().into());
        }
    })
}

/// Calls that are answered at once, so that the budget knows of some requests.
async fn save_up(gw: &Gateway, calls: usize) {
    for _ in 0..calls {
        gw.chat("m").say("hi").send().await.assert_text("quick");
    }
}

/// Answers at once what does not stream, and streams as it is told.
pub(crate) async fn streaming(reply: impl Into<Reply>) -> Upstream {
    let reply = reply.into();
    Upstream::answering(move |request| if request.wants_stream() { reply.clone() } else { chat("quick") })
        .start()
        .await
}

async fn attempts(gw: &Gateway, id: &str) -> Vec<Value> {
    gw.admin().exchange(id).await;
    let record = gw.admin().read(&format!("/api/exchanges/{id}")).await;
    record["attempts"].as_array().expect("attempts are a list").clone()
}

#[tokio::test]
async fn a_late_first_attempt_gets_company_and_the_first_answer_wins() {
    let slow = streaming(hang()).await;
    let quick = streaming(sse(["from", " the second"])).await;
    let gw = hedged(&[&slow, &quick], "250ms").start().await;
    save_up(&gw, 4).await;

    let answer = gw.chat("m").say("hi").stream().send().await;

    answer.assert_text("from the second");
    assert_eq!((answer.channel(), answer.attempts()), (quick.name(), 2));
    eventually("the slow one is left", || slow.departures() == 1 && slow.in_flight() == 0).await;
    let attempts = attempts(&gw, answer.request_id()).await;
    let told: Vec<_> =
        attempts.iter().map(|a| (a["outcome"].as_str().unwrap(), a["hedge"] == true)).collect();
    assert_eq!(told, [("superseded", false), ("ok", true)]);
    let metrics = gw.metrics().await;
    assert_eq!(metrics.count("gateway_extra_attempts_total", &[("model", "m"), ("kind", "hedge")]), 1);
    // Who only was faster once does not take the session along.
    gw.chat("m").say("hi").send().await;
    assert_eq!(slow.count(), 6);
}

#[tokio::test]
async fn a_first_attempt_that_is_late_but_faster_than_its_hedge_wins() {
    let gate = Gate::shut();
    let slow = streaming(sse(["from the first"]).hold_before(0, &gate)).await;
    let slower = streaming(hang()).await;
    let gw = hedged(&[&slow, &slower], "250ms").start().await;
    save_up(&gw, 4).await;

    let call = gw.chat("m").say("hi").stream();
    let call = call.header("x-gateway-explain", "1").header("x-gateway-admin-token", ADMIN_TOKEN);
    let opener = async {
        eventually("there is a hedge", || slower.in_flight() == 1).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(call.send(), opener);

    answer.assert_text("from the first");
    let why = answer.header("x-gateway-route");
    assert!(why.starts_with(&format!("chosen={};", slow.name())), "it tells of the one that answered: {why}");
    eventually("the hedge is left", || slower.departures() == 1 && slower.in_flight() == 0).await;
    let attempts = attempts(&gw, answer.request_id()).await;
    let told: Vec<_> = attempts.iter().map(|a| a["outcome"].as_str().unwrap()).collect();
    assert_eq!(told, ["ok", "superseded"]);
}

#[tokio::test]
async fn a_hedge_that_fails_leaves_the_first_attempt_its_chance() {
    let gate = Gate::shut();
    let slow = streaming(sse(["from the first"]).hold_before(0, &gate)).await;
    let broken = streaming(status(500)).await;
    let gw = hedged(&[&slow, &broken], "250ms").start().await;
    save_up(&gw, 4).await;

    let call = gw.chat("m").say("hi").stream();
    let opener = async {
        eventually("the hedge has failed", || broken.count() == 1 && broken.in_flight() == 0).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(call.send(), opener);

    answer.assert_text("from the first");
    assert_eq!(answer.attempts(), 2);
}

#[tokio::test]
async fn a_first_attempt_that_fails_leaves_its_hedge_the_chance() {
    let (breaking, gate) = (Gate::shut(), Gate::shut());
    let breaks = streaming(sse(["never"]).hold_before(0, &breaking).reset_after(0)).await;
    let slow = streaming(sse(["from the hedge"]).hold_before(0, &gate)).await;
    let gw = hedged(&[&breaks, &slow], "250ms").start().await;
    save_up(&gw, 4).await;

    let call = gw.chat("m").say("hi").stream();
    let opener = async {
        eventually("there is a hedge", || slow.in_flight() == 1).await;
        breaking.open();
        eventually("the first has failed", || breaks.in_flight() == 0).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(call.send(), opener);

    answer.assert_text("from the hedge");
    assert_eq!(answer.attempts(), 2);
}

#[tokio::test]
async fn answers_in_one_piece_are_hedged_too() {
    let slow =
        Upstream::answering(|request| if request.json()["slow"] == true { hang() } else { chat("quick") });
    let slow = slow.start().await;
    let quick = streaming(hang()).await;
    let gw = hedged(&[&slow, &quick], "250ms").start().await;
    save_up(&gw, 4).await;
    gw.chat("m").say("hi").with("slow", json!(true)).send().await.assert_text("quick");
    assert_eq!(quick.count(), 1);
}

#[tokio::test]
async fn calls_that_leave_something_behind_are_never_made_twice() {
    let slow = streaming(Reply::from(sse(["from the first"])).after(ms(300))).await;
    let quick = streaming(sse(["never asked"])).await;
    let gw = hedged(&[&slow, &quick], "100ms").start().await;
    save_up(&gw, 8).await;
    // A machine that stalls may have hedged those.
    let before = quick.count();
    let stateful =
        [("store", json!(true)), ("previous_response_id", json!("r")), ("background", json!(true))];
    for (field, value) in stateful {
        let chat = gw.chat("m").say("hi").stream().with(field, value);
        chat.send().await.assert_text("from the first");
    }
    assert_eq!(quick.count(), before);
}

#[tokio::test]
async fn hedges_are_a_share_of_the_requests() {
    let slow = Upstream::answering(|_| chat("slow").after(ms(60))).start().await;
    let quick = Upstream::answering(|_| chat("quick")).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&slow, &quick]))
        .set("proxy.policy", "weighted")
        .config(|table| {
            let models =
                table.get_mut("models").and_then(toml::Value::as_array_mut).expect("there are models");
            for model in models.iter_mut().filter_map(toml::Value::as_table_mut) {
                model.insert("hedge".to_owned(), "10ms".into());
            }
        })
        .start()
        .await;
    for _ in 0..60 {
        assert_eq!(gw.chat("m").say("hi").send().await.status, 200);
    }
    // Five of a hundred, by default.
    assert_eq!(quick.count(), 3);
}

#[tokio::test]
async fn without_being_told_nothing_is_hedged() {
    let slow = Upstream::answering(|_| chat("slow").after(ms(100))).start().await;
    let quick = Upstream::answering(|_| chat("quick")).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&slow, &quick])).start().await;
    for _ in 0..5 {
        gw.chat("m").say("hi").send().await.assert_text("slow");
    }
    assert_eq!(quick.count(), 0);
}

#[tokio::test]
async fn a_first_token_that_hangs_is_given_up_for_a_channel_that_is_known_to_be_faster() {
    let first = Upstream::answering(|_| sse(["first"]).into()).start().await;
    let other = Upstream::answering(|_| sse(["other"]).into()).start().await;
    let gw = Gateway::serving("m", [&first, &other]).start().await;
    for session in 0..40 {
        let chat = gw.chat("m").say("hi").stream().header("x-session-id", &session.to_string());
        assert_eq!(chat.send().await.status, 200);
    }
    let home = gw.chat("m").say("hi").stream().send().await;
    let (hangs, well) = if home.channel() == first.name() { (&first, &other) } else { (&other, &first) };
    hangs.set_always(hang());

    // The first token is expected within three seconds at the latest; the hard limit is a minute.
    let answer = gw.chat("m").say("hi").stream().send().await;

    assert_eq!((answer.channel(), answer.attempts()), (well.name(), 2));
    let attempts = attempts(&gw, answer.request_id()).await;
    assert_eq!(attempts[0]["outcome"], "cut");
}

#[tokio::test]
async fn a_first_token_that_hangs_beside_a_hedge_is_given_up_once_the_hedge_has_failed() {
    // Whoever of the others is asked first refuses when the first token has long been late.
    let is_armed = Arc::new(AtomicBool::new(false));
    let mut upstreams = Vec::new();
    for name in ["one", "two", "three"] {
        let is_armed = Arc::clone(&is_armed);
        let answers = move |_: &_| {
            let refuses = is_armed.swap(false, Ordering::Relaxed);
            if refuses { status(503).after(ms(3_500)) } else { sse([name]).into() }
        };
        upstreams.push(Upstream::answering(answers).start().await);
    }
    let gw = hedging(Gateway::serving("m", &upstreams), "250ms").start().await;
    for session in 0..60 {
        let chat = gw.chat("m").say("hi").stream().header("x-session-id", &session.to_string());
        assert_eq!(chat.send().await.status, 200);
    }
    let home = gw.chat("m").say("hi").stream().send().await;
    let hangs =
        upstreams.iter().find(|upstream| upstream.name() == home.channel()).expect("it is one of them");
    hangs.set_always(hang());
    is_armed.store(true, Ordering::Relaxed);

    // The hard limit is a minute.
    let answer = gw.chat("m").say("hi").stream().send().await;

    assert_eq!((answer.status, answer.attempts()), (200, 3), "{}", answer.body_text());
    let attempts = attempts(&gw, answer.request_id()).await;
    let told: Vec<_> = attempts.iter().map(|a| a["outcome"].as_str().unwrap()).collect();
    assert_eq!(told, ["cut", "server_error", "ok"]);
}

#[tokio::test]
async fn a_hedge_that_nobody_is_well_enough_for_costs_no_budget() {
    let first = Upstream::answering(|_| status(503)).start().await;
    let out = Upstream::answering(|_| status(401)).start().await;
    let gw = hedged(&[&first, &out], "50ms").channel(&out, "requests_per_minute", 5).start().await;
    assert_eq!(gw.chat("m").say("hi").send().await.status, 502);
    assert_eq!(out.count(), 1, "from now on it is out");
    first.set_always(chat("quick"));
    save_up(&gw, 20).await;
    first.set_always(chat("late").after(ms(300)));
    for _ in 0..10 {
        gw.chat("m").say("hi").send().await.assert_text("late");
    }

    assert_eq!(out.count(), 1);
    let pools = gw.admin().read("/api/routing/pools").await;
    let limited: Vec<&Value> =
        pools[0]["channels"].as_array().unwrap().iter().map(|c| &c["limited_by"]).collect();
    assert_eq!(limited, [&Value::Null, &Value::Null], "{pools}");
}

#[tokio::test]
async fn a_promise_that_is_broken_beside_a_hedge_is_no_promise() {
    let breaking = Gate::shut();
    let breaks = streaming(sse(["never"]).hold_before(0, &breaking).reset_after(0)).await;
    let refuses = streaming(status(404).after(ms(1_500))).await;
    let gw = hedged(&[&breaks, &refuses], "50ms").set("proxy.commit_after", "1s").start().await;
    save_up(&gw, 4).await;

    let call = gw.chat("m").say("hi").stream();
    let breaker = async {
        eventually("there is a hedge", || refuses.in_flight() == 1).await;
        breaking.open();
    };
    let (answer, ()) = tokio::join!(call.send(), breaker);

    assert_eq!((answer.status, answer.attempts()), (404, 2), "{}", answer.body_text());
}

#[tokio::test]
async fn a_late_first_token_is_waited_for_where_no_retry_is_left() {
    let first = Upstream::answering(|_| sse(["first"]).into()).start().await;
    let other = Upstream::answering(|_| sse(["other"]).into()).start().await;
    let gw = Gateway::serving("m", [&first, &other])
        .set("proxy.retry_percent", 0)
        .set("proxy.retry_floor", 0)
        .start()
        .await;
    for session in 0..40 {
        let chat = gw.chat("m").say("hi").stream().header("x-session-id", &session.to_string());
        assert_eq!(chat.send().await.status, 200);
    }
    let home = gw.chat("m").say("hi").stream().send().await;
    let late = if home.channel() == first.name() { &first } else { &other };
    late.set_always(Reply::from(sse(["late"])).after(ms(4_000)));

    gw.chat("m").say("hi").stream().send().await.assert_text("late");
}
