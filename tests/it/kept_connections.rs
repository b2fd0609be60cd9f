//! Connections to upstreams between two calls: how long they are kept, and whose word counts.

use gateway_tests::{Gateway, Upstream, chat, hang, in_good_time, ms, sse, weighted};
use serde_json::json;

/// Waits until no connection to this upstream is open any more.
async fn let_go(up: &Upstream) {
    in_good_time("the idle connection is closed", async || (up.open_connections() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_channels_idle_connection_is_kept_for_as_long_as_the_channel_says() {
    let brief = Upstream::scripted().always(chat("brief")).start().await;
    let usual = Upstream::scripted().always(chat("usual")).start().await;
    let gw = Gateway::serving("brief", [&brief])
        .model("usual", weighted([(&usual, 10)]))
        .channel(&brief, "pool_idle_timeout", "50ms")
        .start()
        .await;

    gw.chat("usual").say("hi").send().await.assert_text("usual");
    gw.chat("brief").say("hi").send().await.assert_text("brief");
    let_go(&brief).await;

    assert_eq!(usual.open_connections(), 1, "the gateway's own time is half a minute");
    gw.chat("usual").say("hi").send().await.assert_text("usual");
    gw.chat("brief").say("hi").send().await.assert_text("brief");
    assert_eq!((usual.connections(), brief.connections()), (1, 2));
}

#[tokio::test]
async fn a_channel_may_keep_its_connections_longer_than_the_others() {
    let patient = Upstream::scripted().always(chat("patient")).start().await;
    let usual = Upstream::scripted().always(chat("usual")).start().await;
    let gw = Gateway::serving("patient", [&patient])
        .model("usual", weighted([(&usual, 10)]))
        .set("proxy.pool_idle_timeout", "50ms")
        .channel(&patient, "pool_idle_timeout", "1m")
        .start()
        .await;

    gw.chat("patient").say("hi").send().await.assert_text("patient");
    gw.chat("usual").say("hi").send().await.assert_text("usual");
    let_go(&usual).await;

    gw.chat("patient").say("hi").send().await.assert_text("patient");
    assert_eq!((patient.connections(), patient.open_connections()), (1, 1));
}

#[tokio::test]
async fn a_shorter_time_holds_at_once_for_connections_that_are_kept_already() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");

    let admin = gw.admin();
    gw.rewrite_config(|table| {
        let channel = table["channels"][0].as_table_mut().expect("a channel");
        channel.insert("pool_idle_timeout".to_owned(), "1ms".into());
    });
    assert_eq!(admin.post("/api/config/reload", &json!({})).await.status, 200);
    tokio::time::sleep(ms(5)).await;

    gw.chat("m").say("hi").send().await.assert_text("ok");
    assert_eq!(up.connections(), 2, "the kept one was too old by then");
}

#[tokio::test]
async fn on_a_kept_connection_an_answer_is_waited_for_no_longer_than_on_a_fresh_one() {
    let up = Upstream::scripted().reply(chat("one")).then(hang()).then(chat("three")).start().await;
    let gw = Gateway::serving("m", [&up]).set("proxy.total_timeout", "300ms").start().await;

    gw.chat("m").say("hi").send().await.assert_text("one");
    gw.chat("m").say("hi").send().await.assert_error(504, "upstream_timeout");
    assert_eq!(up.connections(), 1, "the second call went over the connection of the first");

    gw.chat("m").say("hi").send().await.assert_text("three");
    assert_eq!(up.connections(), 2);
}

#[tokio::test]
async fn a_patient_call_is_not_cut_off_by_the_time_of_a_hasty_one_before_it() {
    let late = chat("late").after(ms(700));
    let up = Upstream::scripted().reply(sse(["quick"])).then(late).start().await;
    let gw = Gateway::serving("m", [&up])
        .set("proxy.first_byte_timeout", "400ms")
        .set("proxy.total_timeout", "20s")
        .start()
        .await;

    gw.chat("m").say("hi").stream().send().await.assert_text("quick");
    gw.chat("m").say("hi").send().await.assert_text("late");
    assert_eq!(up.connections(), 1);
}
