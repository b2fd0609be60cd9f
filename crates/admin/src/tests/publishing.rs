//! A change is in force before its answer is sent, whatever happens to the caller.

use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use gateway_config::{Cause, ReloadStatus};
use http::Request;
use serde_json::json;

use super::gateway::{Gateway, NOW, TOKEN, a_problem};
use crate::Caller;

#[tokio::test]
async fn every_change_is_in_force_when_it_is_answered() {
    let gateway = Gateway::new();
    gateway.channel("a").await;
    assert!(gateway.live.load().channels.len() == 1);
    gateway.put("/api/channels/1", json!({"enabled": false})).await.ok();
    assert!(gateway.live.load().channels.values().all(|channel| !channel.enabled));
    gateway.model("m").await;
    gateway.post("/api/models/1/channels", json!({"channel_id": 1, "backend_model_name": "x"})).await.made();
    assert_eq!(gateway.live.load().models["m"].mappings.len(), 1);
    gateway.delete("/api/models/1/channels/1").await;
    assert_eq!(gateway.live.load().models["m"].mappings.len(), 0);
    gateway.delete("/api/channels/1").await;
    assert!(gateway.live.load().channels.is_empty());
}

#[tokio::test]
async fn a_refused_change_publishes_nothing() {
    let gateway = Gateway::new();
    gateway.model("m").await;
    let version = gateway.live.load().version;
    gateway.post("/api/models", json!({"name": "m"})).await.refused_for(409, "conflict", "name");
    gateway.delete("/api/models/9").await.refused(404, "not_found");
    assert_eq!(gateway.live.load().version, version);
}

#[tokio::test]
async fn a_change_that_is_saved_but_not_in_force_says_so() {
    let gateway = Gateway::new();
    gateway.fail_publishing();
    let made = gateway.post("/api/models", json!({"name": "m"})).await;
    assert_eq!(made.status, 201);
    assert!(made.header("x-gateway-warning").unwrap().contains("not in force"));
    assert_eq!(gateway.store.models().unwrap().len(), 1);
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_stop_a_change_half_way() {
    let gateway = Gateway::new();
    let version = gateway.live.load().version;
    let request = Request::post("/api/models").header("authorization", format!("Bearer {TOKEN}"));
    let (head, ()) = request.body(()).unwrap().into_parts();
    let body = Bytes::from_static(br#"{"name":"m"}"#);
    let caller = Caller { peer: "127.0.0.1".parse().unwrap(), tls: false, data_plane: true };
    {
        let call = gateway.admin.handle(head, body, caller, "req-1");
        let mut call = std::pin::pin!(call);
        // Polled once, so that the job is on its way; then dropped, as a server does when the client is gone.
        let _not_awaited = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    while gateway.live.load().version == version {
        tokio::task::yield_now().await;
    }
    assert!(gateway.live.load().models.contains_key("m"));
}

#[test]
fn more_changes_at_once_than_there_are_threads_do_not_wait_for_each_other_for_ever() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).max_blocking_threads(20).build().unwrap();
    let gateway = Arc::new(Gateway::publishing_on(&runtime));
    let calls: Vec<_> = (0..64)
        .map(|number| {
            let gateway = Arc::clone(&gateway);
            runtime.spawn(async move { gateway.model(&format!("m{number}")).await })
        })
        .collect();
    for call in calls {
        runtime.block_on(call).unwrap();
    }
    assert_eq!(gateway.live.load().models.len(), 64);
}

#[tokio::test]
async fn a_reload_answers_with_the_version_or_with_every_problem() {
    let gateway = Gateway::new();
    let before = gateway.live.load().version;
    let done = gateway.ask("POST", "/api/config/reload").send().await.ok();
    assert_eq!((&done["version"], &done["restart_needed"]), (&json!(before + 1), &json!(["server.port"])));
    gateway.break_the_file();
    let broken = gateway.ask("POST", "/api/config/reload").send().await;
    broken.refused(422, "invalid_configuration");
    assert!(broken.message().contains("gateway.toml:12:3: server.prot: unknown key"), "{}", broken.message());
    let problem = &broken.json()["error"]["problems"][0];
    assert_eq!((&problem["param"], &problem["line"]), (&json!("server.prot"), &json!(12)));
    assert_eq!(gateway.live.load().version, before + 1);
    // A broken file does not keep anybody from changing channels.
    assert_eq!(gateway.post("/api/models", json!({"name": "m"})).await.header("x-gateway-warning"), None);
}

#[tokio::test]
async fn details_of_the_machine_stay_in_the_log() {
    let gateway = Gateway::new();
    gateway.fail_publishing();
    let failed = gateway.ask("POST", "/api/config/reload").send().await;
    failed.refused(503, "storage_error");
    assert!(!failed.text().contains("/var/secret/path"), "{failed:?}");
}

#[tokio::test]
async fn the_last_reload_is_shown_with_its_problems() {
    let gateway = Gateway::new();
    let status = ReloadStatus {
        last_attempt: NOW,
        cause: Cause::FileChanged,
        ok: false,
        problems: vec![a_problem()],
        ..(**gateway.reload.load()).clone()
    };
    gateway.reload.store(Arc::new(status));
    let reload = gateway.get("/api/config").await.ok()["last_reload"].clone();
    assert_eq!((&reload["ok"], &reload["cause"]), (&json!(false), &json!("file_changed")));
    assert_eq!(reload["problems"][0]["advice"], "did you mean `port`?");
    assert_eq!(gateway.get("/api/status").await.ok()["last_reload"], reload);
}
