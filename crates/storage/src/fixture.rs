//! What the tests of this crate have in common.

use std::time::{Duration, Instant};

use gateway_domain::{BaseUrl, NewChannel, NewUser, Secret};

use crate::{MasterKey, Recorder, Store};

pub(crate) const CHANNEL_KEY: &str = "sk-channel-canary-0123456789";

pub(crate) fn key() -> MasterKey {
    MasterKey::from_text("a master key for tests only").unwrap()
}

pub(crate) fn store() -> Store {
    Store::open_in_memory(&key()).unwrap()
}

pub(crate) fn new_channel(name: &str) -> NewChannel {
    let url = BaseUrl::parse("https://api.openai.com/v1").unwrap();
    NewChannel::new(name, url, Secret::new(CHANNEL_KEY.to_owned()))
}

pub(crate) fn new_user(name: &str, keys: &[&str]) -> NewUser {
    let keys = keys.iter().map(|key| Secret::new((*key).to_owned())).collect();
    NewUser { name: name.into(), keys, enabled: true, allowed_models: None, may_explain: false }
}

/// Waits until so many records are on disk; the test fails when that takes unreasonably long.
pub(crate) fn wait_until_written(recorder: &Recorder, records: u64) {
    let patience = Instant::now() + Duration::from_secs(20);
    while recorder.written() < records {
        assert!(Instant::now() < patience, "{} of {records} records written", recorder.written());
        std::thread::sleep(Duration::from_millis(2));
    }
}
