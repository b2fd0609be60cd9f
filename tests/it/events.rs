//! The feed of what happens, as the web pages hear it.

use std::time::Instant;

use gateway_tests::{
    Admin, Gate, Gateway, GatewayProcess, Opened, Upstream, all, chat, in_order, patience, sse, status, until,
};
use http::Method;
use serde_json::{Value, json};

/// As many as may listen at a time.
const MOST: usize = 64;

/// Calls that end at once: many more than are told in a second.
const CALLS: u64 = 200;

/// One who listens.
struct Feed {
    stream: Opened,
    /// How much of what has arrived was looked at.
    read: usize,
}

#[derive(Clone, Debug)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

// === impl Feed ===

impl Feed {
    async fn open(admin: &Admin) -> Self {
        Self::of(admin.call(Method::GET, "/api/events").open().await).await
    }

    /// As one that comes back.
    async fn again(admin: &Admin, last: &str) -> Self {
        Self::of(admin.call(Method::GET, "/api/events").header("last-event-id", last).open().await).await
    }

    async fn of(mut stream: Opened) -> Self {
        assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"));
        stream.read_until("\n\n").await;
        Self { stream, read: 0 }
    }

    async fn event(&mut self) -> Event {
        loop {
            let text = self.stream.so_far();
            let Some((block, _)) = text[self.read..].split_once("\n\n") else {
                assert!(self.stream.frame().await.is_some(), "the feed has ended");
                continue;
            };
            self.read += block.len() + 2;
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(kind), Some(data)) = (field("event: "), field("data: ")) {
                let data = serde_json::from_str(&data).expect("data is JSON");
                return Event { id: field("id: ").expect("every event has an id"), kind, data };
            }
        }
    }

    /// The next event of a kind that is as it should be.
    async fn next(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Event {
        // The feed never falls silent, so a wait for what does not come must have an end of its own.
        let (end, mut heard) = (Instant::now() + 4 * patience(), Vec::new());
        loop {
            let event = self.event().await;
            if event.kind == kind && wanted(&event.data) {
                return event;
            }
            if event.kind == kind {
                heard.push(event.data);
            }
            assert!(Instant::now() < end, "no {kind} came as it should be, but these did: {heard:?}");
        }
    }
}

// === impl Event ===

impl Event {
    fn number(&self) -> u64 {
        self.id.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).expect("an id ends in a number")
    }
}

fn anything(_: &Value) -> bool {
    true
}

#[tokio::test]
async fn a_finished_call_is_told_as_the_list_shows_it() {
    let up = Upstream::answering(|_| sse(["a"]).usage(3, 1).into()).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    gw.chat("m").say("before").stream().send().await.assert_text("a");
    until("the first call is recorded", async || (!gw.admin().exchanges().await.is_empty()).then_some(()))
        .await;
    let mut feed = Feed::open(&gw.admin()).await;
    let answer = gw.chat("m").say("hi").stream().send().await;
    let told = feed.next("exchange", anything).await.data;
    assert_eq!(told["request_id"], answer.header("x-request-id"), "what was before is not told");
    let shown = gw.admin().read(&format!("/api/exchanges/{}", answer.header("x-request-id"))).await;
    assert_eq!(told, shown);
}

#[tokio::test]
async fn every_second_is_told_with_the_figures_of_the_history() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let mut feed = Feed::open(&gw.admin()).await;
    gw.chat("m").say("hi").send().await.assert_text("ok");
    let told = feed.next("rates", |data| data["total"]["requests"] == 1).await.data;

    let id = gw.admin().id_of("/api/channels", up.name()).await.to_string();
    assert_eq!(told["channels"][&id]["requests"], 1);
    let shown = gw.admin().read("/api/history?seconds=60").await;
    let names = |figures: &Value| figures.as_object().expect("figures").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&told["total"]), names(&shown["total"]));
    assert_eq!(names(&told["channels"][&id]), names(&shown["channels"][&id]));
    let line = shown["total"]["requests"].as_array().expect("a line");
    assert_eq!(line.iter().filter_map(Value::as_i64).sum::<i64>(), 1);
}

#[tokio::test]
async fn a_channel_that_dies_and_returns_is_told() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving_weighted("m", in_order([&up]))
        .set("health_check.interval", "1s")
        .set("health_check.timeout", "500ms")
        .set("health_check.unhealthy_after", 1)
        .set("health_check.healthy_after", 1)
        .channel(&up, "probe", "models")
        .start()
        .await;
    let id = gw.admin().id_of("/api/channels", up.name()).await;
    let mut feed = Feed::open(&gw.admin()).await;

    up.set_well(false);
    let told = feed.next("health", |data| data["status"] == "unhealthy").await.data;
    assert_eq!((&told["channel_id"], &told["usable"]), (&json!(id), &json!(false)), "{told}");
    let mut told = told;
    let fields = told.as_object_mut().expect("a channel");
    for own in ["enabled", "weight", "circuit"] {
        assert!(fields.remove(own).is_some(), "{own}");
    }
    let listed = gw.admin().list("/api/health/channels").await.remove(0);
    let names = |value: &Value| value.as_object().expect("a channel").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&told), names(&listed), "otherwise it looks as in the list");

    up.set_well(true);
    feed.next("health", |data| data["status"] == "healthy").await;
}

