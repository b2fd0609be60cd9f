//! No input makes a 5xx, and none gets anything changed by accident.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::gateway::{Gateway, Reply};
use crate::surface::ROUTES;

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A gateway with one of everything, so that changes find something to change. Port 9 refuses connections.
async fn furnished() -> Gateway {
    let gateway = Gateway::new();
    gateway.user("ann", "sk-canary-user-key-0001").await;
    gateway.channel("a").await;
    gateway.model("m").await;
    gateway.post("/api/models/1/channels", json!({"channel_id": 1, "backend_model_name": "x"})).await.made();
    gateway
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "https?://[a-z.:/0-9]{0,20}".prop_map(Value::from),
        "sk-[a-z]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A body for a route: some of its fields, now and then with a value that fits.
fn any_body(row: usize) -> impl Strategy<Value = Value> {
    let names: Vec<&'static str> = ROUTES[row]
        .request
        .map(|schema| schema.fields.iter().map(|field| field.name).collect())
        .unwrap_or_default();
    let names = if names.is_empty() { vec!["x"] } else { names };
    let value =
        prop_oneof![3 => any_json(), 1 => Just(json!(1)), 1 => Just(json!("name")), 1 => Just(json!(true))];
    prop::collection::btree_map(prop::sample::select(names), value, 0..6).prop_map(|fields| {
        Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

fn is_fine(reply: &Reply) -> bool {
    !reply.status.is_server_error()
        && (reply.status.is_success() || reply.json()["error"]["code"].is_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_body_makes_a_server_error(
        (row, body) in (0..ROUTES.len()).prop_flat_map(|row| (Just(row), any_body(row))),
        id in prop_oneof![Just("1".to_owned()), "[0-9a-z%]{1,4}"],
    ) {
        let route = &ROUTES[row];
        let path: Vec<&str> =
            route.path.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part }).collect();
        let reply = block(async {
            let gateway = furnished().await;
            gateway.ask(route.verb.as_str(), &path.join("/")).json(&body).send().await
        });
        prop_assert!(is_fine(&reply), "{} {} {body} → {reply:?}", route.verb.as_str(), path.join("/"));
    }

    #[test]
    fn no_bytes_make_a_server_error(row in 0..ROUTES.len(), body in prop::collection::vec(any::<u8>(), 0..64)) {
        let route = &ROUTES[row];
        let path = route.path.replace("{id}", "1").replace("{channel_id}", "1").replace("{key_id}", "1");
        let reply = block(async {
            let gateway = furnished().await;
            gateway.ask(route.verb.as_str(), &path).header("content-type", "application/json").body(body.clone()).send().await
        });
        prop_assert!(is_fine(&reply), "{} {path} {body:?} → {reply:?}", route.verb.as_str());
    }

    #[test]
    fn no_path_or_query_makes_a_server_error(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
        path in "/api(/[a-z0-9.%;~]{0,9}){0,5}(\\?[a-z0-9=&%+]{0,20})?",
    ) {
        let reply = block(async { Gateway::new().ask(method, &path).send().await });
        prop_assert!(is_fine(&reply), "{method} {path} → {reply:?}");
    }
}

#[tokio::test]
async fn broken_and_ambiguous_json_is_refused_with_its_place() {
    let gateway = Gateway::new();
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let bodies: Vec<(&[u8], &str)> = vec![
        (b"{", "the body ends too early (line 1, column 1)"),
        (b"{\"name\": \"sk-canary-x\" oops}", "the body is not valid JSON (line 1, column 24)"),
        (b"{\"name\":\"a\",\"name\":\"b\"}", "a field is given twice (line 1, column 23)"),
        (b"[]", "the body must be a JSON object (line 1, column 0)"),
        (b"\"sk-canary-bare-key\"", "the body must be a JSON object"),
        (b"{} {}", "the body is not valid JSON (line 1, column 4)"),
        (b"\xef\xbb\xbf{}", "the body is not valid JSON (line 1, column 1)"),
        (b"{\"name\":\"\\ud800\"}", "the body is not valid JSON"),
        (b"{\"name\":\"\xff\"}", "the body is not valid JSON"),
        (b"{\"name\":1e999}", "the body is not valid JSON"),
        (b"null", "the body must be a JSON object"),
        (deep.as_bytes(), "the body is not valid JSON"),
    ];
    for (body, message) in bodies {
        let ask = gateway.ask("POST", "/api/models").header("content-type", "application/json");
        let reply = ask.body(body.to_vec()).send().await;
        reply.refused(400, "invalid_json");
        assert!(reply.message().starts_with(message), "{} instead of {message}", reply.message());
    }
}

#[tokio::test]
async fn a_body_larger_than_a_mebibyte_is_413() {
    let gateway = Gateway::new();
    let ask = gateway.ask("POST", "/api/models").header("content-type", "application/json");
    ask.body(vec![b' '; (1 << 20) + 1]).send().await.refused(413, "request_too_large");
}

#[tokio::test]
async fn a_closed_database_is_503_and_the_status_still_answers() {
    let gateway = furnished().await;
    gateway.store.close().unwrap();
    gateway.post("/api/models", json!({"name": "x"})).await.refused(503, "stopping");
    assert_eq!(gateway.get("/api/status").await.ok()["storage"]["ok"], false);
}
