//! Who stays with whom, for how long, and what ends it.

use gateway_tests::{Admin, Gateway, Upstream, chat, ms, reset, until, user_keys, weighted};
use serde_json::json;

async fn two() -> (Upstream, Upstream) {
    let one = Upstream::answering(|_| chat("ok")).start().await;
    let other = Upstream::answering(|_| chat("ok")).start().await;
    (one, other)
}

async fn ask(gw: &Gateway, model: &str, key: &str) -> String {
    let answer = gw.chat(model).say("hi").key(key).send().await;
    answer.assert_text("ok");
    answer.channel().to_owned()
}

async fn sessions(admin: &Admin) -> Vec<serde_json::Value> {
    admin.list("/api/sessions").await
}

/// The defect of the original: A only on one channel, B only on the other, asked in turn, locked the user out.
#[tokio::test]
async fn two_models_on_two_channels_asked_in_turn_lock_nobody_out() {
    let (one, other) = two().await;
    let gw = Gateway::serving("a", [&one]).model("b", weighted([(&other, 10)])).start().await;
    let key = gateway_tests::USER_KEY;

    for _ in 0..10 {
        assert_eq!(ask(&gw, "a", key).await, one.name());
        assert_eq!(ask(&gw, "b", key).await, other.name());
    }

    assert_eq!(sessions(&gw.admin()).await.len(), 2, "one session for each model");
}

#[tokio::test]
async fn a_channel_that_is_replaced_and_returns_locks_nobody_out() {
    let (one, other) = two().await;
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let first = admin.add_channel(&one, &["m"]).await;
    let second = admin.add_channel(&other, &["m"]).await;
    let enable = async |id: i64, enabled: bool| {
        let answer = admin.put(&format!("/api/channels/{id}"), &json!({"enabled": enabled})).await;
        assert_eq!(answer.status, 200, "{}", answer.body_text());
    };
    for _ in 0..4 {
        enable(second, false).await;
        assert_eq!(ask(&gw, "m", gateway_tests::USER_KEY).await, one.name());
        enable(second, true).await;
        enable(first, false).await;
        assert_eq!(ask(&gw, "m", gateway_tests::USER_KEY).await, other.name());
        enable(first, true).await;
    }
}

#[tokio::test]
async fn a_session_is_shown_and_its_deletion_frees_the_user() {
    let (one, other) = two().await;
    let gw = Gateway::serving("m", [&one, &other]).start().await;
    let channel = ask(&gw, "m", gateway_tests::USER_KEY).await;
    let admin = gw.admin();

    let shown = sessions(&admin).await;
    assert_eq!(shown.len(), 1);
    let session = &shown[0];
    let user = admin.id_of("/api/users", "tester").await;
    let served_by = admin.id_of("/api/channels", &channel).await;
    assert_eq!((session["user_id"].as_i64(), session["channel_id"].as_i64()), (Some(user), Some(served_by)));
    assert!(session["last_used_at"].is_string() && session["created_at"].is_string(), "{session}");

    let path = format!("/api/sessions/{}", session["id"]);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(sessions(&admin).await.len(), 0);
    assert_eq!(admin.delete(&path).await.status, 404);
    ask(&gw, "m", gateway_tests::USER_KEY).await;
    assert_eq!(sessions(&admin).await.len(), 1);
}

/// Its home would take it back every time; two channels of equal weight share what is drawn.
#[tokio::test]
async fn a_session_that_was_ended_is_drawn_anew_and_then_stays() {
    let (one, other) = two().await;
    let gw = Gateway::serving("m", [&one, &other]).start().await;
    let admin = gw.admin();
    let home = ask(&gw, "m", gateway_tests::USER_KEY).await;
    let mut moved = 0;
    for _ in 0..40 {
        let id = sessions(&admin).await[0]["id"].clone();
        assert_eq!(admin.delete(&format!("/api/sessions/{id}")).await.status, 204);
        let told = admin.read("/api/routing/explain?model=m&user=tester").await;
        assert_eq!((&told["session"]["place"], &told["keyed"]), (&json!("redraw"), &json!(false)), "{told}");
        let drawn = ask(&gw, "m", gateway_tests::USER_KEY).await;
        assert_eq!(ask(&gw, "m", gateway_tests::USER_KEY).await, drawn, "once drawn, it stays");
        moved += u32::from(drawn != home);
    }
    assert!((5..=35).contains(&moved), "{moved} of 40 left their home");
}

