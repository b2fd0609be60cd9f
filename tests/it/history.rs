//! The figures of the last minutes, as the charts read them.

use gateway_tests::{Gate, Gateway, Upstream, chat, eventually, in_order, sse, status, until};
use serde_json::Value;

/// What a line sums up to.
fn sum(line: &Value) -> i64 {
    line.as_array().expect("a line").iter().filter_map(Value::as_i64).sum()
}

/// The values of a line that were measured.
fn measured(line: &Value) -> Vec<f64> {
    line.as_array().expect("a line").iter().filter_map(Value::as_f64).collect()
}

#[tokio::test]
async fn the_traffic_is_there_in_all_and_by_channel() {
    let ill = Upstream::scripted().always(status(500)).start().await;
    let well = Upstream::answering(|_| sse(["a", "b"]).usage(5, 2).into()).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&ill, &well])).start().await;
    for _ in 0..3 {
        gw.chat("m").say("hi").stream().send().await.assert_text("ab");
    }
    gw.chat("no-such-model").say("hi").send().await;

    let admin = gw.admin();
    let (ill, well) =
        (admin.id_of("/api/channels", ill.name()).await, admin.id_of("/api/channels", well.name()).await);
    let shown = until("all four calls are shown", async || {
        let shown = admin.read("/api/history?seconds=300").await;
        (sum(&shown["total"]["requests"]) == 4).then_some(shown)
    })
    .await;

    let total = &shown["total"];
    assert_eq!(sum(&total["errors"]), 0, "the client's own error is none: {total}");
    assert_eq!((sum(&total["prompt_tokens"]), sum(&total["completion_tokens"])), (15, 6));
    for line in ["p50_ms", "p95_ms", "first_token_p50_ms", "first_token_p95_ms"] {
        assert!(!measured(&total[line]).is_empty(), "{line}: {total}");
    }
    let of = |id: i64, line: &str| sum(&shown["channels"][id.to_string()][line]);
    assert_eq!((of(well, "requests"), of(well, "errors"), of(well, "completion_tokens")), (3, 0, 6));
    assert!(of(ill, "requests") >= 1);
    assert_eq!(of(ill, "requests"), of(ill, "errors"));
    assert!(measured(&shown["channels"][ill.to_string()]["p50_ms"]).is_empty(), "nothing good came from it");
}

#[tokio::test]
async fn what_is_under_way_is_shown_while_it_is() {
    let gate = Gate::shut();
    let up =
        Upstream::scripted().reply(sse(["a", "b"]).hold_before(1, &gate)).reply(chat("ok").behind(&gate));
    let up = up.start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let mut stream = gw.chat("m").say("hi").stream().open().await;
    stream.read_until("\"a\"").await;
    let newest = async || {
        let shown = gw.admin().read("/api/history?seconds=1").await;
        (shown["total"]["in_flight"][0].as_i64(), shown["total"]["active_streams"][0].as_i64())
    };
    let looking = async {
        eventually("both calls are under way", || up.in_flight() == 2).await;
        until("both are shown", async || (newest().await == (Some(2), Some(1))).then_some(())).await;
        gate.open();
    };
    let (waited, ()) = tokio::join!(gw.chat("m").say("hi").send(), looking);
    waited.assert_text("ok");
    stream.rest().await.assert_text("ab");
    until("none is shown any more", async || (newest().await == (Some(0), Some(0))).then_some(())).await;
}
