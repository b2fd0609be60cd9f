//! Why an answer came from where it came from, for those who may know.

use gateway_tests::{ADMIN_TOKEN, Gateway, Upstream, chat, status};

async fn two() -> ([Upstream; 2], Gateway) {
    let upstreams = [
        Upstream::answering(|_| chat("ok")).start().await,
        Upstream::answering(|_| chat("ok")).start().await,
    ];
    let gw = Gateway::serving("m", &upstreams)
        .user("curious", "sk-gateway-curious-0001")
        .config(|table| {
            let users = table.get_mut("users").and_then(toml::Value::as_array_mut).expect("there are users");
            let curious = users.last_mut().and_then(toml::Value::as_table_mut).expect("one was added");
            curious.insert("may_explain".to_owned(), true.into());
        })
        .start()
        .await;
    (upstreams, gw)
}

#[tokio::test]
async fn a_user_that_may_is_told_why() {
    let (_upstreams, gw) = two().await;
    let ask = || gw.chat("m").say("hi").key("sk-gateway-curious-0001").header("x-session-id", "7");
    let answer = ask().header("x-gateway-explain", "1").send().await;
    let why = answer.header("x-gateway-route");
    assert!(why.starts_with(&format!("chosen={}; reason=home; h=", answer.channel())), "{why}");
    assert!(why.contains("; tried=1; key=header; policy=adaptive; others="), "{why}");
    assert_eq!(ask().send().await.header("x-gateway-route"), "", "who does not ask is not told");
}

#[tokio::test]
async fn an_administrator_is_told_why_whoevers_key_the_call_bears() {
    let (upstreams, gw) = two().await;
    let ask = || gw.chat("m").say("hi").header("x-gateway-explain", "1");
    let answer = ask().header("x-gateway-admin-token", ADMIN_TOKEN).send().await;
    assert!(answer.header("x-gateway-route").contains("key=key"), "{:?}", answer.headers);
    for upstream in &upstreams {
        assert!(!upstream.was_told(ADMIN_TOKEN), "the token stays here");
    }
    assert_eq!(ask().send().await.header("x-gateway-route"), "");
    assert_eq!(ask().header("x-gateway-admin-token", "wrong").send().await.header("x-gateway-route"), "");
}

#[tokio::test]
async fn guesses_at_the_admin_token_are_limited_here_too() {
    let (_upstreams, gw) = two().await;
    for guess in 0..20 {
        let chat = gw.chat("m").say("hi").header("x-gateway-explain", "1");
        let answer = chat.header("x-gateway-admin-token", &format!("guess-{guess}")).send().await;
        answer.assert_text("ok");
    }
    let chat = gw.chat("m").say("hi").header("x-gateway-explain", "1");
    let answer = chat.header("x-gateway-admin-token", ADMIN_TOKEN).send().await;
    assert_eq!(
        answer.header("x-gateway-route"),
        "",
        "whoever guesses learns nothing, not even by the right one"
    );
}

#[tokio::test]
async fn a_retry_is_explained_as_one() {
    let (upstreams, gw) = two().await;
    let ask = || gw.chat("m").say("hi").key("sk-gateway-curious-0001").header("x-gateway-explain", "1");
    let home = ask().send().await.channel().to_owned();
    let failing = upstreams.iter().find(|upstream| upstream.name() == home).expect("it is one of the two");
    failing.set_always(status(503));
    let answer = ask().send().await;
    answer.assert_text("ok");
    let why = answer.header("x-gateway-route");
    assert!(why.contains("reason=retry(home=") && why.contains(&format!("{home}:excluded")), "{why}");
    assert!(why.contains("tried=2"), "{why}");
}
