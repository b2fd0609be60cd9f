use std::time::Duration;

use insta::assert_snapshot;

use crate::scratch::{loaded, problems, scratch};

#[test]
fn an_inner_time_longer_than_its_outer_one_is_refused() {
    let file = "
[server]
read_timeout = 300
[health_check]
interval = 10
timeout = 20
[proxy]
connect_timeout = '90s'
total_timeout = '20m'";
    assert_snapshot!(problems(file), @"
    gateway.toml:3:16: server.read_timeout: 5m is longer than server.body_timeout, which is 2m — shorten it, or lengthen server.body_timeout
    gateway.toml:6:11: health_check.timeout: 20s is longer than health_check.interval, which is 10s — shorten it, or lengthen health_check.interval
    gateway.toml:8:19: proxy.connect_timeout: 1m30s is longer than proxy.first_byte_timeout, which is 1m — shorten it, or lengthen proxy.first_byte_timeout
    ");
}

#[test]
fn defaults_give_way_to_a_shorter_outer_time() {
    let settings = loaded("[proxy]\nstream_timeout = '2s'\n[health_check]\ninterval = '200ms'").settings;
    assert_eq!(settings.proxy.first_byte_timeout, Duration::from_secs(2));
    assert_eq!(settings.proxy.stream_gap_timeout, Duration::from_secs(2));
    assert_eq!(settings.proxy.connect_timeout, Duration::from_secs(2));
    assert_eq!(settings.health_check.timeout, Duration::from_millis(200));
    let proxy = loaded("[proxy]\ntotal_timeout = '1s'").settings.proxy;
    assert_eq!(proxy.connect_timeout, Duration::from_secs(1));
    assert_eq!(
        proxy.first_byte_timeout,
        Duration::from_mins(1),
        "of streams, which have a time of their own"
    );
}

#[test]
fn the_times_of_a_stream_lie_within_the_whole_stream() {
    let file = "[proxy]\nstream_timeout = '1m'\nfirst_byte_timeout = '61s'\nstream_gap_timeout = '2m'\n\
                connect_timeout = '10s'\ntotal_timeout = '5s'";
    assert_snapshot!(problems(file), @"
    gateway.toml:3:22: proxy.first_byte_timeout: 1m1s is longer than proxy.stream_timeout, which is 1m — shorten it, or lengthen proxy.stream_timeout
    gateway.toml:4:22: proxy.stream_gap_timeout: 2m is longer than proxy.stream_timeout, which is 1m — shorten it, or lengthen proxy.stream_timeout
    gateway.toml:5:19: proxy.connect_timeout: 10s is longer than proxy.total_timeout, which is 5s — shorten it, or lengthen proxy.total_timeout
    ");
}

#[test]
fn a_time_that_was_refused_is_not_compared() {
    assert_snapshot!(problems("[proxy]\nfirst_byte_timeout = 'soon'\nconnect_timeout = '90s'"), @r#"gateway.toml:2:22: proxy.first_byte_timeout: is not a time — write it like "30s", "5m", "1h30m" or "250ms""#);
}

#[test]
fn no_authentication_is_for_loopback_only() {
    let at = |lines: &str| problems(&format!("[admin]\nauth = 'none'\n{lines}"));
    for lines in [
        "[server]\nhost = '127.0.0.1'",
        "[server]\nhost = 'localhost'",
        "[server]\nhost = '::1'",
        "[server]\nhost = '::ffff:127.0.0.1'",
        "listen = '127.0.0.1:9000'",
        "listen = '[::1]:9000'",
    ] {
        assert_eq!(at(lines), "no problem", "{lines}");
    }
    assert_snapshot!(at(""), @r#"gateway.toml:2:8: admin.auth: "none" is accepted only on loopback, and the admin API is at 0.0.0.0 — set admin.listen to "127.0.0.1:9000", or auth to "token""#);
    assert_snapshot!(at("listen = '10.0.0.1:9000'\n[server]\nhost = '127.0.0.1'"), @r#"gateway.toml:2:8: admin.auth: "none" is accepted only on loopback, and the admin API is at 10.0.0.1:9000 — set admin.listen to "127.0.0.1:9000", or auth to "token""#);
}

#[test]
fn a_short_admin_token_is_refused_except_on_loopback() {
    let with = |token: &str, host: &str| {
        scratch().file("gateway.toml", &format!("[admin]\ntoken = '{token}'\n[server]\nhost = '{host}'"))
    };
    assert_eq!(with("0123456789abcdef", "0.0.0.0").problems(), "no problem");
    assert_snapshot!(with("admin", "0.0.0.0").problems(), @"gateway.toml:2:9: admin.token: has fewer than 16 characters, so it can be guessed — take a longer one, for example from `openssl rand -hex 32`");
    assert_snapshot!(with("admin", "127.0.0.1").warnings(), @"gateway.toml:2:9: admin.token: has fewer than 16 characters, so it can be guessed — take a longer one, for example from `openssl rand -hex 32`");
    for empty in ["", "  "] {
        assert_eq!(
            with(empty, "127.0.0.1").problems(),
            "gateway.toml:2:9: admin.token: is empty — give a secret, or leave the key out"
        );
    }
    assert_snapshot!(with("0123456789 abcdef", "127.0.0.1").problems(), @"gateway.toml:2:9: admin.token: holds white space or a character that is not visible ASCII; no HTTP header can carry it");
}

#[test]
fn tls_needs_both_files_and_they_must_exist() {
    let pem = || scratch().file("cert.pem", "").file("key.pem", "");
    let good = pem().file("gateway.toml", "[server.tls]\ncert = 'cert.pem'\nkey = 'key.pem'").load().unwrap();
    let tls = good.settings.server.tls.unwrap();
    assert!(tls.cert.is_absolute() && tls.key.ends_with("key.pem"), "relative to the file's folder");
    assert_snapshot!(pem().file("gateway.toml", "[server.tls]\ncert = 'cert.pem'").problems(), @"gateway.toml:2:8: server.tls.key: is missing — TLS needs both a certificate and its key");
    assert_snapshot!(pem().file("gateway.toml", "[server]\ntls = { cert = 'nope.pem', key = '.' }").problems(), @"
    gateway.toml:2:16: server.tls.cert: the file nope.pem does not exist
    gateway.toml:2:34: server.tls.key: . is not a file
    ");
}

#[test]
fn listeners_that_would_meet_are_refused() {
    let file = "[server]\nport = 9000\n[admin]\nlisten = '127.0.0.1:9000'\n[metrics]\nport = 9000";
    assert_snapshot!(problems(file), @"
    gateway.toml:4:10: admin.listen: takes port 9000, which is server.port — take another port
    gateway.toml:6:8: metrics.port: takes port 9000, which is that of server.port — leave metrics.port out and the same listener serves /metrics
    gateway.toml:6:8: metrics.port: takes port 9000, which is that of admin.listen — leave metrics.port out and the same listener serves /metrics
    ");
    assert_eq!(
        problems("[server]\nport = 0\n[admin]\nlisten = '127.0.0.1:0'\n[metrics]\nport = 0"),
        "no problem"
    );
    let apart = "[server]\nhost = '10.0.0.1'\nport = 9000\n[admin]\nlisten = '127.0.0.1:9000'";
    assert_eq!(problems(apart), "no problem");
}

#[test]
fn an_administration_channel_that_is_nearly_a_declared_one_is_warned_about() {
    let file = "[proxy]\nadministration_channel = 'opneai'\n[[channels]]\nname = 'openai'\nbase_url = 'https://api.openai.com'";
    assert_snapshot!(scratch().file("gateway.toml", file).warnings(), @"gateway.toml:2:26: proxy.administration_channel: no channel of this name is declared — did you mean `openai`?");
}

#[test]
fn a_default_channel_that_is_nearly_a_declared_one_is_warned_about() {
    let file = "[proxy]\ndefault_channel = 'opneai'\n[[channels]]\nname = 'openai'\nbase_url = 'https://api.openai.com'";
    assert_snapshot!(scratch().file("gateway.toml", file).warnings(), @"gateway.toml:2:19: proxy.default_channel: no channel of this name is declared — did you mean `openai`?");
}
