use insta::assert_snapshot;
use proptest::prelude::*;

use crate::scratch::{loaded, problems, scratch};
use crate::{Environment, Origin, Settings, Source};

#[test]
fn no_file_at_all_gives_the_defaults() {
    let loaded = scratch().load().unwrap();
    assert_eq!((loaded.settings, loaded.file, loaded.warnings), (Settings::default(), None, vec![]));
}

#[test]
fn the_originals_keys_keep_name_unit_and_default() {
    let file = "
        [server]
        host = '0.0.0.0'
        port = 8080
        read_timeout = 30
        write_timeout = 30
        [database]
        path = './gateway.db'
        [health_check]
        interval = 30
        timeout = 5
        [session]
        idle_timeout = 30
        [metrics]
        enabled = true";
    assert_eq!(loaded(file).settings, Settings::default());
}

#[test]
fn everything_wrong_in_a_file_is_said_at_once() {
    let file = r#"
[server]
prot = 9000
port = "80"
read_timeout = "30 seconds"
max_attempts = 2

[proxy]
policy = "wieghted"
max_attempts = 0

[admin]
auth = "none"

[[channels]]
name = "a"
base_url = "api.openai.com"
api_key = "env:NOPE"
weight = 2000000

[[models]]
name = "gpt-4o"
channels = [{ chanel = "a" }, { channel = "b" }]

[colours]
"#;
    assert_snapshot!(problems(file), @r#"
    gateway.toml:3:1: server.prot: unknown key — did you mean `port`?
    gateway.toml:4:8: server.port: expected a whole number, found a string — write it without quotes
    gateway.toml:5:16: server.read_timeout: is not a time — write it like "30s", "5m", "1h30m" or "250ms"
    gateway.toml:6:1: server.max_attempts: unknown key — `max_attempts` belongs to [proxy]
    gateway.toml:9:10: proxy.policy: unknown value "wieghted" — did you mean `weighted`? (expected one of "adaptive", "weighted_score", "weighted", "least_inflight", "round_robin")
    gateway.toml:10:16: proxy.max_attempts: must be between 1 and 20, not 0
    gateway.toml:13:8: admin.auth: "none" is accepted only on loopback, and the admin API is at 0.0.0.0 — set admin.listen to "127.0.0.1:9000", or auth to "token"
    gateway.toml:17:12: channels[0].base_url: must begin with http:// or https://
    gateway.toml:18:11: channels[0].api_key: the environment variable NOPE is not set
    gateway.toml:19:10: channels[0].weight: must be between 0 and 1000000, not 2000000
    gateway.toml:23:13: models[0].channels[0].channel: is missing
    gateway.toml:23:15: models[0].channels[0].chanel: unknown key — did you mean `channel`?
    gateway.toml:23:43: models[0].channels[1].channel: no channel is named `b` — declare it in [[channels]]
    gateway.toml:25:2: colours: unknown key — known here: server, database, records, health_check, session, metrics, admin, proxy, objects, log, channels, models, users
    "#);
}

#[test]
fn a_file_that_is_no_toml_is_located() {
    assert_snapshot!(problems("[server]\nport = \nhost = 'x\n[server]\n"), @"
    gateway.toml:2:8: this is not TOML: string values must be quoted, expected literal string
    gateway.toml:3:10: this is not TOML: invalid literal string, expected `'`
    gateway.toml:4:2: this is not TOML: duplicate key
    ");
}

#[test]
fn a_key_that_is_there_twice_is_located() {
    assert_snapshot!(problems("[server]\nport = 1\nport = 2\n[server]\n"), @"
    gateway.toml:3:1: this is not TOML: duplicate key
    gateway.toml:4:2: this is not TOML: duplicate key
    ");
}

#[test]
fn the_environment_is_judged_even_when_the_file_is_no_toml() {
    let broken = scratch().file("gateway.toml", "[server").env("GATEWAY_SERVER__PORT", "x");
    assert_snapshot!(broken.problems(), @"
    gateway.toml:1:8: this is not TOML: unclosed table, expected `]`
    GATEWAY_SERVER__PORT: server.port: expected a whole number, found `x`
    ");
}

#[test]
fn more_problems_than_anyone_reads_are_counted() {
    let lines: Vec<_> = (0..1_000).map(|n| format!("unknown_{n} = 1\n")).collect();
    let problems = scratch().file("gateway.toml", &lines.concat()).load().unwrap_err();
    assert_eq!(problems.as_slice().len(), 101);
    assert_eq!(problems.as_slice()[100].message, "and 900 more problems");
}

#[test]
fn every_key_has_an_origin_and_secrets_are_masked() {
    let scratch = scratch()
        .file(
            "gateway.toml",
            "[server]\nport = 9000\nread_timeout = 20\n[admin]\ntoken = 'canary-0123456789-abcd'",
        )
        .env("GATEWAY_SERVER__READ_TIMEOUT", "1m");
    let origins = scratch.load().unwrap().origins;
    let of =
        |name: &str| origins.iter().find(|(key, ..)| key == name).map(|(_, o, v)| (o.clone(), v.as_str()));
    assert_eq!(of("server.host"), Some((Origin::Default, "0.0.0.0")));
    assert_eq!(of("server.port"), Some((Origin::File { line: 2 }, "9000")));
    assert_eq!(
        of("server.read_timeout"),
        Some((Origin::Env("GATEWAY_SERVER__READ_TIMEOUT".to_owned()), "1m"))
    );
    assert_eq!(of("admin.token"), Some((Origin::File { line: 5 }, "…abcd")));
    assert_eq!(of("admin.listen"), Some((Origin::Default, "")));
    assert!(!format!("{origins:?}").contains("canary"));
}

#[test]
fn no_problem_shows_the_value_of_a_secret() {
    let file = r#"
[admin]
token = "canary kurz"
auth = { canary = 1 }
[database]
master_key = 5
[[channels]]
name = "a"
base_url = "http://user:canary@host"
api_key = "canary with space"
[[users]]
name = "u"
keys = ["canary", "canary", "env:canary-1", ""]
"#;
    let said = problems(file).replace("admin.auth.canary", "");
    assert_snapshot!(said, @r#"
    gateway.toml:3:9: admin.token: holds white space or a character that is not visible ASCII; no HTTP header can carry it
    gateway.toml:3:9: admin.token: has fewer than 16 characters, so it can be guessed — take a longer one, for example from `openssl rand -hex 32`
    gateway.toml:4:8: admin.auth: expected a string, found a table
    gateway.toml:6:14: database.master_key: expected a string, found a whole number — write it in quotes
    gateway.toml:9:12: channels[0].base_url: must not hold a user name or password: give the key in api_key
    gateway.toml:10:11: channels[0].api_key: holds white space or a character that is not visible ASCII; no HTTP header can carry it
    gateway.toml:13:19: users[0].keys[1]: is the same key as users[0].keys[0] — a key recognises one user
    gateway.toml:13:29: users[0].keys[2]: what stands after `env:` is not a variable's name — write "env:NAME", with letters, digits and underscores
    gateway.toml:13:45: users[0].keys[3]: is empty
    "#);
    assert!(!said.contains("canary"));
    for broken in ["[[users]]\nkey = \"sk-canary\n", "key = sk-canary\n", "sk-canary\n", "k = 'x' sk-canary"]
    {
        assert!(!problems(broken).contains("canary"), "{broken}");
    }
}

#[test]
fn a_file_that_was_deleted_is_a_problem_once_it_is_named() {
    let scratch = scratch().file("gateway.toml", "[server]\nport = 9000\n");
    let path = scratch.load().unwrap().file;
    std::fs::remove_file(path.as_ref().unwrap()).unwrap();
    let again = crate::load(&Source { path, ..Source::default() }, &Environment::new());
    assert_eq!(again.unwrap_err().as_slice()[0].message, "the file does not exist");
}

#[test]
fn a_yaml_file_of_the_original_is_answered_with_its_toml() {
    let scratch = scratch().file("config.yaml", "server:\n  port: 8081\nsession:\n  idle_timeout: 15\n");
    assert_snapshot!(scratch.warnings(), @"
    config.yaml: YAML is not read, so the built-in defaults are used — write a gateway.toml with:
    [server]
    port = 8081
    [session]
    idle_timeout = 15
    ");
}

#[test]
fn a_yaml_file_beside_a_toml_file_is_not_mentioned() {
    let scratch = scratch().file("config.yaml", "server:\n  port: 8081\n").file("gateway.toml", "");
    assert_eq!(scratch.warnings(), "");
}

/// Text that is near to a configuration, so that it gets past the parser often enough.
fn configuration_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("server".to_owned()),
        Just("port".to_owned()),
        Just("channels".to_owned()),
        Just("models".to_owned()),
        Just("users".to_owned()),
        Just("name".to_owned()),
        Just("keys".to_owned()),
        Just("probe".to_owned()),
        Just("base_url".to_owned()),
        "[a-z_\"'ü.]{0,12}",
    ];
    let value = prop_oneof![
        any::<i128>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        "\"[ -~]{0,20}\"",
        "'(env:|file:|http://)?[ -&(-~]{0,20}'",
        Just("[{ channel = 'a' }, 1, [[]]]".to_owned()),
        Just("{ chat = 'm' }".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        "\\PC{0,20}",
    ];
    let line = (word, value, 0..4u8).prop_map(|(word, value, kind)| match kind {
        0 => format!("[{word}]\n"),
        1 => format!("[[{word}]]\n"),
        _ => format!("{word} = {value}\n"),
    });
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), value in any::<String>()) {
        let answer = scratch().file("gateway.toml", &text).env("GATEWAY_SERVER__HOST", &value).load();
        drop(answer);
    }

    #[test]
    fn text_that_looks_like_a_configuration_never_panics(text in configuration_like()) {
        if let Err(problems) = scratch().file("gateway.toml", &text).load() {
            prop_assert!(!problems.to_string().is_empty());
        }
    }
}

#[test]
fn a_text_is_judged_as_the_file_would_be_and_the_file_is_not_read() {
    let scratch = scratch()
        .file("gateway.toml", "this is [not TOML")
        .file("key", "sk-from-file")
        .env("GATEWAY_SERVER__PORT", "9000");
    let text = "[proxy]\nmax_attempts = 5\n[[channels]]\nname = \"a\"\nbase_url = \"http://x\"\napi_key = \"file:key\"\n";
    let loaded = scratch.load_text(text).unwrap();
    assert_eq!((loaded.settings.proxy.max_attempts, loaded.settings.server.port), (5, 9000));
    assert_eq!(loaded.declaration.channels[0].api_key.expose(), "sk-from-file");
    let problems = scratch.load_text("[server]\nprot = 1\n").unwrap_err();
    let problem = &problems.as_slice()[0];
    assert_eq!(
        (problem.line, problem.column, problem.advice.as_str()),
        (Some(2), Some(1), "did you mean `port`?")
    );
    assert!(problem.file.as_ref().is_some_and(|file| file.ends_with("gateway.toml")), "{problem}");
}
