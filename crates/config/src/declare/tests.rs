use gateway_domain::{BaseUrl, ModelTuning, NewChannel, NewMapping, NewModel, NewUser, ProbePlan, Secret};
use insta::assert_snapshot;

use crate::scratch::{loaded, problems, scratch};

/// A channel in two lines, to be followed by more of its keys.
const CHANNEL: &str = "[[channels]]\nname = 'a'\nbase_url = 'http://host'\n";

#[test]
fn what_is_declared_is_taken_as_it_is_written() {
    let file = r#"
[[channels]]
name = "openai"
base_url = "https://api.openai.com/"
api_key = "env:OPENAI_API_KEY"
weight = 30
enabled = false
max_concurrency = 4
models = ["gpt-4o", "*"]
probe = { chat = "gpt-4o-mini" }

[[channels]]
name = "local"
base_url = "http://127.0.0.1:8000/v1"

[[models]]
name = "fast"
channels = [{ channel = "openai", model = "gpt-4o-mini", weight = 3 }, { channel = "local" }]

[[users]]
name = "a"
key = "sk-literal-1"
models = ["fast"]

[[users]]
name = "b"
keys = ["file:b.key", "sk-literal-2"]
enabled = false
models = ["*"]
"#;
    let scratch = scratch()
        .file("gateway.toml", file)
        .file("b.key", "sk-from-file\n")
        .env("OPENAI_API_KEY", "sk-upstream");
    let declaration = scratch.load().unwrap().declaration;
    let secret = |text: &str| Secret::new(text.to_owned());
    let url = |text: &str| BaseUrl::parse(text).unwrap();
    let openai = NewChannel {
        weight: 30,
        enabled: false,
        max_concurrency: Some(4),
        models: vec!["gpt-4o".into(), "*".into()],
        probe: ProbePlan::Chat { model: "gpt-4o-mini".to_owned() },
        ..NewChannel::new("openai", url("https://api.openai.com/v1"), secret("sk-upstream"))
    };
    let local = NewChannel::new("local", url("http://127.0.0.1:8000/v1"), secret(""));
    assert_eq!(declaration.channels, [openai, local]);
    let mapping = |channel: &str, backend: &str, weight| NewMapping {
        channel: channel.into(),
        backend_model: backend.into(),
        weight,
    };
    let mappings = vec![mapping("openai", "gpt-4o-mini", 3), mapping("local", "fast", 10)];
    assert_eq!(
        declaration.models,
        [NewModel { name: "fast".into(), mappings, tuning: ModelTuning::default() }]
    );
    let a = NewUser {
        name: "a".into(),
        keys: vec![secret("sk-literal-1")],
        enabled: true,
        allowed_models: Some(vec!["fast".into()]),
        may_explain: false,
    };
    let keys = vec![secret("sk-from-file"), secret("sk-literal-2")];
    let b = NewUser { name: "b".into(), keys, enabled: false, allowed_models: None, may_explain: false };
    assert_eq!(declaration.users, [a, b]);
}

#[test]
fn every_way_to_probe_can_be_written() {
    let probe =
        |text: &str| loaded(&format!("{CHANNEL}probe = {text}")).declaration.channels[0].probe.clone();
    assert_eq!(probe("'models'"), ProbePlan::Models);
    assert_eq!(probe("'off'"), ProbePlan::Off);
    assert_eq!(probe("'/healthz?x=1'"), ProbePlan::Path("/healthz?x=1".to_owned()));
    assert_eq!(probe("{ chat = 'm' }"), ProbePlan::Chat { model: "m".to_owned() });
}

