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
