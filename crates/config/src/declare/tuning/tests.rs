use std::time::Duration;

use gateway_domain::{ChannelTuning, Hedge, HedgeAfter, ModelTuning, Policy, ProbePlan};
use insta::assert_snapshot;

use crate::scratch::{loaded, problems, scratch};

/// A channel in two lines, to be followed by more of its keys.
const CHANNEL: &str = "[[channels]]\nname = 'a'\nbase_url = 'http://host'\n";

/// A model in three lines.
const MODEL: &str = "[[models]]\nname = 'm'\nchannels = []\n";

fn hedge_of(text: &str) -> Option<Hedge> {
    loaded(&format!("{MODEL}hedge = {text}")).declaration.models[0].tuning.hedge
}

#[test]
fn a_channels_limits_and_times_are_taken_as_they_are_written() {
    let file = format!(
        "{CHANNEL}tier = 2\nrequests_per_minute = 500\ntokens_per_minute = 200_000\nadd_cache_key = true\n\
         connect_timeout = '250ms'\nfirst_byte_timeout = 20\nstream_gap_timeout = '1m30s'\n\
         pool_idle_timeout = '4s'\n"
    );
    let expected = ChannelTuning {
        tier: 2,
        requests_per_minute: Some(500),
        tokens_per_minute: Some(200_000),
        add_cache_key: true,
        connect_timeout: Some(Duration::from_millis(250)),
        first_byte_timeout: Some(Duration::from_secs(20)),
        stream_gap_timeout: Some(Duration::from_secs(90)),
        pool_idle_timeout: Some(Duration::from_secs(4)),
    };
    assert_eq!(loaded(&file).declaration.channels[0].tuning, expected);
    assert_eq!(loaded(CHANNEL).declaration.channels[0].tuning, ChannelTuning::default());
}

#[test]
fn a_models_tuning_is_taken_as_it_is_written() {
    let file = format!(
        "{MODEL}policy = 'least_inflight'\nslack_percent = 200\nsticky = false\ncut = false\nhedge = '2s'\n"
    );
    let expected = ModelTuning {
        policy: Some(Policy::LeastInflight),
        slack_percent: Some(200),
        sticky: Some(false),
        cut: Some(false),
        hedge: Some(Hedge { after: HedgeAfter::Fixed(Duration::from_secs(2)), max_percent: 5 }),
    };
    assert_eq!(loaded(&file).declaration.models[0].tuning, expected);
    assert_eq!(loaded(MODEL).declaration.models[0].tuning, ModelTuning::default());
}

#[test]
fn a_hedge_can_be_written_short_and_long() {
    let fixed = |seconds| HedgeAfter::Fixed(Duration::from_secs(seconds));
    for (text, after, max_percent) in [
        ("'learned'", HedgeAfter::Learned, 5),
        ("3", fixed(3), 5),
        ("{ after = 'learned', max_percent = 50 }", HedgeAfter::Learned, 50),
        ("{ after = '1m' }", fixed(60), 5),
        ("{ max_percent = 1 }", HedgeAfter::Learned, 1),
    ] {
        assert_eq!(hedge_of(text), Some(Hedge { after, max_percent }), "{text}");
    }
}

