//! Who gets in: the whole table without credentials, with wrong ones, and guessed at.

use super::gateway::{Gateway, TOKEN};
use crate::route::{Access, Route, Verb};
use crate::surface::ROUTES;

/// A path of the route, with numbers for its parameters.
fn path_of(route: &Route) -> String {
    let fill = |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
    route.path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_of_the_table_is_closed_without_the_token() {
    let gateway = Gateway::new();
    for route in ROUTES {
        let reply = gateway.ask(route.verb.as_str(), &path_of(route)).token(None).send().await;
        match (route.access, route.path) {
            (Access::Public, "/") => assert_eq!(reply.status, 200),
            (Access::Public, "/ui/{folder}/{*file}") => assert_eq!(reply.status, 404),
            (Access::Public, "/api/session") => assert_eq!(reply.ok()["signed_in"], false),
            (Access::Public, "/api/login") => reply.refused_for(400, "missing_field", "token"),
            (Access::Public, "/api/logout") => reply.refused(403, "missing_ui_header"),
            (Access::Public, path) => panic!("{path} became public: was that meant?"),
            (Access::Admin, _) => {
                reply.refused(401, "invalid_admin_token");
                assert_eq!(reply.header("www-authenticate"), Some(r#"Bearer realm="gateway admin""#));
            }
        }
    }
}

#[tokio::test]
async fn wrong_credentials_of_every_kind_get_one_and_the_same_answer() {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    let missing = gateway.ask("GET", "/api/channels").token(None).send().await.body;
    let wrong = [
        "Bearer sk-canary-user-key-0001",
        "Bearer ",
        "Bearer",
        "Basic dGVzdC1hZG1pbi10b2tlbg==",
        "test-admin-token",
        "Bearer test-admin-token2",
        "Bearer test-admin-toke",
        "Bearer  ",
    ];
    for (number, value) in wrong.into_iter().enumerate() {
        let ask = gateway.ask("GET", "/api/channels").token(None).peer(&format!("10.0.0.{number}"));
        let reply = ask.header("authorization", value).send().await;
        reply.refused(401, "invalid_admin_token");
        assert_eq!(reply.body, missing, "{value}");
    }
    let twice = gateway.ask("GET", "/api/channels").header("authorization", "Bearer another").send().await;
    twice.refused(401, "invalid_admin_token");
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    let gateway = Gateway::new();
    let ask = gateway.ask("GET", "/api/channels").token(None);
    let reply = ask.header("authorization", &format!("bEARER {TOKEN}")).send().await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn without_auth_everybody_on_this_machine_gets_in() {
    let gateway = Gateway::with(None, gateway_config::Settings::default());
    let reply = gateway.ask("GET", "/api/channels").token(None).send().await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "[]"));
}

#[tokio::test]
async fn an_unknown_path_tells_nothing_without_the_token() {
    let gateway = Gateway::new();
    for path in ["/api", "/api/", "/api/nothing", "/api/channels/1/2/3", "/api/channels/"] {
        gateway.ask("GET", path).token(None).send().await.refused(401, "invalid_admin_token");
        gateway.get(path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_slips_past_the_gate() {
    let gateway = Gateway::new();
    let spellings = [
        "//api/channels",
        "/api//channels",
        "/api/channels/",
        "/api/channels;x",
        "/api/%63hannels",
        "/api/./channels",
        "/x/../api/channels",
        "/API/channels",
        "/api/channels%2f1",
        "/api/channels%00",
        "/api/channels/1/",
        "/api/channels?x=/",
        "http://evil.test/api/channels",
        "/%2fapi/channels",
    ];
    for path in spellings {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let reply = gateway.ask(method, path).token(None).send().await;
            assert_eq!(reply.status, 401, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_has_not_is_405_and_says_which_there_are() {
    let gateway = Gateway::new();
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        let known: Vec<&Route> = ROUTES.iter().filter(|route| route.path == path).collect();
        let path = path_of(known[0]);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if known.iter().any(|route| route.verb.as_str() == method) {
                continue;
            }
            let reply = gateway.ask(method, &path).send().await;
            reply.refused(405, "method_not_allowed");
            let allow = reply.header("allow").unwrap();
            assert!(known.iter().all(|route| allow.contains(route.verb.as_str())), "{path}: {allow}");
            assert!(!allow.contains(method), "{path}: {allow}");
        }
    }
}

#[tokio::test]
async fn head_is_a_get() {
    let gateway = Gateway::new();
    let reply = gateway.ask("HEAD", "/api/channels").send().await;
    assert_eq!(reply.status, 200);
    assert!(gateway.ask("DELETE", "/api/channels").send().await.header("allow").unwrap().contains("HEAD"));
    assert_eq!(Verb::of(&http::Method::OPTIONS), None);
}

#[tokio::test]
async fn guessing_is_stopped_after_ten_tries_and_others_are_not_disturbed() {
    let gateway = Gateway::new();
    let guess = |number: u32, peer: &'static str| {
        let ask = gateway.ask("GET", "/api/status").token(Some(&format!("guess-{number}")));
        ask.peer(peer).send()
    };
    let mut statuses = Vec::new();
    for number in 0..1000 {
        statuses.push(guess(number, "203.0.113.7").await.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10);
    let limited = guess(1000, "203.0.113.7").await;
    limited.refused(429, "too_many_attempts");
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");

    // Not even the right token is told from a wrong one now, or the limit would not slow a guesser.
    gateway.ask("GET", "/api/status").peer("203.0.113.7").send().await.refused(429, "too_many_attempts");
    assert_eq!(gateway.ask("GET", "/api/status").peer("203.0.113.8").send().await.status, 200);
}

#[tokio::test]
async fn calls_without_any_credentials_are_no_guesses() {
    let gateway = Gateway::new();
    for _ in 0..50 {
        gateway.ask("GET", "/api/status").token(None).send().await.refused(401, "invalid_admin_token");
    }
    assert_eq!(gateway.get("/api/status").await.status, 200);
}
