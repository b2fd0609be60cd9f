use gateway_domain::{ChannelId, UserId};
use gateway_sessions::{Place, SessionKey};
use serde_json::{Value, json};

use super::gateway::{Gateway, NOW};

/// A gateway with user `ann`, channels `a` and `b`, model `m`, and a session of each user → channel pair given.
async fn with_sessions(pairs: &[(i64, i64, &str)]) -> Gateway {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    gateway.channel("a").await;
    gateway.channel("b").await;
    gateway.model("m").await;
    for (user, channel, model) in pairs {
        let key = SessionKey::of_user(UserId(*user), (*model).into());
        gateway.sessions.remember(&key, ChannelId(*channel), NOW);
    }
    gateway
}

async fn left(gateway: &Gateway) -> Vec<(i64, i64)> {
    let list = gateway.get("/api/sessions").await.ok();
    let number = |session: &Value, name: &str| session[name].as_i64().unwrap();
    let mut left: Vec<_> =
        list.as_array().unwrap().iter().map(|s| (number(s, "user_id"), number(s, "channel_id"))).collect();
    left.sort_unstable();
    left
}

#[tokio::test]
async fn sessions_are_listed_shown_and_ended() {
    let gateway = with_sessions(&[(1, 1, "m")]).await;
    let key = SessionKey::of_conversation(UserId(1), "m".into(), b"chat-7");
    gateway.sessions.remember(&key, ChannelId(2), NOW);
    let list = gateway.get("/api/sessions").await.ok();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let plain = gateway.get("/api/sessions/1").await.ok();
    assert_eq!((&plain["user_name"], &plain["channel_name"]), (&json!("ann"), &json!("a")));
    assert_eq!((&plain["model"], &plain["conversation"]), (&json!("m"), &Value::Null));
    assert_eq!(plain["last_used_at"], "2026-01-31T10:00:00Z");
    assert!(gateway.get("/api/sessions/2").await.ok()["conversation"].is_string());
    assert_eq!(gateway.get("/api/sessions?limit=1").await.ok().as_array().unwrap().len(), 1);

    assert_eq!(gateway.delete("/api/sessions/1").await.status, 204);
    gateway.delete("/api/sessions/1").await.refused(404, "not_found");
    gateway.get("/api/sessions/1").await.refused(404, "not_found");
    let bad = gateway.delete("/api/sessions/x").await;
    bad.refused(400, "invalid_id");
    assert_eq!(bad.message(), "invalid session ID");
    gateway.get("/api/sessions?limit=0").await.refused_for(422, "invalid_value", "limit");
    gateway.get("/api/sessions?page=2").await.refused_for(400, "unknown_field", "page");
}

#[tokio::test]
async fn an_ended_session_draws_its_next_channel_by_chance_and_others_stay() {
    let gateway = with_sessions(&[(1, 1, "m"), (1, 2, "n")]).await;
    let place = |model: &str| gateway.sessions.place_of(&SessionKey::of_user(UserId(1), model.into()), NOW);
    assert_eq!(gateway.delete("/api/sessions/1").await.status, 204);
    assert_eq!([place("m"), place("n")], [Place::Redraw, Place::Known(ChannelId(2))]);
}

#[tokio::test]
async fn no_sessions_are_an_empty_list() {
    assert_eq!(Gateway::new().get("/api/sessions").await.text(), "[]");
}

#[tokio::test]
async fn a_deleted_channel_user_or_model_takes_its_sessions_along() {
    let all = [(1, 1, "m"), (1, 2, "n"), (2, 1, "m"), (2, 2, "n")];
    let gateway = with_sessions(&all).await;
    gateway.delete("/api/channels/1").await;
    assert_eq!(left(&gateway).await, [(1, 2), (2, 2)]);
    gateway.delete("/api/users/1").await;
    assert_eq!(left(&gateway).await, [(2, 2)]);
    let gateway = with_sessions(&all).await;
    gateway.delete("/api/models/1").await;
    assert_eq!(left(&gateway).await, [(1, 2), (2, 2)]);
}

#[tokio::test]
async fn a_disabled_channel_holds_nobody_and_an_enabled_one_keeps_everybody() {
    let gateway = with_sessions(&[(1, 1, "m"), (1, 2, "n")]).await;
    gateway.put("/api/channels/1", json!({"weight": 20})).await.ok();
    assert_eq!(left(&gateway).await, [(1, 1), (1, 2)]);
    gateway.put("/api/channels/1", json!({"enabled": false})).await.ok();
    assert_eq!(left(&gateway).await, [(1, 2)]);
}

#[tokio::test]
async fn a_renamed_model_loses_the_sessions_under_its_old_name() {
    let gateway = with_sessions(&[(1, 1, "m"), (1, 2, "n")]).await;
    gateway.put("/api/models/1", json!({"name": "m"})).await.ok();
    assert_eq!(left(&gateway).await.len(), 2);
    gateway.put("/api/models/1", json!({"name": "k"})).await.ok();
    assert_eq!(left(&gateway).await, [(1, 2)]);
}
