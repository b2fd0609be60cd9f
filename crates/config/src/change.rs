use crate::field::Field;
use crate::keys::{KEYS, Key};
use crate::{Reload, Settings};

/// One key whose value differs between two settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// Its dotted name.
    pub key: &'static str,
    /// The old value as people write it; empty when there was none. `None` for a secret: not even its mask is told.
    pub from: Option<String>,
    /// The new one, likewise.
    pub to: Option<String>,
}

/// Every key whose value differs between the two, in the order of the reference.
pub fn changed_settings(old: &Settings, new: &Settings) -> Vec<SettingChange> {
    let shown = |key: &Key, settings: &Settings| {
        let is_secret = matches!(key.field, Field::Secret(_));
        (!is_secret).then(|| key.field.show(settings).map(|shown| shown.plain()).unwrap_or_default())
    };
    let change = |key: &Key| SettingChange { key: key.name, from: shown(key, old), to: shown(key, new) };
    KEYS.iter().filter(|key| !key.field.same(old, new)).map(change).collect()
}

/// The dotted keys that differ between the two and that only a restart applies, in the order of the reference.
/// What differs otherwise is in force as soon as the snapshot is.
///
/// `server.tls` is the one that is more than its keys: another certificate is taken up at once, but a listener
/// that speaks TLS does not begin or stop to do so while it runs.
pub fn restart_needed(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let waits = |key: &&Key| key.reload == Reload::Restart && !key.field.same(old, new);
    let mut keys: Vec<_> = KEYS.iter().filter(waits).map(|key| key.name).collect();
    if old.server.tls.is_some() != new.server.tls.is_some() {
        let after_server = keys.iter().take_while(|key| key.starts_with("server.")).count();
        keys.insert(after_server, "server.tls");
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_domain::Secret;

    #[test]
    fn a_change_is_named_when_only_a_restart_applies_it() {
        let old = Settings::default();
        let mut new = old.clone();
        assert_eq!(restart_needed(&old, &new), Vec::<&str>::new());
        new.proxy.max_attempts = 5;
        new.health_check.interval *= 2;
        assert_eq!(restart_needed(&old, &new), Vec::<&str>::new());
        new.server.port = 9000;
        new.database.path = "other.db".into();
        assert_eq!(restart_needed(&old, &new), ["server.port", "database.path"]);
    }

    #[test]
    fn every_changed_key_is_told_with_both_values_but_for_secrets() {
        let old = Settings::default();
        let mut new = old.clone();
        assert_eq!(changed_settings(&old, &new), []);
        new.proxy.max_attempts = 5;
        new.proxy.default_channel = Some("east".into());
        new.admin.token = Some(Secret::new("canary-0123456789-abcd".to_owned()));
        let text = |text: &str| Some(text.to_owned());
        let mut changes = changed_settings(&old, &new);
        changes.sort_by_key(|change| change.key);
        assert_eq!(
            changes,
            [
                SettingChange { key: "admin.token", from: None, to: None },
                SettingChange { key: "proxy.default_channel", from: text(""), to: text("east") },
                SettingChange { key: "proxy.max_attempts", from: text("3"), to: text("5") },
            ]
        );
        assert!(!format!("{changes:?}").contains("abcd"));
    }

    #[test]
    fn another_certificate_is_taken_up_at_once_but_tls_itself_is_not_switched() {
        let plain = Settings::default();
        let with = |cert: &str| {
            let mut settings = Settings::default();
            settings.server.port = 9000;
            settings.database.path = "other.db".into();
            settings.server.tls.get_or_insert_default().cert = cert.into();
            settings
        };
        assert_eq!(restart_needed(&with("old.pem"), &with("new.pem")), Vec::<&str>::new());
        assert_eq!(restart_needed(&plain, &with("new.pem")), ["server.port", "server.tls", "database.path"]);
        assert_eq!(restart_needed(&with("old.pem"), &plain), ["server.port", "server.tls", "database.path"]);
    }

    #[test]
    fn secrets_with_the_same_mask_are_still_told_apart() {
        let with = |token: &str| {
            let mut settings = Settings::default();
            settings.admin.token = Some(Secret::new(token.to_owned()));
            settings
        };
        assert_eq!(
            restart_needed(&with("aaaaaaaaaaaaaaaa1234"), &with("bbbbbbbbbbbbbbbb1234")),
            ["admin.token"]
        );
    }
}
