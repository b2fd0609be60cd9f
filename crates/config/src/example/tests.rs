use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::keys::KEYS;
use crate::scratch::scratch;
use crate::{Reload, Settings, example, reference};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

/// The example with the first `#` of every value line taken away.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(value) if !value.is_empty() && !value.starts_with(' ') => format!("{value}\n"),
        _ => format!("{line}\n"),
    };
    example().lines().map(line).collect()
}

#[test]
fn the_shipped_example_is_the_one_of_the_code() {
    let path = shipped("gateway.toml");
    if std::env::var_os("GATEWAY_CONFIG_UPDATE_EXAMPLE").is_some() {
        fs::write(&path, example()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        example(),
        "run the tests of gateway-config with GATEWAY_CONFIG_UPDATE_EXAMPLE=1 and commit config/gateway.toml"
    );
}

#[test]
fn the_example_as_it_is_changes_nothing() {
    let loaded = scratch().file("gateway.toml", &example()).load().unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(*loaded.declaration, gateway_domain::Declaration::default());
}

#[test]
fn the_example_with_every_line_uncommented_gives_the_defaults() {
    let scratch = scratch()
        .file("gateway.toml", &uncommented())
        .file("tls/cert.pem", "")
        .file("tls/key.pem", "")
        .env("GATEWAY_ADMIN_TOKEN", "0123456789abcdef")
        .env("GATEWAY_MASTER_KEY", "master")
        .env("OPENAI_API_KEY", "sk-openai")
        .env("TEAM_A_KEY", "sk-team-a");
    assert_eq!(scratch.problems(), "no problem");
    let loaded = scratch.load().unwrap();
    let mut settings = loaded.settings;
    let optional = (
        settings.server.tls.take().is_some(),
        settings.master_key.take().is_some(),
        settings.admin.token.take().is_some(),
        settings.admin.listen.take().map(|address| address.to_string()),
        settings.metrics.port.take(),
        settings.proxy.default_channel.take(),
        settings.proxy.administration_channel.take(),
    );
    let listen = Some("127.0.0.1:9000".to_owned());
    assert_eq!(
        optional,
        (true, true, true, listen, Some(9090), Some("openai".to_owned()), Some("openai".to_owned()))
    );
    assert_eq!(settings, Settings::default());
    let declared = loaded.declaration;
    assert_eq!((declared.channels.len(), declared.models.len(), declared.users.len()), (1, 1, 1));
}

#[test]
fn no_key_of_the_code_is_missing_from_the_example() {
    let tree: toml::Table = uncommented().parse().unwrap();
    for key in reference() {
        let mut here = Some(toml::Value::from(tree.clone()));
        for part in key.name.split('.') {
            let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            here = here.and_then(|value| value.get(name).cloned());
            if is_list {
                here = here.and_then(|value| value.get(0).cloned());
            }
        }
        // The one key of a pair that excludes the other; the prose beside it shows how it is written.
        let in_prose = key.name == "users[].keys" && example().contains("keys = [");
        assert!(here.is_some() || in_prose, "{} is not in the example", key.name);
    }
}

#[test]
fn the_shipped_minimal_file_needs_two_variables_and_nothing_else() {
    let file = fs::read_to_string(shipped("minimal.toml")).unwrap();
    let scratch = scratch()
        .file("gateway.toml", &file)
        .env("OPENAI_API_KEY", "sk-openai")
        .env("MY_KEY", "sk-0123456789");
    assert_eq!((scratch.problems(), scratch.warnings()), ("no problem".to_owned(), String::new()));
    let declared = scratch.load().unwrap().declaration;
    assert_eq!((declared.channels.len(), declared.models.len(), declared.users.len()), (1, 0, 1));
}

#[test]
fn the_reference_says_what_there_is_to_say() {
    let keys = reference();
    let names: HashSet<_> = keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names.len(), keys.len(), "names are unique");
    assert!(keys.iter().all(|key| key.meaning.ends_with('.') && !key.kind.is_empty()));
    let of = |name: &str| keys.iter().find(|key| key.name == name).unwrap();
    assert_eq!(of("server.port").default, "8080");
    assert_eq!(of("server.tls.cert").variables, ["GATEWAY_SERVER__TLS__CERT"]);
    assert_eq!(of("admin.token").variables, ["GATEWAY_ADMIN__TOKEN", "GATEWAY_ADMIN_TOKEN"]);
    assert_eq!(of("session.idle_timeout").default, "\"30m\"");
    assert_eq!(of("server.port").reload, Reload::Restart);
    assert_eq!(of("models[].channels[].weight").default, "10");
}

#[test]
fn every_key_can_be_set_to_its_default_by_its_variable() {
    let defaults = Settings::default();
    for key in KEYS {
        let Some(value) = key.field.show(&defaults) else { continue };
        let scratch = scratch().env(&key.variable(), &value.plain());
        assert_eq!(scratch.problems(), "no problem", "{}", key.name);
        assert_eq!(scratch.load().unwrap().settings, defaults, "{}", key.name);
    }
}
