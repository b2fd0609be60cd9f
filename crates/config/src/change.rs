use crate::keys::KEYS;
use crate::{Reload, Settings};

/// The dotted keys that differ between the two and that only a restart applies, in the order of the reference.
/// What differs otherwise is in force as soon as the snapshot is.
pub fn restart_needed(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let waits = |key: &&crate::keys::Key| key.reload == Reload::Restart && !key.field.same(old, new);
    KEYS.iter().filter(waits).map(|key| key.name).collect()
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
        new.server.tls.get_or_insert_default().cert = "cert.pem".into();
        new.database.path = "other.db".into();
        assert_eq!(restart_needed(&old, &new), ["server.port", "server.tls.cert", "database.path"]);
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
