//! Channels that all fail: what the retries cost them.

use gateway_tests::{Answer, Campaign, Gateway, Pace, Upstream, status, user_keys};

const PER_SECOND: u32 = 500;

#[tokio::test]
async fn channels_that_all_fail_are_not_buried_under_retries() {
    let campaign = Campaign::begin("all channels answer 503").await;
    let failing = || async { Upstream::scripted().always(status(503)).start().await };
    let channels = [failing().await, failing().await, failing().await];
    let keys = user_keys("failing", 100);
    let gw = Gateway::serving("m", &channels).users(&keys).start().await;
    let seconds = campaign.sized(3, 30);
    let count = usize::try_from(u64::from(PER_SECOND) * seconds).expect("a small number");
    let pace = Pace { per_second: PER_SECOND, connections: 64 };

    let answers = pace
        .keep(count, async |line, number| {
            let call = gw.chat("m").say("hi").key(&keys[number % keys.len()]).call();
            line.send(call).await.expect("an answer")
        })
        .await;

    let attempts: usize = channels.iter().map(Upstream::count).sum();
    campaign.says(format_args!("{attempts} attempts for {count} calls"));
    for answer in &answers {
        assert_eq!(answer.status, 503, "{}", answer.body_text());
        answer.assert_error_shape();
    }
    let told: u32 = answers.iter().map(Answer::attempts).sum();
    assert_eq!(usize::try_from(told).expect("a small number"), attempts, "what was tried is told");
    assert!(attempts * 10 <= count * 12, "{attempts} attempts for {count} calls");
}