#[tokio::test]
async fn an_idle_session_ends_by_itself() {
    let (one, other) = two().await;
    let gw = Gateway::serving("m", [&one, &other]).set("session.idle_timeout", "1s").start().await;
    ask(&gw, "m", gateway_tests::USER_KEY).await;

    until("the session is swept", async || sessions(&gw.admin()).await.is_empty().then_some(())).await;
}

/// By weight alone each call without a session is given away by chance: what stays together is the memory's doing.
#[tokio::test]
async fn sessions_survive_a_restart() {
    let (one, other) = two().await;
    let keys = user_keys("restart", 20);
    let mut gw =
        Gateway::serving("m", [&one, &other]).users(&keys).set("proxy.policy", "weighted").start().await;
    let mut before = Vec::new();
    for key in &keys {
        before.push(ask(&gw, "m", key).await);
    }
    let shown = sessions(&gw.admin()).await;

    gw.restart().await;

    assert_eq!(sessions(&gw.admin()).await.len(), shown.len());
    for (key, channel) in keys.iter().zip(&before) {
        assert_eq!(&ask(&gw, "m", key).await, channel);
    }
    assert_eq!(sessions(&gw.admin()).await.len(), shown.len(), "nobody was given a second session");
}

#[tokio::test]
async fn a_moved_session_is_still_moved_after_a_restart() {
    let (one, other) = two().await;
    let mut gw = Gateway::serving("m", [&one, &other]).set("proxy.policy", "weighted").start().await;
    let home = ask(&gw, "m", gateway_tests::USER_KEY).await;
    let (bad, good) = if home == one.name() { (&one, &other) } else { (&other, &one) };
    bad.set_always(reset());
    assert_eq!(ask(&gw, "m", gateway_tests::USER_KEY).await, good.name());
    bad.set_always(chat("ok"));

    gw.restart().await;

    assert_eq!(ask(&gw, "m", gateway_tests::USER_KEY).await, good.name());
}

#[tokio::test]
async fn a_failing_channel_loses_its_session_once_and_there_is_no_way_back_and_forth() {
    let (one, other) = two().await;
    let gw = Gateway::serving("m", [&one, &other]).set("proxy.policy", "weighted").start().await;
    let home = ask(&gw, "m", gateway_tests::USER_KEY).await;
    let (bad, good) = if home == one.name() { (&one, &other) } else { (&other, &one) };
    bad.set_always(reset());

    assert_eq!(ask(&gw, "m", gateway_tests::USER_KEY).await, good.name());
    let asked = bad.count();

    for _ in 0..20 {
        assert_eq!(ask(&gw, "m", gateway_tests::USER_KEY).await, good.name());
    }

    assert_eq!(bad.count(), asked, "the failing channel was asked again");
}

#[tokio::test]
async fn deleting_a_channel_or_a_user_or_a_model_ends_their_sessions() {
    let (one, other) = two().await;
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let channel = admin.add_channel(&one, &["m"]).await;
    admin.add_channel(&other, &["n"]).await;
    let user = admin.create("/api/users", &json!({"name": "u", "api_key": "sk-canaryuser-deleted-01"})).await;
    ask(&gw, "m", gateway_tests::USER_KEY).await;
    ask(&gw, "n", gateway_tests::USER_KEY).await;
    ask(&gw, "n", "sk-canaryuser-deleted-01").await;
    assert_eq!(sessions(&admin).await.len(), 3);

    assert_eq!(admin.delete(&format!("/api/users/{user}")).await.status, 204);
    assert_eq!(sessions(&admin).await.len(), 2);
    assert_eq!(admin.delete(&format!("/api/channels/{channel}")).await.status, 204);
    assert_eq!(sessions(&admin).await.len(), 1);
    let model = admin.id_of("/api/models", "n").await;
    assert_eq!(admin.delete(&format!("/api/models/{model}")).await.status, 204);
    assert_eq!(sessions(&admin).await.len(), 0);
}

#[tokio::test]
async fn many_calls_of_one_user_at_once_make_one_session() {
    let one = Upstream::answering(|_| chat("ok").after(ms(80))).start().await;
    let other = Upstream::answering(|_| chat("ok").after(ms(80))).start().await;
    let gw = Gateway::serving("m", [&one, &other]).set("server.workers", 2).start().await;
    let calls = (0..40).map(|_| ask(&gw, "m", gateway_tests::USER_KEY));

    let mut channels = gateway_tests::all(calls).await;

    channels.dedup();
    assert_eq!(channels.len(), 1, "{channels:?}");
    assert_eq!(sessions(&gw.admin()).await.len(), 1);
}
