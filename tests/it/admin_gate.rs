//! Who may call the admin API, and how nobody else does.

use gateway_tests::{Admin, Gateway, Raw};
use http::Method;
use serde_json::json;

/// Every route and method that the gateway itself says needs the token, with numbers for its parameters.
async fn surface(admin: &Admin) -> Vec<(Method, String)> {
    let document = admin.read("/api/openapi.json").await;
    let (mut routes, mut public) = (Vec::new(), Vec::new());
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if operation["security"] == json!([]) {
                public.push(path.as_str());
                continue;
            }
            let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else { continue };
            if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                let path: Vec<&str> =
                    path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
                routes.push((method, path.join("/")));
            }
        }
    }
    assert!(routes.len() > 25, "{routes:?}");
    assert_eq!(public, ["/", "/api/login", "/api/logout", "/api/session", "/ui/{folder}/{file}"]);
    routes
}

#[tokio::test]
async fn every_route_but_the_pages_own_asks_for_the_token() {
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let routes = surface(&admin).await;
    let strangers = [
        ("nobody", admin.without_token()),
        ("a wrong token", admin.with_token("wrong-token-wrong-token")),
        ("a user key", admin.with_token(gateway_tests::USER_KEY)),
        ("an empty token", admin.with_token("")),
    ];
    for (method, path) in routes {
        for (who, stranger) in &strangers {
            let answer = stranger.call(method.clone(), &path).json(&json!({})).send().await;
            assert!(matches!(answer.status, 401 | 403 | 429), "{who}: {method} {path}: {}", answer.status);
            answer.assert_error_shape();
        }
    }
    assert_eq!(
        admin.get("/api/status").await.status,
        200,
        "the right token is never kept waiting by wrong ones"
    );
}

#[tokio::test]
async fn who_has_no_token_is_refused_before_a_body_is_read() {
    let gw = Gateway::empty().start().await;
    for (path, length, status) in
        [("/api/channels", 1_000, 401), ("/api/none", 1_000, 401), ("/api/login", 100_000, 413)]
    {
        let mut stranger = Raw::connect(gw.address()).await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: gw\r\ncontent-type: application/json\r\n");
        stranger.send(format!("{head}content-length: {length}\r\n\r\n")).await;
        // Not a byte of it is sent.
        let answer = stranger.answer().await.expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", answer.head);
        assert!(!answer.header("x-request-id").is_empty(), "{}", answer.head);
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_goes_around_the_token() {
    let gw = Gateway::empty().start().await;
    let stranger = gw.admin().without_token();
    for path in [
        "/api/channels/",
        "//api/channels",
        "/api//channels",
        "/API/channels",
        "/api/Channels",
        "/api/./channels",
        "/api/x/../channels",
        "/%61pi/channels",
        "/api%2Fchannels",
        "/api/channels%2F",
        "/api/channels;x=1",
        "/api/channels?x=/v1/models",
        "/v1/../api/channels",
        "/api/channels/1%00",
        "/api\\channels",
    ] {
        let Ok(target) = path.parse::<http::Uri>() else { continue };
        let answer = stranger.get(&target.to_string()).await;
        assert!(matches!(answer.status, 400 | 401 | 403 | 404), "{path}: {}", answer.status);
        assert!(!answer.body_text().contains("\"base_url\""), "{path}");
    }
    for host in ["localhost", "127.0.0.1", "evil.test", "[::1]", "api.openai.com"] {
        let answer = stranger.call(Method::GET, "/api/channels").header("host", host).send().await;
        assert!(matches!(answer.status, 400 | 401 | 403 | 404 | 421), "{host}: {}", answer.status);
    }
}

#[tokio::test]
async fn pages_of_other_sites_cannot_write() {
    let gw = Gateway::empty().start().await;
    let write = || gw.admin().call(Method::POST, "/api/models").json(&json!({"name": "x"}));
    for (name, value) in [("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")] {
        let answer = write().header(name, value).send().await;
        assert_eq!(answer.status, 403, "{name}: {value}: {}", answer.body_text());
    }
    let plain = write().header("content-type", "text/plain").send().await;
    assert!(matches!(plain.status, 403 | 415), "{}", plain.status);
    assert!(gw.admin().list("/api/models").await.is_empty());
}

#[tokio::test]
async fn the_first_page_is_html_and_harmless() {
    let gw = Gateway::empty().start().await;
    let page = gw.admin().without_token().get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert!(!page.header("content-security-policy").contains("unsafe-inline"), "{:?}", page.headers);
    assert!(!page.header("content-security-policy").is_empty());
}

#[tokio::test]
async fn without_auth_the_gateway_only_starts_on_loopback() {
    let open = Gateway::empty().set("admin.auth", "none").set("server.host", "0.0.0.0");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("gateway.toml");
    std::fs::write(&config, open.text()).expect("a file");
    let arguments = ["--config".to_owned(), config.display().to_string(), "check".to_owned()];
    let environment = std::collections::BTreeMap::new();
    let Some((code, output)) =
        gateway_tests::GatewayProcess::run(&arguments, &environment, folder.path().to_owned()).await
    else {
        return;
    };
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("admin.auth"), "{output}");
}
