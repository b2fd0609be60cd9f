//! F27: upstreams that are known by name, and name servers that fail, are slow, or change their mind.

use gateway_tests::{
    Gateway, GatewayBuilder, NameServer, Upstream, chat, in_good_time, in_order, soon, until,
};

/// A gateway whose first channel is called by this name, and which asks this name server.
fn by_name(server: &NameServer, name: &str, upstreams: &[&Upstream]) -> GatewayBuilder {
    Gateway::serving_weighted("m", in_order(upstreams.iter().copied()))
        .set("proxy.dns_servers", vec![server.address()])
        .channel(upstreams[0], "base_url", upstreams[0].base_url_at(name))
}

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

#[tokio::test]
async fn an_upstream_is_called_by_its_name_which_is_asked_for_once() {
    let server = NameServer::start().await;
    server.knows("up.test", LOOPBACK, 60);
    let up = Upstream::scripted().times(20, chat("ok")).drops_reused_connections().start().await;
    let gw = by_name(&server, "up.test", &[&up]).start().await;

    for _ in 0..20 {
        gw.chat("m").say("hi").send().await.assert_text("ok");
    }

    assert_eq!(server.asked("up.test"), 1);
    assert_eq!(gw.metrics().await.count("gateway_dns_lookups_total", &[("outcome", "ok")]), 1);
    assert!(up.connections() > 1, "and yet more than one connection was made");
    let host = format!("up.test:{}", up.address().port());
    assert_eq!(up.requests()[0].header("host"), Some(&*host));
}

#[tokio::test]
async fn a_bad_name_alone_is_502_upstream_dns_error() {
    for (code, outcome) in [(3, "nxdomain"), (2, "servfail")] {
        let server = NameServer::start().await;
        server.fails("up.test", code);
        let up = Upstream::refusing();
        let gw = by_name(&server, "up.test", &[&up]).start().await;

        let answer = gw.chat("m").say("hi").send().await;

        answer.assert_error(502, "upstream_dns_error");
        let lookups = gw.metrics().await.count("gateway_dns_lookups_total", &[("outcome", outcome)]);
        assert_eq!(lookups, 1);
    }
}

#[tokio::test]
async fn the_next_channel_takes_over_from_one_with_a_bad_name() {
    let server = NameServer::start().await;
    let bad = Upstream::refusing();
    let good = Upstream::scripted().reply(chat("good")).start().await;
    let gw = by_name(&server, "gone.test", &[&bad, &good]).start().await;

    let answer = gw.chat("m").say("hi").send().await;

    answer.assert_text("good");
    gw.admin().exchange(answer.request_id()).await.assert_tried([&bad, &good]);
}

#[tokio::test]
async fn a_silent_name_server_delays_its_own_channel_only() {
    let server = NameServer::start().await;
    server.is_silent_about("slow.test");
    let (slow, fast) = (Upstream::refusing(), Upstream::scripted().times(10, chat("fast")).start().await);
    let gw = by_name(&server, "slow.test", &[&slow])
        .model("other", in_order([&fast]))
        .set("proxy.connect_timeout", "60s")
        .set("proxy.first_byte_timeout", "60s")
        .start()
        .await;

    let stuck = gw.chat("m").say("hi").send();
    tokio::pin!(stuck);
    let others = async {
        for _ in 0..10 {
            gw.chat("other").say("hi").send().await.assert_text("fast");
        }
    };
    tokio::select! {
        biased;
        answer = &mut stuck => panic!("its name server said nothing, and yet: {}", answer.body_text()),
        () = others => {}
    }
    soon("the end of the lookup, not of the connect timeout", stuck)
        .await
        .assert_error(502, "upstream_dns_error");
}

#[tokio::test]
async fn the_last_answer_serves_while_the_name_server_is_down() {
    let server = NameServer::start().await;
    server.knows("up.test", LOOPBACK, 1);
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = by_name(&server, "up.test", &[&up]).set("proxy.pool_idle_timeout", "1ms").start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");

    for outcome in ["servfail", "timeout"] {
        match outcome {
            "servfail" => server.fails("up.test", 2),
            _ => server.is_silent_about("up.test"),
        }
        in_good_time("a lookup that failed", async || {
            gw.chat("m").say("hi").send().await.assert_text("ok");
            let metrics = gw.metrics().await;
            (metrics.count("gateway_dns_lookups_total", &[("outcome", outcome)]) > 0).then_some(())
        })
        .await;
        gw.chat("m").say("hi").send().await.assert_text("ok");
    }
}

#[tokio::test]
async fn probes_find_names_as_calls_do() {
    let server = NameServer::start().await;
    server.knows("up.test", LOOPBACK, 60);
    let up = Upstream::scripted().start().await;
    let probed = by_name(&server, "up.test", &[&up])
        .channel(&up, "probe", "models")
        .set("health_check.interval", "1s");
    let _gw = probed.start().await;

    in_good_time("a probe", async || (up.probes() > 0).then_some(())).await;
}

#[tokio::test]
async fn new_connections_follow_the_name_to_its_new_address() {
    let server = NameServer::start().await;
    server.knows("up.test", LOOPBACK, 1);
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = by_name(&server, "up.test", &[&up]).set("proxy.pool_idle_timeout", "1ms").start().await;
    gw.chat("m").say("hi").send().await.assert_text("ok");

    // Nobody listens there, so that the change can be seen.
    server.knows("up.test", [127, 0, 0, 2], 1);
    let answer = until("a call to the new address", async || {
        let answer = gw.chat("m").say("hi").send().await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    answer.assert_error(502, "upstream_connect_error");
}