#[test]
fn what_is_no_hedge_is_refused_with_the_ways_to_write_one() {
    let hedge = |text: &str| problems(&format!("{MODEL}hedge = {text}"));
    assert_snapshot!(hedge("'soon'"), @r#"gateway.toml:4:9: models[0].hedge: is not a time — write "learned", "2s" or { after = "2s", max_percent = 5 }"#);
    assert_snapshot!(hedge("'0s'"), @r#"gateway.toml:4:9: models[0].hedge: must be at least 1ms — write "learned", "2s" or { after = "2s", max_percent = 5 }"#);
    assert_snapshot!(hedge("true"), @r#"gateway.toml:4:9: models[0].hedge: expected a time, found true — write "learned", "2s" or { after = "2s", max_percent = 5 }"#);
    assert_snapshot!(hedge("{}"), @r#"gateway.toml:4:9: models[0].hedge: must hold after, max_percent or both, and nothing else — write "learned", "2s" or { after = "2s", max_percent = 5 }"#);
    assert_snapshot!(hedge("{ after = '2s', most = 5 }"), @r#"gateway.toml:4:9: models[0].hedge: must hold after, max_percent or both, and nothing else — write "learned", "2s" or { after = "2s", max_percent = 5 }"#);
    assert_snapshot!(hedge("{ max_percent = 51 }"), @"gateway.toml:4:9: models[0].hedge: max_percent: must be between 1 and 50, not 51");
}

#[test]
fn values_out_of_bounds_are_refused_at_their_place() {
    let file = format!(
        "{CHANNEL}tier = 256\nrequests_per_minute = 0\ntokens_per_minute = 1000000001\nadd_cache_key = 'yes'\n\
         connect_timeout = '0s'\n{MODEL}policy = 'random'\nslack_percent = 99\nsticky = 1\n\
         [[users]]\nname = 'u'\nkey = 'sk-12345678'\nmay_explain = 'yes'\n"
    );
    assert_snapshot!(problems(&file), @r#"
    gateway.toml:4:8: channels[0].tier: must be between 0 and 255, not 256
    gateway.toml:5:23: channels[0].requests_per_minute: must be between 1 and 1000000000, not 0
    gateway.toml:6:21: channels[0].tokens_per_minute: must be between 1 and 1000000000, not 1000000001
    gateway.toml:7:17: channels[0].add_cache_key: expected true or false, found a string
    gateway.toml:8:19: channels[0].connect_timeout: must be at least 1ms
    gateway.toml:12:10: models[0].policy: unknown value "random" — expected one of "adaptive", "weighted_score", "weighted", "least_inflight", "round_robin"
    gateway.toml:13:17: models[0].slack_percent: must be between 100 and 10000, not 99
    gateway.toml:14:10: models[0].sticky: expected true or false, found a whole number
    gateway.toml:18:15: users[0].may_explain: expected true or false, found a string
    "#);
}

#[test]
fn a_channels_own_times_lie_within_those_in_force() {
    let file = format!(
        "{CHANNEL}connect_timeout = '30s'\nfirst_byte_timeout = '20s'\n\
         [[channels]]\nname = 'b'\nbase_url = 'http://host'\nfirst_byte_timeout = '2h'\nstream_gap_timeout = '1h'\n\
         [proxy]\nstream_timeout = '20m'\n"
    );
    assert_snapshot!(problems(&file), @"
    gateway.toml:4:19: channels[0].connect_timeout: 30s is longer than first_byte_timeout, which is 20s — shorten it, or lengthen first_byte_timeout
    gateway.toml:9:22: channels[1].first_byte_timeout: 2h is longer than proxy.stream_timeout, which is 20m — shorten it, or lengthen proxy.stream_timeout
    gateway.toml:10:22: channels[1].stream_gap_timeout: 1h is longer than proxy.stream_timeout, which is 20m — shorten it, or lengthen proxy.stream_timeout
    ");
    let slow = format!("{CHANNEL}connect_timeout = '5s'\n");
    let in_a_hurry = scratch().file("gateway.toml", &slow).env("GATEWAY_PROXY__TOTAL_TIMEOUT", "2s");
    assert_snapshot!(in_a_hurry.problems(), @"gateway.toml:4:19: channels[0].connect_timeout: 5s is longer than proxy.total_timeout, which is 2s — shorten it, or lengthen proxy.total_timeout");
    let unsound = format!("{CHANNEL}connect_timeout = '5s'\n[proxy]\ntotal_timeout = 'soon'\n");
    assert_snapshot!(problems(&unsound), @r#"gateway.toml:6:17: proxy.total_timeout: is not a time — write it like "30s", "5m", "1h30m" or "250ms""#);
}

#[test]
fn every_kind_of_call_can_be_a_probe() {
    let probe =
        |text: &str| loaded(&format!("{CHANNEL}probe = {text}")).declaration.channels[0].probe.clone();
    let model = || "m".to_owned();
    assert_eq!(probe("{ chat_stream = 'm' }"), ProbePlan::ChatStream { model: model() });
    assert_eq!(probe("{ embeddings = 'm' }"), ProbePlan::Embeddings { model: model() });
    assert_eq!(probe("{ responses = 'm' }"), ProbePlan::Responses { model: model() });
}

#[test]
fn a_user_may_be_allowed_to_ask_why() {
    let user = |line: &str| {
        let file = format!("[[users]]\nname = 'u'\nkey = 'sk-12345678'\n{line}");
        loaded(&file).declaration.users[0].may_explain
    };
    assert_eq!((user(""), user("may_explain = true")), (false, true));
}
