//! The web pages: what is built in, in which form, and what every answer there forbids.

use std::io::Read;

use flate2::read::GzDecoder;
use gateway_domain::ExchangeOutcome;

use super::gateway::{Gateway, Reply};
use crate::ui;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

/// What a browser without the token gets.
async fn show(gateway: &Gateway, path: &str) -> Reply {
    let reply = gateway.ask("GET", path).token(None).send().await;
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{path}");
    }
    reply
}

/// The addresses that the page names.
async fn named(gateway: &Gateway) -> Vec<String> {
    let page = show(gateway, "/").await;
    let parts = page.text().split('"').filter(|part| part.starts_with("/ui/"));
    let named: Vec<String> = parts.map(str::to_owned).collect();
    assert!(!named.is_empty(), "{}", page.text());
    named
}

#[tokio::test]
async fn everything_that_the_page_names_is_there_and_may_be_kept_for_ever() {
    let gateway = Gateway::new();
    for path in named(&gateway).await {
        let reply = show(&gateway, &path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        let expected = match path.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("{other}"),
        };
        assert_eq!(reply.header("content-type"), Some(expected), "{path}");
    }
}

#[tokio::test]
async fn the_page_is_asked_for_again_and_holds_no_script_or_style_of_its_own() {
    let page = show(&Gateway::new(), "/").await;
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    for forbidden in ["{{", "<style", " style=", " onload", " onclick", " onerror", "://"] {
        assert!(!text.contains(forbidden), "{forbidden}: {text}");
    }
    assert_eq!(text.matches("<script").count(), text.matches(" src=\"/ui/").count(), "{text}");
}

#[tokio::test]
async fn a_file_packed_is_the_file_and_smaller() {
    let gateway = Gateway::new();
    let mut packed_ones = 0;
    for path in ui::built_in().chain(["/".to_owned()]) {
        let plain = show(&gateway, &path).await;
        assert_eq!((plain.status.as_u16(), plain.header("content-encoding")), (200, None), "{path}");
        let packed = gateway.ask("GET", &path).token(None).header("accept-encoding", "gzip, br").send().await;
        for reply in [&plain, &packed] {
            assert_eq!(reply.header("vary"), Some("accept-encoding"), "{path}");
        }
        if packed.header("content-encoding").is_none() {
            assert_eq!(packed.body, plain.body, "{path}");
            continue;
        }
        packed_ones += 1;
        let mut unpacked = Vec::new();
        GzDecoder::new(&*packed.body).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{path}");
        assert!(packed.body.len() < plain.body.len(), "{path}");
        assert_ne!(packed.header("etag"), plain.header("etag"), "{path}");
    }
    assert!(packed_ones > 3, "{packed_ones}");
}

#[tokio::test]
async fn the_whole_interface_is_at_most_120_kib() {
    let gateway = Gateway::new();
    let mut all = 0;
    for path in ui::built_in().chain(["/".to_owned()]).filter(|path| !path.ends_with(".LICENSE")) {
        let ask = gateway.ask("GET", &path).token(None).header("accept-encoding", "gzip");
        all += ask.send().await.body.len();
    }
    println!("{all} bytes, packed");
    assert!(all <= 120 << 10, "{all} bytes");
}

#[tokio::test]
async fn what_a_browser_holds_is_not_sent_again() {
    let gateway = Gateway::new();
    for path in named(&gateway).await.into_iter().chain(["/".to_owned()]) {
        let first = show(&gateway, &path).await;
        let tag = first.header("etag").unwrap();
        let ask = |tag: &str| gateway.ask("GET", &path).token(None).header("if-none-match", tag);
        let again = ask(tag).send().await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), Some(tag));
        assert_eq!(again.header("content-security-policy"), Some(POLICY));
        assert_eq!(ask("\"another\"").send().await.body, first.body, "{path}");
        // The packed form is another one.
        let packed = ask(tag).header("accept-encoding", "gzip").send().await;
        assert_eq!(packed.status == 304, packed.header("etag") == Some(tag), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_built_in_is_not_there_for_anybody() {
    let gateway = Gateway::new();
    let known = ui::built_in().next().unwrap();
    let folder = known.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    assert_eq!(show(&gateway, &format!("{folder}/app.js")).await.status, 200);
    let inside = [
        "",
        "index.html",
        "vendor/vendor.json",
        "../app.js",
        "lib/../app.js",
        "..%2fapp.js",
        "%2e%2e/%2e%2e/etc/passwd",
        "..\\app.js",
        "/etc/passwd",
        "app.js/",
        "APP.JS",
    ]
    .map(|path| format!("{folder}/{path}"));
    let outside = ["/ui", "/ui/", "/ui/0000000000000000/app.js", "/ui/app.js"].map(str::to_owned);
    for path in inside.into_iter().chain(outside).chain([folder]) {
        let reply = show(&gateway, &path).await;
        assert_eq!(reply.refusal(), (404, "not_found".to_owned(), None), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn only_reading_is_possible_here() {
    let gateway = Gateway::new();
    for path in ["/".to_owned(), ui::built_in().next().unwrap()] {
        let reply = gateway.ask("POST", &path).token(None).send().await;
        reply.refused(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        assert_eq!(reply.header("content-security-policy"), Some(POLICY));
    }
}

#[tokio::test]
async fn whoever_works_on_the_pages_sees_the_folder_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ui");
    std::fs::create_dir(&folder).unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put("index.html", "<script src=\"{{ui}}/a.js\"></script>");
    put("a.js", "1");
    put(".hidden.js", "2");
    put("notes.txt", "3");
    put("../outside.js", "4");
    let gateway = Gateway::showing(&folder);
    let page = show(&gateway, "/").await;
    let path = page.text().split('"').nth(1).unwrap().to_owned();
    assert_eq!(show(&gateway, &path).await.text(), "1");
    put("a.js", "changed");
    let changed = show(&gateway, &path).await;
    assert_eq!((changed.text(), changed.header("cache-control")), ("changed", Some("no-store")));
    assert_eq!(changed.header("content-type"), Some("text/javascript; charset=utf-8"));
    for name in [".hidden.js", "notes.txt", "../outside.js", "b.js"] {
        show(&gateway, &path.replace("a.js", name)).await.refused(404, "not_found");
    }
}

#[test]
fn the_pages_know_every_outcome_and_no_other() {
    let script = include_str!("../../ui/components/outcome.js");
    let table =
        script.split_once("const OUTCOMES = {").and_then(|(_, rest)| rest.split_once("\n};")).unwrap().0;
    let words: Vec<_> =
        table.lines().filter_map(|line| line.trim().split_once(": {")).map(|(word, _)| word).collect();
    assert_eq!(words, ExchangeOutcome::WORDS);
}