#[tokio::test]
async fn a_channel_that_is_drained_disabled_or_broken_off_is_told() {
    let up = Upstream::answering(|_| status(500)).start().await;
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let id = admin.add_channel(&up, &["m"]).await;
    let mut feed = Feed::open(&admin).await;
    let is_it = |data: &Value| data["channel_id"] == id;

    for _ in 0..12 {
        gw.chat("m").say("hi").send().await;
    }
    // Open, or half open already: it does not close before a call succeeds.
    feed.next("health", |data| is_it(data) && data["circuit"] != "closed").await;
    admin.patch(&format!("/api/channels/{id}"), &json!({"weight": 0})).await;
    feed.next("health", |data| is_it(data) && data["weight"] == 0).await;
    admin.patch(&format!("/api/channels/{id}"), &json!({"enabled": false})).await;
    feed.next("health", |data| is_it(data) && data["enabled"] == false).await;
}

#[tokio::test]
async fn snapshots_and_refused_configurations_are_told() {
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let mut feed = Feed::open(&admin).await;
    admin.create("/api/models", &json!({"name": "new"})).await;
    let version = admin.read("/api/status").await["snapshot_version"].clone();
    let told = feed.next("config", |data| data["version"] == version).await.data;
    assert_eq!(told["last_reload"]["ok"], true);

    gw.write_config("[server]\nprot = 1\n");
    assert_eq!(admin.post("/api/config/reload", &json!({})).await.status, 422);
    let told = feed.next("config", |data| data["last_reload"]["ok"] == false).await.data;
    assert_eq!(told["version"], version, "the old one is in force still");
}

#[tokio::test]
async fn one_that_comes_back_hears_exactly_what_it_missed() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let (admin, call) = (gw.admin(), async |id: &str| {
        gw.chat("m").say("hi").header("x-request-id", id).send().await.assert_text("ok");
    });
    let mut witness = Feed::open(&admin).await;
    let mut feed = Feed::open(&admin).await;
    call("heard").await;
    let last = feed.next("exchange", anything).await;
    assert_eq!(last.data["request_id"], "heard");
    feed.stream.leave();

    for id in ["missed-1", "missed-2"] {
        call(id).await;
        witness.next("exchange", |data| data["request_id"] == id).await;
    }
    let mut back = Feed::again(&admin, &last.id).await;
    call("afterwards").await;
    let mut events = vec![last];
    while events.last().is_none_or(|event| event.data["request_id"] != "afterwards") {
        events.push(back.event().await);
    }
    let numbers: Vec<u64> = events.iter().map(Event::number).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{numbers:?}");
    let told: Vec<&str> = events
        .iter()
        .filter(|event| event.kind == "exchange")
        .filter_map(|e| e.data["request_id"].as_str())
        .collect();
    assert_eq!(told, ["heard", "missed-1", "missed-2", "afterwards"]);
}

#[tokio::test]
async fn an_id_of_an_earlier_run_or_of_nobody_is_a_reset() {
    let mut gw = Gateway::empty().start().await;
    let last = Feed::open(&gw.admin()).await.event().await.id;
    gw.restart().await;
    for id in [last.as_str(), "7", "nonsense"] {
        let mut feed = Feed::again(&gw.admin(), id).await;
        let first = feed.event().await;
        assert_eq!(first.kind, "reset", "{id}");
        let next = Feed::again(&gw.admin(), &first.id).await.event().await;
        assert_ne!(next.kind, "reset", "from there it goes on");
    }
}

#[tokio::test]
async fn more_calls_than_are_told_are_counted() {
    let gate = Gate::shut();
    let held = gate.clone();
    let up = Upstream::answering(move |_| chat("ok").behind(&held)).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let mut feed = Feed::open(&gw.admin()).await;
    let at_once = async {
        until("all calls are under way", async || (up.in_flight() as u64 == CALLS).then_some(())).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(all((0..CALLS).map(|_| gw.chat("m").say("hi").send())), at_once);
    assert!(answers.iter().all(|answer| answer.status == 200));
    let (mut told, mut left_out) = (0, 0);
    while told + left_out < CALLS {
        let event = feed.event().await;
        match event.kind.as_str() {
            "exchange" => told += 1,
            "dropped" => left_out += event.data["exchanges"].as_u64().expect("a number"),
            _ => {}
        }
    }
    assert_eq!(told + left_out, CALLS);
    assert!(left_out > 0, "{told} of {CALLS} were told within a moment");
}

#[tokio::test]
async fn too_many_listeners_are_asked_to_come_back_later() {
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let mut feeds = all((0..MOST).map(|_| Feed::open(&admin))).await;
    let refused = admin.get("/api/events").await;
    assert_eq!((refused.status, refused.error_code().as_str()), (503, "too_many_listeners"));
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    feeds.pop().expect("one of them").stream.leave();
    until("there is room for one", async || {
        let again = admin.call(Method::GET, "/api/events").open().await;
        (again.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_those_who_listen() {
    let Some(mut gw) = Gateway::empty().set("server.shutdown_grace", "120s").spawn().await else { return };
    let admin: Admin = GatewayProcess::admin(&gw);
    let (feed, other) = (Feed::open(&admin).await, Feed::open(&admin).await);
    gw.terminate();
    for Feed { stream, .. } in [feed, other] {
        assert!(!stream.rest().await.cut, "a stop is a good end");
    }
    assert_eq!(gw.wait().await.code(), Some(0), "{}", gw.output());
}
