//! The web pages, as a browser gets them from the whole gateway.

use gateway_tests::{ADMIN_TOKEN, Answer, Call, Gateway, Raw, all};
use http::Method;
use serde_json::json;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

fn ask(gw: &Gateway, method: Method, path: &str) -> Call {
    gw.admin().without_token().call(method, path)
}

async fn show(gw: &Gateway, path: &str) -> Answer {
    let answer = ask(gw, Method::GET, path).send().await;
    assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
    answer
}

/// The page's own address, and those of the files that it names.
async fn pages(gw: &Gateway) -> Vec<String> {
    let page = show(gw, "/").await;
    assert_eq!(page.status, 200);
    let text = page.body_text();
    let named = text.split('"').filter(|part| part.starts_with("/ui/")).map(str::to_owned);
    std::iter::once("/".to_owned()).chain(named).collect()
}

#[tokio::test]
async fn the_page_and_its_files_come_without_the_token_packed_or_plain_over_both_versions() {
    let gw = Gateway::empty().start().await;
    let pages = pages(&gw).await;
    assert!(pages.len() > 3, "{pages:?}");
    for path in pages {
        let plain = show(&gw, &path).await;
        assert_eq!((plain.status, plain.header("vary")), (200, "accept-encoding"), "{path}");
        let second = ask(&gw, Method::GET, &path).h2().send().await;
        assert_eq!((second.status, second.body_text()), (200, plain.body_text()), "{path}");
        let packed = ask(&gw, Method::GET, &path).header("accept-encoding", "gzip").send().await;
        assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
        let held = ask(&gw, Method::GET, &path).header("if-none-match", plain.header("etag")).send().await;
        assert_eq!((held.status, held.body_text()), (304, String::new()), "{path}");
    }
}

