//! F1 to F3 and F27: upstreams that cannot be reached at all.

use gateway_tests::{GatewayBuilder, Upstream, chat};

use super::{impatient, nothing_is_left};

/// An address that the system refuses to call: no host answers for all of them.
const NO_HOST: &str = "http://255.255.255.255:9/v1";
/// A name that no server may know, by RFC 6761.
const NO_NAME: &str = "http://nobody.invalid/v1";

/// The channel of this upstream, but at another address.
fn elsewhere(builder: GatewayBuilder, upstream: &Upstream, url: &str) -> GatewayBuilder {
    // Name lookup has two seconds of its own.
    builder
        .channel(upstream, "base_url", url)
        .set("proxy.connect_timeout", "4s")
        .set("proxy.first_byte_timeout", "8s")
        .set("proxy.total_timeout", "8s")
}

#[tokio::test]
async fn a_host_or_a_name_that_cannot_be_reached_is_mended_elsewhere() {
    for (url, code) in [(NO_HOST, "upstream_connect_error"), (NO_NAME, "upstream_dns_error")] {
        let lost = Upstream::scripted().start().await;
        let good = Upstream::scripted().reply(chat("good")).start().await;
        let gw = elsewhere(impatient(&[&lost, &good]), &lost, url).start().await;
        let answer = gw.chat("m").say("hi").send().await;
        answer.assert_text("good");
        gw.admin().exchange(answer.request_id()).await.assert_tried([&lost, &good]);
        nothing_is_left(&gw, &[&lost, &good]).await;

        let gw = elsewhere(impatient(&[&lost]), &lost, url).start().await;
        gw.chat("m").say("hi").send().await.assert_error(502, code);
        nothing_is_left(&gw, &[&lost]).await;
        assert_eq!(lost.connections(), 0);
    }
}

#[tokio::test]
async fn two_channels_that_refuse_cost_one_call_two_attempts_and_no_waiting() {
    let (one, two) = (Upstream::refusing(), Upstream::refusing());
    let good = Upstream::scripted().times(5, chat("good")).start().await;
    let gw = impatient(&[&one, &two, &good]).start().await;

    for _ in 0..5 {
        let answer = gw.chat("m").say("hi").send().await;
        answer.assert_text("good");
        assert!(answer.attempts() <= 3);
    }

    nothing_is_left(&gw, &[&good]).await;
}

#[tokio::test]
async fn a_black_hole_holds_up_nobody_who_goes_elsewhere() {
    let hole = Upstream::black_hole().await;
    let good = Upstream::answering(|_| chat("good")).start().await;
    let gw = impatient(&[&hole]).model("other", gateway_tests::weighted([(&good, 10)])).start().await;

    let silent = (0..20).map(|_| gw.chat("m").say("hi").send());
    let served = async {
        for _ in 0..100 {
            gw.chat("other").say("hi").send().await.assert_text("good");
        }
    };
    let (silent, ()) = tokio::join!(gateway_tests::all(silent), served);

    for answer in silent {
        answer.assert_error(504, "upstream_timeout");
    }
    nothing_is_left(&gw, &[&good]).await;
}
