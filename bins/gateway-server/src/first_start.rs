//! What a gateway that knows nobody yet makes for itself: an admin token, and with `OPENAI_API_KEY` set, a channel.

use gateway_config::{AdminAuth, Environment, Settings};
use gateway_domain::{BaseUrl, Inventory, KeyDigest, NewChannel, NewUser, Secret};
use gateway_storage::Store;

/// Where the digest of a token that was made here is kept.
const TOKEN_SETTING: &str = "admin_token_sha256";

/// What was made at this start and can be seen only now: nothing of it is kept in clear.
#[derive(Clone, Debug, Default)]
pub struct FirstStart {
    /// The admin token, when it was made now.
    pub admin_token: Option<Secret<String>>,
    /// The first channel, when one was made.
    pub channel: Option<FirstChannel>,
}

/// A channel that was made because `OPENAI_API_KEY` is set and the database was empty.
#[derive(Clone, Debug)]
pub struct FirstChannel {
    /// Its name.
    pub name: &'static str,
    /// Where it calls.
    pub base_url: BaseUrl,
    /// A gateway key that may use it, unless the database has users already.
    pub user_key: Option<Secret<String>>,
}

/// The digest of the admin token: from the configuration, or kept, or of a new one, which is also returned.
/// `None`: the admin API asks for none.
pub(crate) fn admin_token(
    settings: &Settings,
    store: &Store,
) -> anyhow::Result<(Option<KeyDigest>, Option<Secret<String>>)> {
    if settings.admin.auth == AdminAuth::None {
        return Ok((None, None));
    }
    if let Some(token) = &settings.admin.token {
        return Ok((Some(gateway_admin::token_digest(token.expose())), None));
    }
    if let Some(kept) = store.setting(TOKEN_SETTING)?.as_deref().and_then(from_hex) {
        return Ok((Some(kept), None));
    }
    let (digest, token) = new_admin_token(store)?;
    Ok((Some(digest), Some(token)))
}

/// Makes a new admin token and keeps its digest; the old one is no longer good from the next start on.
pub(crate) fn new_admin_token(store: &Store) -> anyhow::Result<(KeyDigest, Secret<String>)> {
    let token = format!("gwa-{}", random_hex()?);
    let digest = gateway_admin::token_digest(&token);
    store.set_setting(TOKEN_SETTING, &to_hex(&digest.0))?;
    Ok((digest, Secret::new(token)))
}

/// Makes the channel `openai` when the environment has a key for it and nothing else can serve.
pub(crate) fn first_channel(
    environment: &Environment,
    store: &Store,
    inventory: &Inventory,
) -> anyhow::Result<Option<FirstChannel>> {
    let given =
        |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let Some(api_key) = given("OPENAI_API_KEY") else { return Ok(None) };
    if !inventory.channels.is_empty() {
        return Ok(None);
    }
    let base = given("OPENAI_BASE_URL").unwrap_or("https://api.openai.com");
    let base_url = BaseUrl::parse(base).map_err(|error| anyhow::anyhow!("OPENAI_BASE_URL {error}"))?;
    let channel = NewChannel {
        models: vec!["*".into()],
        ..NewChannel::new("openai", base_url.clone(), Secret::new(api_key.to_owned()))
    };
    store.create_channel(&channel)?;
    let user_key = if inventory.users.is_empty() { Some(first_user(store)?) } else { None };
    Ok(Some(FirstChannel { name: "openai", base_url, user_key }))
}

fn first_user(store: &Store) -> anyhow::Result<Secret<String>> {
    let key = new_user_key()?;
    store.create_user(&NewUser {
        name: "first user".into(),
        keys: vec![key.clone()],
        enabled: true,
        allowed_models: None,
        may_explain: false,
    })?;
    Ok(key)
}

/// A gateway key that nobody can guess.
pub(crate) fn new_user_key() -> anyhow::Result<Secret<String>> {
    Ok(Secret::new(format!("sk-{}", random_hex()?)))
}

fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(to_hex(&bytes))
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ok = write!(text, "{byte:02x}").is_ok();
        text
    })
}

fn from_hex(text: &str) -> Option<KeyDigest> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(KeyDigest(bytes))
}

#[cfg(test)]
mod tests {
    use gateway_storage::MasterKey;

    use super::*;

    fn store() -> Store {
        let key = MasterKey::from_text("a master key that is long enough for a test").unwrap();
        Store::open_in_memory(&key).unwrap()
    }

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn made(store: &Store, pairs: &[(&str, &str)]) -> Option<FirstChannel> {
        first_channel(&environment(pairs), store, &store.inventory().unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_made_once_and_known_afterwards() {
        let store = store();
        let (first, shown) = admin_token(&Settings::default(), &store).unwrap();
        let (second, silent) = admin_token(&Settings::default(), &store).unwrap();
        assert_eq!(first, second);
        assert!(silent.is_none());
        assert_eq!(first, Some(gateway_admin::token_digest(shown.unwrap().expose())));
    }

    #[test]
    fn a_configured_token_is_taken_and_none_is_made() {
        let mut settings = Settings::default();
        settings.admin.token = Some(Secret::new("a configured token".to_owned()));
        let (digest, shown) = admin_token(&settings, &store()).unwrap();
        assert_eq!(digest, Some(gateway_admin::token_digest("a configured token")));
        assert!(shown.is_none());
    }

    #[test]
    fn an_open_admin_api_has_no_token() {
        let mut settings = Settings::default();
        settings.admin.auth = AdminAuth::None;
        assert_eq!(admin_token(&settings, &store()).unwrap().0, None);
    }

    #[test]
    fn an_openai_key_and_an_empty_database_make_a_channel_and_a_user() {
        let store = store();
        let first = made(&store, &[("OPENAI_API_KEY", "sk-upstream")]).unwrap();
        assert_eq!(first.base_url.as_str(), "https://api.openai.com/v1");
        let inventory = store.inventory().unwrap();
        assert!(inventory.channels.iter().all(|channel| channel.serves_any_model && channel.enabled));
        let digest = gateway_storage::key_digest(first.user_key.unwrap().expose());
        assert!(inventory.keys.iter().any(|key| key.digest == digest));
        assert!(
            made(&store, &[("OPENAI_API_KEY", "sk-upstream")]).is_none(),
            "the second start makes nothing"
        );
    }

    #[test]
    fn another_base_url_is_obeyed_and_a_wrong_one_refused() {
        let pairs = [("OPENAI_API_KEY", "sk-upstream"), ("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1/")];
        assert_eq!(made(&store(), &pairs).unwrap().base_url.as_str(), "http://127.0.0.1:8000/v1");
        let store = store();
        let pairs = [("OPENAI_API_KEY", "sk-upstream"), ("OPENAI_BASE_URL", "nonsense")];
        assert!(first_channel(&environment(&pairs), &store, &store.inventory().unwrap()).is_err());
    }

    #[test]
    fn without_a_key_nothing_is_made() {
        assert!(made(&store(), &[]).is_none());
        assert!(made(&store(), &[("OPENAI_API_KEY", "  ")]).is_none());
    }

    #[test]
    fn digests_survive_being_written_down() {
        let digest = KeyDigest(std::array::from_fn(|index| u8::try_from(index * 7 % 256).unwrap()));
        assert_eq!(from_hex(&to_hex(&digest.0)), Some(digest));
        assert_eq!(from_hex("ä"), None);
        assert_eq!(from_hex(&"g".repeat(64)), None);
    }
}
