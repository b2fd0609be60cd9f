use insta::assert_snapshot;
use std::time::Duration;

use crate::scratch::scratch;

#[test]
fn a_variable_wins_over_the_file() {
    let scratch = scratch()
        .file("gateway.toml", "[server]\nport = 1\n[session]\nidle_timeout = 1\n")
        .env("GATEWAY_SERVER__PORT", "9000")
        .env("GATEWAY_SESSION__IDLE_TIMEOUT", "5")
        .env("GATEWAY_PROXY__PUBLIC_MODELS", "true")
        .env("GATEWAY_ADMIN__ALLOWED_HOSTS", "a.test, b.test");
    let settings = scratch.load().unwrap().settings;
    assert_eq!(settings.server.port, 9000);
    assert_eq!(settings.session.idle_timeout, Duration::from_mins(5));
    assert!(settings.proxy.public_models);
    assert_eq!(settings.admin.allowed_hosts, ["a.test", "b.test"]);
}

#[test]
fn two_secrets_have_short_names() {
    let scratch = scratch()
        .env("GATEWAY_ADMIN_TOKEN", "0123456789abcdef")
        .env("GATEWAY_MASTER_KEY", "env:ELSEWHERE")
        .env("ELSEWHERE", "m");
    let settings = scratch.load().unwrap().settings;
    assert_eq!(settings.admin.token.unwrap().expose(), "0123456789abcdef");
    assert_eq!(settings.master_key.unwrap().expose(), "m");
}

#[test]
fn wrong_and_unknown_variables_are_all_reported() {
    let scratch = scratch()
        .env("GATEWAY_SERVER__PROT", "9000")
        .env("GATEWAY_SERVER__PORT", "http")
        .env("GATEWAY_SERVER__READ_TIMEOUT", "-3")
        .env("GATEWAY_CHANNELS__0__NAME", "x")
        .env("GATEWAY_A__B", "x")
        .env("GATEWAY_METRICS__ENABLED", "yes")
        .env("GATEWAY_ADMIN__LISTEN", "localhost")
        .env("GATEWAY_ADMIN_TOKEN", "");
    assert_snapshot!(scratch.problems(), @r#"
    GATEWAY_ADMIN_TOKEN: admin.token: is empty — give a secret, or leave the key out
    GATEWAY_ADMIN__LISTEN: admin.listen: is not an address with a port — write it like "127.0.0.1:9000" or "[::1]:9000"
    GATEWAY_A__B: unknown variable — write GATEWAY_SECTION__KEY, such as GATEWAY_SERVER__PORT
    GATEWAY_CHANNELS__0__NAME: unknown variable — channels, models and users are declared in the file or made through the admin API
    GATEWAY_METRICS__ENABLED: metrics.enabled: expected true or false, found `yes`
    GATEWAY_SERVER__PORT: server.port: expected a whole number, found `http`
    GATEWAY_SERVER__PROT: unknown variable — did you mean `GATEWAY_SERVER__PORT`?
    GATEWAY_SERVER__READ_TIMEOUT: server.read_timeout: is not a time — write it like "30s", "5m", "1h30m" or "250ms"
    "#);
}

#[test]
fn a_secret_that_is_set_by_both_names_must_be_the_same() {
    let both = |other: &str| {
        let token = "0123456789abcdef";
        scratch().env("GATEWAY_ADMIN_TOKEN", token).env("GATEWAY_ADMIN__TOKEN", other).problems()
    };
    assert_eq!(both("0123456789abcdef"), "no problem");
    assert_snapshot!(both("another-0123456789"), @"GATEWAY_ADMIN_TOKEN: admin.token: GATEWAY_ADMIN__TOKEN says something else — set only one of them");
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    let scratch = scratch()
        .env("GATEWAY_PORT", "tcp://10.0.0.1:80")
        .env("GATEWAY_SERVER_PORT", "tcp://10.0.0.1:80")
        .env("GATEWAY_CONFIG", "")
        .env("GATEWAY_SERVICE_HOST", "10.0.0.1")
        .env("PATH", "/bin");
    assert_eq!(scratch.warnings(), "");
}

#[test]
fn one_underscore_instead_of_two_is_warned_about() {
    assert_snapshot!(scratch().env("GATEWAY_SERVER_PORT", "9000").warnings(), @"GATEWAY_SERVER_PORT: has no meaning here — did you mean `GATEWAY_SERVER__PORT`?");
}
