//! Signing in at the web pages, what the cookie is good for, and what it is not.

use serde_json::json;

use super::gateway::{Ask, Gateway, Reply, TOKEN};

const ATTRIBUTES: &str = "; HttpOnly; SameSite=Strict; Path=/api";

/// What a page of ours sends without the token.
fn page<'g>(gateway: &'g Gateway, method: &str, path: &str) -> Ask<'g> {
    let ask = gateway.ask(method, path).token(None).header("sec-fetch-site", "same-origin");
    ask.header("x-gateway-ui", "1")
}

async fn login(gateway: &Gateway, token: &str) -> Reply {
    page(gateway, "POST", "/api/login").json(&json!({ "token": token })).send().await
}

/// Signs in, and gives the cookie as a browser sends it back.
async fn signed_in(gateway: &Gateway) -> String {
    let reply = login(gateway, TOKEN).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    let set = reply.header("set-cookie").unwrap();
    let cookie = set.strip_suffix(ATTRIBUTES).unwrap_or_else(|| panic!("{set}"));
    assert_eq!(cookie.strip_prefix("gateway_session=").unwrap().len(), 64, "{cookie}");
    cookie.to_owned()
}

#[tokio::test]
async fn the_token_becomes_a_cookie_that_opens_every_route() {
    let gateway = Gateway::new();
    let cookie = signed_in(&gateway).await;
    assert_eq!(page(&gateway, "GET", "/api/channels").header("cookie", &cookie).send().await.status, 200);
    let ask = page(&gateway, "POST", "/api/models").header("cookie", &cookie).json(&json!({"name": "m"}));
    ask.send().await.made();
    let ask = page(&gateway, "DELETE", "/api/models/1").header("cookie", &cookie);
    assert_eq!(ask.send().await.status, 204);
    // Scripts go on as before, whatever cookie they carry along.
    let ask = gateway.ask("POST", "/api/models").header("cookie", "gateway_session=old");
    ask.json(&json!({"name": "n"})).send().await.made();
}

#[tokio::test]
async fn what_a_proxy_asks_for_does_not_stand_in_the_way_of_the_cookie() {
    let gateway = Gateway::new();
    let cookie = signed_in(&gateway).await;
    let with = |authorization: &'static str| {
        page(&gateway, "GET", "/api/channels")
            .header("cookie", &cookie)
            .header("authorization", authorization)
    };
    assert_eq!(with("Basic dXNlcjpwYXNz").send().await.status, 200);
    with("Bearer wrong").send().await.refused(401, "invalid_admin_token");
    with("bearer").send().await.refused(401, "invalid_admin_token");
}

#[tokio::test]
async fn the_page_learns_how_it_stands() {
    let gateway = Gateway::new();
    let stranger = page(&gateway, "GET", "/api/session").send().await.ok();
    assert_eq!(
        stranger,
        json!({"auth": "token", "signed_in": false, "version": "1.2.3", "data_plane": true, "public_port": null})
    );
    let cookie = signed_in(&gateway).await;
    let apart = page(&gateway, "GET", "/api/session").header("cookie", &cookie).apart().send().await.ok();
    assert_eq!(
        apart,
        json!({"auth": "token", "signed_in": true, "version": "1.2.3", "data_plane": false, "public_port": 8080})
    );
    let open = Gateway::with(None, gateway_config::Settings::default());
    let standing = page(&open, "GET", "/api/session").send().await.ok();
    assert_eq!((&standing["auth"], &standing["signed_in"]), (&json!("none"), &json!(true)));
    let reply = login(&open, "anything").await;
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (204, None));
}

#[tokio::test]
async fn a_standing_is_no_place_to_try_tokens_at() {
    let gateway = Gateway::new();
    let right = gateway.get("/api/session").await.ok();
    let wrong = gateway.ask("GET", "/api/session").token(Some("wrong")).send().await.ok();
    assert_eq!(right, wrong);
}

#[tokio::test]
async fn over_tls_the_cookie_never_travels_in_clear() {
    let gateway = Gateway::new();
    let body = json!({ "token": TOKEN });
    let direct = page(&gateway, "POST", "/api/login").tls().json(&body).send().await;
    let proxied = page(&gateway, "POST", "/api/login").host(Some("gateway.example"));
    let proxied = proxied.header("origin", "https://gateway.example").json(&body).send().await;
    for reply in [direct, proxied] {
        let set = reply.header("set-cookie").unwrap();
        assert!(set.ends_with(&format!("{ATTRIBUTES}; Secure")), "{set}");
    }
}

