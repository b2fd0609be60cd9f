//! Keys that an upstream makes for programs in browsers: they open sessions at their channel, for their user, until they
//! expire.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway_tests::{Call, Gateway, Reply, Upstream, UpstreamBuilder, body, json_body, status, switch};
use http::Method;
use serde_json::json;

const TENANT: &str = "sk-canaryuser-the-other-tenant";
const SECRET: &str = "ek_68af296e8e408191a1120ab6383263c2";

/// When something expires that does so in so many seconds.
fn expires_in(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

fn secret(expires_at: i64) -> Reply {
    json_body(
        &json!({"value": SECRET, "expires_at": expires_at, "session": {"type": "realtime", "model": "m"}}),
    )
}

/// Two channels, of which the second, which is asked for `m` only, makes secrets and plays the rest of the script.
async fn scripted(replies: impl IntoIterator<Item = Reply>) -> (Upstream, Upstream, Gateway) {
    let one = Upstream::scripted().start().await;
    let other = Upstream::scripted().for_anybody();
    let other = replies.into_iter().fold(other, UpstreamBuilder::reply).start().await;
    let gw = Gateway::serving("m", [&other])
        .model("n", gateway_tests::weighted([(&one, 10)]))
        .set("proxy.default_channel", one.name())
        .user("tenant", TENANT)
        .start()
        .await;
    let made = make(&gw).send().await;
    assert_eq!(made.status, 200, "{}", made.body_text());
    (one, other, gw)
}

fn make(gw: &Gateway) -> Call {
    let asked = json!({"expires_after": {"anchor": "created_at", "seconds": 600}, "session": {"type": "realtime", "model": "m"}});
    gw.post("/v1/realtime/client_secrets", asked.to_string())
}

#[tokio::test]
async fn a_secret_opens_a_socket_at_its_channel_and_bears_itself_upstream() {
    let (_one, other, mut gw) = scripted([secret(expires_in(600)), switch(), switch()]).await;
    let offered = format!("realtime, openai-insecure-api-key.{SECRET}");
    for restarted in [false, true] {
        let call = gw.get("/v1/realtime").no_key();
        let client = if restarted {
            call.key(SECRET).socket().await
        } else {
            call.header("sec-websocket-protocol", &offered).socket().await
        };
        let seen = other.requests().pop().unwrap();
        assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {SECRET}")));
        let elsewhere = seen.headers().iter().filter(|(_, value)| value.contains(SECRET)).count();
        assert_eq!(elsewhere, 1, "{seen:?}");
        let id = client.headers["x-request-id"].to_str().unwrap().to_owned();
        tokio::join!(client.close(1000, ""), async { other.socket().await.closed().await });
        let record = gw.admin().exchange(&id).await.record;
        let users = gw.admin().id_of("/api/users", "tester").await;
        assert_eq!(record["user_id"].as_i64().or(record["user"].as_i64()), Some(users), "{record}");
        gw.restart().await;
    }
    let database = std::fs::read(gw.database_path()).unwrap();
    let has = database.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!has, "only a digest of it is kept");
}

#[tokio::test]
async fn a_secret_makes_a_call_and_does_nothing_else() {
    let call = body("application/sdp", "v=0").with_status(201);
    let (_one, other, gw) = scripted([secret(expires_in(600)), call]).await;
    let made =
        gw.call(Method::POST, "/v1/realtime/calls").key(SECRET).header("content-type", "application/sdp");
    assert_eq!(made.body("v=0").send().await.status, 201);
    assert_eq!(other.requests().pop().unwrap().header("authorization"), Some(&*format!("Bearer {SECRET}")));
    for call in [
        make(&gw),
        gw.call(Method::POST, "/v1/realtime/calls/rtc_1/hangup"),
        gw.chat("m").say("hi").call(),
        gw.get("/v1/files"),
        gw.get("/v1/models"),
    ] {
        call.key(SECRET).send().await.assert_error(401, "invalid_api_key");
    }
    assert_eq!(gw.get("/v1/responses").key(SECRET).try_socket().await.unwrap_err().status, 401);
}

#[tokio::test]
async fn a_secret_that_has_expired_or_was_never_made_is_no_key() {
    let (_one, _other, gw) = scripted([secret(expires_in(-1))]).await;
    for key in [SECRET, "ek_never_made", "ek_"] {
        let answer = gw.get("/v1/realtime?model=m").key(key).try_socket().await.unwrap_err();
        assert_eq!((answer.status, &*answer.error_code()), (401, "invalid_api_key"), "{key}");
    }
}

#[tokio::test]
async fn a_secret_of_a_disabled_user_is_no_key_and_one_that_the_upstream_refuses_blames_nobody_else() {
    let (_one, other, gw) = scripted([secret(expires_in(600))]).await;
    other.set_always(status(401));
    let answer = gw.get("/v1/realtime").key(SECRET).try_socket().await.unwrap_err();
    assert_eq!((answer.status, &*answer.error_code()), (401, "invalid_client_secret"));
    gw.rewrite_config(|table| {
        let users = table["users"].as_array_mut().unwrap();
        users[0].as_table_mut().unwrap().insert("enabled".to_owned(), false.into());
    });
    gateway_tests::until("the user is disabled", async || {
        let answer = gw.get("/v1/realtime").key(SECRET).try_socket().await.unwrap_err();
        (answer.error_code() == "invalid_api_key").then_some(())
    })
    .await;
}
