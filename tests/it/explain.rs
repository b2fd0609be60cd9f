//! What the admin API says would happen to a call, against what happens.

use gateway_tests::{Gateway, USER_KEY, Upstream, chat};

/// A gateway whose model `m` has three channels.
async fn three() -> (Gateway, [Upstream; 3]) {
    let up = [
        Upstream::answering(|_| chat("ok")).start().await,
        Upstream::answering(|_| chat("ok")).start().await,
        Upstream::answering(|_| chat("ok")).start().await,
    ];
    let gw = Gateway::serving("m", [&up[0], &up[1], &up[2]]).start().await;
    (gw, up)
}

#[tokio::test]
async fn a_call_goes_where_the_explanation_said() {
    let (gw, _up) = three().await;
    let admin = gw.admin();
    for _ in 0..3 {
        let told = admin.read("/api/routing/explain?model=m&user=tester").await;
        assert_eq!(told["chosen"]["reason"], "home", "{told}");
        let answer = gw.chat("m").say("hi").key(USER_KEY).send().await;
        answer.assert_text("ok");
        assert_eq!(told["chosen"]["channel_name"], answer.channel(), "{told}");
    }
    let told = admin.read("/api/routing/explain?model=m&user=tester").await;
    assert_eq!(
        (&told["session"]["place"], &told["session"]["channel_name"]),
        (&"known".into(), &told["home_name"])
    );
    let pools = admin.list("/api/routing/pools").await;
    let shares: Vec<f64> =
        pools[0]["channels"].as_array().unwrap().iter().map(|c| c["share"].as_f64().unwrap()).collect();
    assert!((shares.iter().fold(0.0, |most, share| f64::max(most, *share)) - 1.0).abs() < 1e-9, "{shares:?}");
}

#[tokio::test]
async fn a_file_is_checked_and_what_it_would_change_is_told() {
    let (gw, _up) = three().await;
    let admin = gw.admin();
    let check = async |toml: &str| {
        let answer = admin.post("/api/config/check", &serde_json::json!({"toml": toml})).await;
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        serde_json::from_str::<serde_json::Value>(&answer.body_text()).unwrap()
    };
    let wrong = check("[proxy]\nmax_attemps = 2\n").await;
    assert_eq!((&wrong["ok"], &wrong["problems"][0]["line"]), (&false.into(), &2.into()), "{wrong}");
    assert_eq!(wrong["problems"][0]["advice"], "did you mean `max_attempts`?");
    let right = check("[proxy]\nmax_attempts = 2\n").await;
    let change = serde_json::json!({"key": "proxy.max_attempts", "from": "3", "to": "2"});
    assert!(right["changes"]["settings"].as_array().unwrap().contains(&change), "{right}");
    gw.chat("m").say("hi").send().await.assert_text("ok");
}