#[tokio::test]
async fn a_change_by_cookie_comes_from_a_page_of_ours() {
    let gateway = Gateway::new();
    let cookie = signed_in(&gateway).await;
    let write = |path: &str| gateway.ask("POST", path).token(None).header("cookie", &cookie);
    let model = json!({"name": "m"});
    for value in [None, Some("0"), Some("")] {
        let ask = write("/api/models").json(&model);
        let ask = value.into_iter().fold(ask, |ask, value| ask.header("x-gateway-ui", value));
        ask.send().await.refused(403, "missing_ui_header");
    }
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://127.0.0.1:9999"),
    ] {
        let ask = write("/api/models").json(&model).header("x-gateway-ui", "1").header(name, value);
        ask.send().await.refused(403, "cross_site_request");
        // Not even to read: another port of this host is another site, but gets the cookie.
        let ask = gateway.ask("GET", "/api/users").token(None).header("cookie", &cookie).header(name, value);
        ask.send().await.refused(403, "cross_site_request");
    }
    write("/api/logout").send().await.refused(403, "missing_ui_header");
    assert_eq!(gateway.get("/api/models").await.text(), "[]");
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_in() {
    let gateway = Gateway::new();
    let body = json!({ "token": TOKEN });
    let ask = gateway.ask("POST", "/api/login").token(None).header("origin", "https://evil.test");
    ask.json(&body).send().await.refused(403, "cross_site_request");
    let ask = gateway.ask("POST", "/api/login").token(None).header("content-type", "text/plain");
    ask.body(body.to_string()).send().await.refused(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_foreign_host_name_gets_nothing_at_the_door_either() {
    let open = Gateway::with(None, gateway_config::Settings::default());
    let admin = gateway_config::AdminSettings {
        allowed_hosts: vec!["gateway.example".to_owned()],
        ..Default::default()
    };
    let listed =
        Gateway::with(Some(TOKEN), gateway_config::Settings { admin, ..gateway_config::Settings::default() });
    for gateway in [&open, &listed] {
        for (method, path) in
            [("GET", "/api/session"), ("POST", "/api/login"), ("POST", "/api/logout"), ("GET", "/")]
        {
            let reply = page(gateway, method, path).host(Some("evil.test")).send().await;
            reply.refused(403, "host_not_allowed");
        }
    }
}

#[tokio::test]
async fn after_signing_out_the_cookie_is_worthless() {
    let gateway = Gateway::new();
    let (cookie, other) = (signed_in(&gateway).await, signed_in(&gateway).await);
    let reply = page(&gateway, "POST", "/api/logout").header("cookie", &cookie).send().await;
    assert_eq!(reply.status, 204);
    assert_eq!(
        reply.header("set-cookie"),
        Some("gateway_session=; HttpOnly; SameSite=Strict; Path=/api; Max-Age=0")
    );
    let ask = page(&gateway, "GET", "/api/users").header("cookie", &cookie);
    ask.send().await.refused(401, "invalid_admin_token");
    assert_eq!(page(&gateway, "GET", "/api/users").header("cookie", &other).send().await.status, 200);
    assert_eq!(page(&gateway, "POST", "/api/logout").send().await.status, 204, "twice is no fault");
}

#[tokio::test]
async fn wrong_tokens_are_told_beside_the_field_and_stopped_after_ten() {
    let gateway = Gateway::new();
    for token in ["wrong", "sk-canary-user-key-0001", " "] {
        let reply = login(&gateway, token).await;
        reply.refused_for(401, "invalid_admin_token", "token");
        assert_eq!(reply.header("set-cookie"), None);
    }
    for _ in 3..10 {
        login(&gateway, "wrong").await.refused_for(401, "invalid_admin_token", "token");
    }
    let limited = login(&gateway, TOKEN).await;
    limited.refused(429, "too_many_attempts");
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    // The guesses are counted together with those at the API.
    gateway.ask("GET", "/api/status").token(Some("wrong")).send().await.refused(429, "too_many_attempts");
    gateway.ask("POST", "/api/login").json(&json!({"token": 5})).send().await.refused_for(
        400,
        "invalid_type",
        "token",
    );
}

#[tokio::test]
async fn whoever_has_signed_in_is_not_kept_waiting_by_guessers_and_old_cookies_are_no_guesses() {
    let gateway = Gateway::new();
    let cookie = signed_in(&gateway).await;
    for number in 0..50 {
        let ask =
            page(&gateway, "GET", "/api/status").header("cookie", &format!("gateway_session={number:064}"));
        ask.send().await.refused(401, "invalid_admin_token");
    }
    for _ in 0..12 {
        gateway.ask("GET", "/api/status").token(Some("wrong")).send().await;
    }
    assert_eq!(page(&gateway, "GET", "/api/status").header("cookie", &cookie).send().await.status, 200);
    // A token that is wrong is not made good by the cookie beside it.
    let ask = gateway.ask("GET", "/api/status").token(Some("wrong")).header("cookie", &cookie);
    ask.send().await.refused(429, "too_many_attempts");
}
