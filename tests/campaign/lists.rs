//! Lists as long as they become: how soon each page of them is there.

use std::time::{Duration, Instant};

use gateway_tests::{Campaign, Durations, Gateway, Upstream, all, chat, until, user_keys};

const AT_ONCE: usize = 16;

/// What a page of a list may take at full size.
const SOON: Duration = Duration::from_millis(300);

/// Makes so many calls, each user in turn, and waits until all are on record.
async fn call(gw: &Gateway, keys: &[String], calls: usize) {
    let lanes = (0..AT_ONCE).map(|lane| async move {
        for number in (lane..calls).step_by(AT_ONCE) {
            let key = keys.get(number % keys.len()).expect("there are users");
            assert_eq!(gw.chat("m").key(key).say("hi").send().await.status, 200);
        }
    });
    all(lanes).await;
    until("all calls are on record", async || {
        let storage = gw.admin().read("/api/status").await["storage"].clone();
        assert_eq!(storage["dropped"], 0);
        let written = storage["written"].as_u64().is_some_and(|written| written >= calls as u64);
        (written && storage["queued"] == 0).then_some(())
    })
    .await;
}

/// Where the page behind the first one is.
async fn second(gw: &Gateway, path: &str) -> String {
    let first = gw.admin().get(path).await;
    let link = first.header("link");
    link.trim_start_matches('<').trim_end_matches(">; rel=\"next\"").to_owned()
}

#[tokio::test]
async fn every_page_of_a_long_list_is_there_soon() {
    let campaign = Campaign::begin("long lists").await;
    let (users, calls) = (campaign.sized(300, 10_000), campaign.sized(1_500, 100_000));
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let keys = user_keys("reader", users);
    let gw = Gateway::serving("m", [&up]).users(&keys).start().await;
    let began = Instant::now();
    call(&gw, &keys, calls).await;
    campaign.says(format_args!("{users} users and {calls} calls in {:.1?}", began.elapsed()));

    let middle = gw.admin().list("/api/users").await[users / 2]["id"].clone();
    let pages = [
        "/api/users?limit=200".to_owned(),
        second(&gw, "/api/users?limit=200").await,
        format!("/api/users?limit=200&after={}", users - 50),
        format!("/api/users?limit=200&q=reader-{:05}", users - 1),
        "/api/users?limit=200&q=0%20sk-".to_owned(),
        format!("/api/users/{middle}"),
        format!("/api/users/{middle}/dependents"),
        "/api/sessions?limit=200".to_owned(),
        second(&gw, "/api/sessions?limit=200").await,
        "/api/sessions?limit=200&q=reader-00042".to_owned(),
        "/api/exchanges?limit=100".to_owned(),
        second(&gw, "/api/exchanges?limit=100").await,
        format!("/api/exchanges?limit=100&before={}", calls / 2),
        format!("/api/exchanges?limit=100&user_id={middle}"),
        "/api/exchanges?limit=100&model=m".to_owned(),
        "/api/exchanges?limit=100&channel_id=1&outcome=ok".to_owned(),
        "/api/exchanges?limit=100&outcome=upstream_error".to_owned(),
        "/api/exchanges?limit=100&streamed=true".to_owned(),
        "/api/exchanges?limit=100&since=2020-01-01T00:00:00Z&status=200".to_owned(),
        "/api/channels/1/dependents".to_owned(),
        "/api/status".to_owned(),
    ];
    for path in pages {
        let mut took = Vec::new();
        for _ in 0..campaign.sized(5, 40) {
            let began = Instant::now();
            let answer = gw.admin().get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body_text());
            took.push(began.elapsed());
        }
        let took: Durations = took.into_iter().collect();
        campaign.says(format_args!("{path}: p95 {:.1?}; {took}", took.percentile(95)));
        assert!(!campaign.is_full() || took.percentile(95) <= SOON, "{path}: {took}");
    }
}
