//! The figures of the last minutes.

use gateway_domain::UnixMillis;

use super::gateway::{Gateway, NOW};
use crate::UnderWay;

#[tokio::test]
async fn the_step_grows_with_the_span_and_every_list_is_as_long_as_it() {
    let gateway = Gateway::new();
    gateway.traffic.close(NOW, 0, UnderWay { requests: 3, streams: 2 });
    for (asked, step, length) in [("seconds=1", 1000, 1), ("seconds=300", 1000, 300), ("", 10_000, 90)] {
        let shown = gateway.get(&format!("/api/history?{asked}")).await.ok();
        assert_eq!(shown["step_ms"], step, "{asked}");
        for (name, line) in shown["total"].as_object().unwrap() {
            assert_eq!(line.as_array().unwrap().len(), length, "{asked} {name}");
        }
    }
    let shown = gateway.get("/api/history?seconds=2").await.ok();
    assert_eq!(shown["from"], crate::clock::rfc3339(UnixMillis(NOW.0 - 2000)));
    assert_eq!(shown["total"]["in_flight"], serde_json::json!([null, 3]));
    assert_eq!(shown["total"]["active_streams"], serde_json::json!([null, 2]));
    assert_eq!(shown["total"]["requests"], serde_json::json!([null, 0]));
    assert_eq!(shown["total"]["p50_ms"], serde_json::json!([null, null]));
}

#[tokio::test]
async fn other_spans_are_refused() {
    let gateway = Gateway::new();
    for asked in ["seconds=0", "seconds=3601", "seconds=x"] {
        let refused = gateway.get(&format!("/api/history?{asked}")).await;
        assert_eq!(refused.status, 422, "{asked}");
    }
    assert_eq!(gateway.get("/api/history?minutes=5").await.status, 400);
}
