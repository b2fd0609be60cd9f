use std::sync::Arc;

use gateway_domain::{
    BaseUrl, Channel, ChannelId, ChannelTuning, Inventory, KeyDigest, KeyId, ManagedBy, ProbePlan, Secret,
    UnixMillis, User, UserId, UserKey,
};

use crate::{Live, Settings, Snapshot};

fn channel(id: i64, serves_any_model: bool, enabled: bool) -> Channel {
    Channel {
        id: ChannelId(id),
        name: format!("channel-{id}").into(),
        base_url: BaseUrl::parse("http://host").unwrap(),
        api_key: Secret::default(),
        weight: 10,
        enabled,
        serves_any_model,
        max_concurrency: None,
        probe: ProbePlan::default(),
        tuning: ChannelTuning::default(),
        managed_by: ManagedBy::default(),
    }
}

fn user(id: i64, enabled: bool) -> User {
    User {
        id: UserId(id),
        name: "u".into(),
        enabled,
        allowed_models: None,
        may_explain: false,
        managed_by: ManagedBy::default(),
    }
}

/// A key whose digest is its id.
fn key(id: u8, user: i64, expires_at: Option<i64>) -> UserKey {
    UserKey {
        id: KeyId(i64::from(id)),
        user: UserId(user),
        digest: KeyDigest([id; 32]),
        prefix: String::new(),
        last_four: String::new(),
        created_at: UnixMillis(0),
        expires_at: expires_at.map(UnixMillis),
    }
}

fn serving(channels: Vec<Channel>, default_channel: Option<&str>) -> Snapshot {
    let mut settings = Settings::default();
    settings.proxy.default_channel = default_channel.map(str::to_owned);
    Snapshot::assemble(1, Arc::new(settings), Inventory { channels, ..Inventory::default() })
}

fn default_of(channels: Vec<Channel>, default_channel: Option<&str>) -> Option<i64> {
    serving(channels, default_channel).default_channel().map(|channel| channel.id.0)
}

#[test]
fn a_key_is_known_while_it_is_valid_and_its_user_enabled() {
    let inventory = Inventory {
        users: vec![user(1, true), user(2, false)],
        keys: vec![key(1, 1, None), key(2, 1, Some(1_000)), key(3, 2, None), key(4, 9, None)],
        ..Inventory::default()
    };
    let snapshot = Snapshot::assemble(1, Arc::default(), inventory);
    let whose = |id: u8, now: i64| {
        snapshot.identify(&KeyDigest([id; 32]), UnixMillis(now)).map(|(key, user)| (key.id.0, user.id.0))
    };
    assert_eq!(whose(1, 5_000), Some((1, 1)));
    assert_eq!(whose(2, 999), Some((2, 1)));
    assert_eq!(whose(2, 1_000), None, "expired");
    assert_eq!(whose(3, 0), None, "its user is disabled");
    assert_eq!(whose(4, 0), None, "its user is gone");
    assert_eq!(whose(5, 0), None, "unknown");
}

#[test]
fn only_enabled_channels_serve_any_model_and_they_stand_by_id() {
    let channels = vec![
        channel(3, true, true),
        channel(1, true, true),
        channel(2, true, false),
        channel(4, false, true),
    ];
    let snapshot = serving(channels, None);
    assert_eq!(snapshot.wildcard_channels().map(|channel| channel.id.0).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn the_default_channel_is_the_named_one_or_the_only_one_for_any_model() {
    let named = || vec![channel(1, false, true), channel(2, true, true), channel(3, true, false)];
    assert_eq!(default_of(named(), Some("channel-1")), Some(1));
    assert_eq!(default_of(named(), Some("channel-3")), None, "disabled");
    assert_eq!(default_of(named(), Some("channel-9")), None, "unknown");
    assert_eq!(default_of(named(), None), Some(2));
    assert_eq!(default_of(vec![channel(1, true, true), channel(2, true, true)], None), None, "there are two");
    assert_eq!(default_of(vec![], None), None);
}

#[test]
fn a_call_keeps_the_snapshot_it_loaded() {
    let live = Live::new(serving(vec![], None));
    let loaded = live.load();
    live.publish(Snapshot { version: 2, ..serving(vec![], None) });
    assert_eq!((loaded.version, live.load().version), (1, 2));
}