#[tokio::test]
async fn a_head_is_told_the_length_and_given_nothing_over_both_versions() {
    let gw = Gateway::empty().start().await;
    for path in pages(&gw).await {
        let length = show(&gw, &path).await.body_text().len().to_string();
        for head in [ask(&gw, Method::HEAD, &path), ask(&gw, Method::HEAD, &path).h2()] {
            let head = head.send().await;
            assert_eq!((head.status, head.header("content-length")), (200, &*length), "{path}");
            assert_eq!(head.body_text(), "", "{path}");
        }
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_out_of_the_folder() {
    let gw = Gateway::empty().start().await;
    let app =
        pages(&gw).await.into_iter().find(|path| path.ends_with("/app.js")).expect("the page names app.js");
    let folder = app.trim_end_matches("app.js").to_owned();
    for end in [
        "../../../etc/passwd",
        "..%2f..%2fetc/passwd",
        "%2e%2e/x",
        "lib/../app.js",
        "//etc/passwd",
        "index.html",
        "APP.JS",
    ] {
        let answer = show(&gw, &format!("{folder}{end}")).await;
        assert_eq!(answer.status, 404, "{end}: {}", answer.body_text());
        answer.assert_error_shape();
    }
    let raw = format!("GET {folder}..\\..\\Cargo.toml HTTP/1.1\r\nhost: gw\r\nconnection: close\r\n\r\n");
    let mut socket = Raw::connect(gw.address()).await;
    socket.send(raw.as_bytes()).await;
    let answer = socket.answer().await.expect("an answer");
    assert!(matches!(answer.status, 400 | 404), "{}", answer.status);
}

/// Signs in as a page does, and gives the answer with its cookie.
async fn sign_in(gw: &Gateway, token: &str) -> Answer {
    let call = ask(gw, Method::POST, "/api/login").json(&json!({ "token": token }));
    call.header("sec-fetch-site", "same-origin").header("x-gateway-ui", "1").send().await
}

fn cookie_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 204, "{}", answer.body_text());
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_page_signs_in_works_with_its_cookie_and_signs_out() {
    let gw = Gateway::empty().start().await;
    let standing = async |cookie: &str| {
        let answer = ask(&gw, Method::GET, "/api/session").header("cookie", cookie).send().await.json();
        (answer["signed_in"].clone(), answer["data_plane"].clone())
    };
    assert_eq!(standing("").await, (json!(false), json!(true)));
    let answer = sign_in(&gw, ADMIN_TOKEN).await;
    assert!(answer.header("set-cookie").ends_with("; HttpOnly; SameSite=Strict; Path=/api"));
    let cookie = cookie_of(&answer);
    assert_eq!(standing(&cookie).await, (json!(true), json!(true)));
    for call in [ask(&gw, Method::POST, "/api/models"), ask(&gw, Method::POST, "/api/models").h2()] {
        let call = call.header("cookie", &cookie).header("x-gateway-ui", "1");
        let name = format!("m{}", gw.admin().list("/api/models").await.len());
        assert_eq!(call.json(&json!({ "name": name })).send().await.status, 201);
    }
    // The cookie opens the admin API and nothing else.
    let elsewhere = ask(&gw, Method::GET, "/v1/models").header("cookie", &cookie).send().await;
    assert_eq!(elsewhere.status, 401);
    let leave = ask(&gw, Method::POST, "/api/logout").header("cookie", &cookie).header("x-gateway-ui", "1");
    assert_eq!(leave.send().await.status, 204);
    assert_eq!(standing(&cookie).await, (json!(false), json!(true)));
}

#[tokio::test]
async fn a_feed_ends_with_the_sign_in_that_opened_it_and_no_other_does() {
    let gw = Gateway::empty().start().await;
    let (one, two) =
        (cookie_of(&sign_in(&gw, ADMIN_TOKEN).await), cookie_of(&sign_in(&gw, ADMIN_TOKEN).await));
    let open = async |cookie: &str| {
        let mut feed = ask(&gw, Method::GET, "/api/events").header("cookie", cookie).open().await;
        feed.read_until("event: rates").await;
        feed
    };
    let (mut feed, mut other) = (open(&one).await, open(&two).await);
    let leave = ask(&gw, Method::POST, "/api/logout").header("cookie", &one).header("x-gateway-ui", "1");
    assert_eq!(leave.send().await.status, 204);
    while feed.frame().await.is_some() {}
    let heard = other.so_far().matches("event: rates").count();
    while other.so_far().matches("event: rates").count() < heard + 2 {
        assert!(other.frame().await.is_some(), "the feed of another sign-in has ended");
    }
}

#[tokio::test]
async fn another_admin_token_ends_what_was_signed_in_to_with_the_old_one() {
    let in_the_file = Gateway::empty().without_env("GATEWAY_ADMIN_TOKEN").set("admin.token", ADMIN_TOKEN);
    let mut gw = in_the_file.start().await;
    let cookie = cookie_of(&sign_in(&gw, ADMIN_TOKEN).await);
    gw.set("admin.token", "another-token-of-sixteen");
    gw.restart().await;
    let status = async |cookie: &str| {
        ask(&gw, Method::GET, "/api/status").header("cookie", cookie).send().await.status
    };
    assert_eq!(status(&cookie).await, 401);
    assert_eq!(sign_in(&gw, ADMIN_TOKEN).await.status, 401);
    let cookie = cookie_of(&sign_in(&gw, "another-token-of-sixteen").await);
    assert_eq!(status(&cookie).await, 200);
}

#[tokio::test]
async fn with_an_admin_listener_the_pages_learn_where_calls_go() {
    let gw = Gateway::empty().set("admin.listen", "127.0.0.1:0").start().await;
    let standing = ask(&gw, Method::GET, "/api/session").send().await.json();
    assert_eq!(standing["data_plane"], false);
    assert_eq!(standing["public_port"], gw.address().port());
}

#[tokio::test]
async fn with_an_admin_listener_the_public_one_has_no_pages() {
    let gw = Gateway::empty().set("admin.listen", "127.0.0.1:0").start().await;
    let pages = pages(&gw).await;
    let public = pages.iter().map(|path| Call::new(gw.address(), Method::GET, path).send());
    for answer in all(public).await {
        assert_eq!(answer.status, 404);
        assert!(!answer.headers.contains_key("content-security-policy"));
    }
}