#[test]
fn what_is_no_probe_is_refused() {
    let probe = |text: &str| problems(&format!("{CHANNEL}probe = {text}"));
    assert_snapshot!(probe("'model'"), @r#"gateway.toml:4:9: channels[0].probe: unknown probe "model" — write "models", "off", "/path" or { chat = "model" } (or chat_stream, embeddings, responses)"#);
    assert_snapshot!(probe("{ chat = 'm', x = 1 }"), @r#"gateway.toml:4:9: channels[0].probe: must hold one kind of call and nothing else — write "models", "off", "/path" or { chat = "model" } (or chat_stream, embeddings, responses)"#);
    assert_snapshot!(probe("{ chat = '' }"), @"gateway.toml:4:9: channels[0].probe: is empty");
    assert_snapshot!(probe("'/a b'"), @"gateway.toml:4:9: channels[0].probe: is a path with a character that a URL cannot have");
    assert_snapshot!(probe("true"), @r#"gateway.toml:4:9: channels[0].probe: expected a string, found true — write "models", "off", "/path" or { chat = "model" } (or chat_stream, embeddings, responses)"#);
}

#[test]
fn a_channel_needs_a_name_and_a_place() {
    let file =
        "[[channels]]\nweight = -1\nmax_concurrency = 0\n[[channels]]\nname = ' '\nbase_url = 'ftp://x'\n";
    assert_snapshot!(problems(file), @"
    gateway.toml:1:1: channels[0].name: is missing
    gateway.toml:1:1: channels[0].base_url: is missing
    gateway.toml:2:10: channels[0].weight: must not be negative
    gateway.toml:3:19: channels[0].max_concurrency: must be between 1 and 1000000, not 0
    gateway.toml:5:8: channels[1].name: is empty
    gateway.toml:6:12: channels[1].base_url: must begin with http:// or https://
    ");
}

#[test]
fn names_are_unique_and_clean() {
    let file = format!(
        "{CHANNEL}{CHANNEL}[[models]]\nname = '*'\nchannels = []\n[[models]]\nname = \"a\\nb\"\nchannels = []\n\
         [[users]]\nname = 'u'\nkey = 'sk-11111111'\n[[users]]\nname = 'u'\nkey = 'sk-22222222'\n\
         [[users]]\nname = '{}'\nkey = 'sk-33333333'\n",
        "x".repeat(201)
    );
    assert_snapshot!(problems(&file), @r#"
    gateway.toml:5:8: channels[1].name: `a` is the name of channels[0] already — names are unique
    gateway.toml:7:1: models[0].name: "*" is not a model's name — put "*" into a channel's models
    gateway.toml:11:8: models[1].name: holds a control character
    gateway.toml:17:8: users[1].name: `u` is the name of users[0] already — names are unique
    gateway.toml:20:8: users[2].name: is longer than 200 characters
    "#);
}

#[test]
fn a_mapping_names_a_declared_channel_once() {
    let file = format!(
        "{CHANNEL}models = ['m', 'm']\n[[models]]\nname = 'm'\nchannels = [{{ channel = 'a' }}, {{ channel = 'A' }}]\n\
         [[models]]\nname = 'n'\nchannels = [{{ channel = 'a', weight = 1 }}, {{ channel = 'a', model = 'x' }}]\n\
         [[models]]\nname = 'o'\n"
    );
    assert_snapshot!(problems(&file), @r#"
    gateway.toml:4:16: channels[0].models[1]: `m` is in the list already
    gateway.toml:7:25: models[0].channels[0].channel: `m` is served by channel `a` already — name each pair once, in [[models]] or in the channel's models
    gateway.toml:7:44: models[0].channels[1].channel: no channel is named `A` — did you mean `a`?
    gateway.toml:10:56: models[1].channels[1].channel: `n` is served by channel `a` already — name each pair once, in [[models]] or in the channel's models
    gateway.toml:11:1: models[2].channels: is missing — write channels = [{ channel = "…" }]
    "#);
}

#[test]
fn a_user_has_keys_of_its_own() {
    let file = "
[admin]
token = 'sk-0123456789-admin'
[[users]]
name = 'none'
[[users]]
name = 'both'
key = 'sk-both-1234'
keys = ['sk-both-5678']
[[users]]
name = 'thief'
keys = ['sk-both-1234', 'sk-0123456789-admin']
";
    assert_snapshot!(problems(file), @r#"
    gateway.toml:4:1: users[0]: has no key — write key = "env:NAME", or keys = ["env:NAME", …]
    gateway.toml:6:1: users[1]: has both key and keys — write key = "env:NAME", or keys = ["env:NAME", …]
    gateway.toml:12:9: users[2].keys[0]: is the same key as users[1].key — a key recognises one user
    gateway.toml:12:25: users[2].keys[1]: is the admin token — a user's key must not open the admin API
    "#);
}

#[test]
fn a_short_user_key_is_warned_about() {
    let scratch = scratch().file("gateway.toml", "[[users]]\nname = 'u'\nkey = 'sk-1234'\n");
    assert_snapshot!(scratch.warnings(), @"gateway.toml:3:7: users[0].key: has fewer than 8 characters, so it can be guessed — take a longer one");
}

#[test]
fn what_is_no_list_is_pointed_out() {
    let file = "channels = 5\nusers = ['x']\n[models]\nname = 'm'\n";
    assert_snapshot!(problems(file), @"
    gateway.toml:1:12: channels: expected a list, found a whole number — write it in square brackets
    gateway.toml:2:10: users[0]: expected a table, found a string
    gateway.toml:3:1: models: expected a list, found a table — write each entry as [[models]]
    ");
}
