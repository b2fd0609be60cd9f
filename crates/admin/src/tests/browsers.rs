//! What a web page in an administrator's browser cannot do.

use gateway_config::{AdminSettings, Settings};
use serde_json::json;

use super::gateway::{Gateway, TOKEN};

fn allowing(token: Option<&str>, hosts: &[&str]) -> Gateway {
    let allowed_hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let admin = AdminSettings { allowed_hosts, ..AdminSettings::default() };
    Gateway::with(token, Settings { admin, ..Settings::default() })
}

async fn status_for(gateway: &Gateway, host: Option<&str>) -> u16 {
    gateway.ask("GET", "/api/status").host(host).send().await.status.as_u16()
}

#[tokio::test]
async fn without_auth_only_loopback_names_answer() {
    let gateway = allowing(None, &[]);
    for host in ["localhost", "localhost:8080", "LOCALHOST.", "127.0.0.1:8080", "[::1]:80", "gw.localhost"] {
        assert_eq!(status_for(&gateway, Some(host)).await, 200, "{host}");
    }
    for host in
        ["evil.test", "localhost.evil.test", "192.0.2.1", "127.0.0.1.nip.io", "", "a b", "localhost:x"]
    {
        let reply = gateway.ask("GET", "/api/status").host(Some(host)).send().await;
        reply.refused(403, "host_not_allowed");
        assert!(reply.message().contains("admin.allowed_hosts"), "{host}");
    }
    assert_eq!(status_for(&gateway, None).await, 403);
}

#[tokio::test]
async fn with_a_token_and_no_list_every_host_answers() {
    let gateway = allowing(Some(TOKEN), &[]);
    for host in [Some("gateway.example"), Some("192.0.2.1:80"), None] {
        assert_eq!(status_for(&gateway, host).await, 200, "{host:?}");
    }
}

#[tokio::test]
async fn a_list_lets_in_its_names_loopback_and_addresses() {
    let gateway = allowing(Some(TOKEN), &["gateway.example", "admin.example:8443"]);
    for host in [
        "gateway.example",
        "Gateway.Example:80",
        "admin.example:8443",
        "localhost",
        "192.0.2.1",
        "[2001:db8::1]",
    ] {
        assert_eq!(status_for(&gateway, Some(host)).await, 200, "{host}");
    }
    for host in ["evil.test", "admin.example", "admin.example:80", "x.gateway.example"] {
        assert_eq!(status_for(&gateway, Some(host)).await, 403, "{host}");
    }
}

#[tokio::test]
async fn two_hosts_are_none() {
    let gateway = allowing(None, &[]);
    let reply = gateway.ask("GET", "/api/status").header("host", "evil.test").send().await;
    reply.refused(403, "host_not_allowed");
}

#[tokio::test]
async fn a_write_from_another_site_is_refused() {
    let gateway = Gateway::new();
    let foreign = [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:9999"),
        ("origin", "http://127.0.0.1:8080.evil.test"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (name, value) in foreign {
        let ask = gateway.ask("POST", "/api/models").json(&json!({"name": "m"}));
        ask.header(name, value).send().await.refused(403, "cross_site_request");
        let ask = gateway.ask("DELETE", "/api/models/1").header(name, value);
        ask.send().await.refused(403, "cross_site_request");
    }
    assert_eq!(gateway.get("/api/models").await.text(), "[]");
}

#[tokio::test]
async fn a_write_from_our_own_pages_is_taken() {
    let gateway = allowing(Some(TOKEN), &["gateway.example"]);
    let own = [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("gateway.example", "https://gateway.example"),
        ("gateway.example:443", "https://gateway.example"),
        ("10.0.0.1:8080", "https://gateway.example"),
    ];
    for (number, (host, origin)) in own.into_iter().enumerate() {
        let ask = gateway.ask("POST", "/api/models").host(Some(host)).header("origin", origin);
        let ask = ask.header("sec-fetch-site", "same-origin").json(&json!({"name": format!("m{number}")}));
        assert_eq!(ask.send().await.status, 201, "{host} {origin}");
    }
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let gateway = Gateway::new();
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx"]
    {
        let ask = gateway.ask("POST", "/api/models").header("content-type", kind).body(r#"{"name":"m"}"#);
        ask.send().await.refused(415, "unsupported_media_type");
    }
    let kinds = ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"];
    for (number, kind) in kinds.into_iter().enumerate() {
        let ask = gateway.ask("POST", "/api/models").header("content-type", kind);
        assert_eq!(ask.body(format!(r#"{{"name":"m{number}"}}"#)).send().await.status, 201, "{kind}");
    }
    let packed =
        gateway.ask("POST", "/api/models").json(&json!({"name": "z"})).header("content-encoding", "gzip");
    packed.send().await.refused(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_without_a_type_is_read_unless_a_browser_sent_it() {
    let gateway = Gateway::new();
    let plain = gateway.ask("POST", "/api/models").body(r#"{"name":"m"}"#);
    assert_eq!(plain.send().await.status, 201);
    let browser = gateway.ask("POST", "/api/models").body(r#"{"name":"n"}"#);
    let browser = browser.header("origin", "http://127.0.0.1:8080");
    browser.send().await.refused(415, "unsupported_media_type");
}
