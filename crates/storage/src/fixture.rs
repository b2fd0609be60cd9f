//! What the tests of this crate have in common.

use std::time::{Duration, Instant};

use gateway_domain::{
    BaseUrl, ChannelTuning, Hedge, HedgeAfter, ModelTuning, NewChannel, NewUser, Policy, Secret,
};
use proptest::prelude::*;

use crate::{MasterKey, ModelPatch, Recorder, Store};

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

/// A change of a model's name alone.
pub(crate) fn named(name: &str) -> ModelPatch {
    ModelPatch { name: Some(name.into()), ..ModelPatch::default() }
}

fn any_time() -> impl Strategy<Value = Duration> {
    (0..31_622_400_000_u64).prop_map(Duration::from_millis)
}

prop_compose! {
    pub(crate) fn any_channel_tuning()(
        tier in any::<u8>(),
        requests_per_minute in prop::option::of(1..=u32::MAX),
        tokens_per_minute in prop::option::of(1..=u32::MAX),
        add_cache_key in any::<bool>(),
        connect_timeout in prop::option::of(any_time()),
        first_byte_timeout in prop::option::of(any_time()),
        stream_gap_timeout in prop::option::of(any_time()),
        pool_idle_timeout in prop::option::of(any_time()),
    ) -> ChannelTuning {
        ChannelTuning {
            tier,
            requests_per_minute,
            tokens_per_minute,
            add_cache_key,
            connect_timeout,
            first_byte_timeout,
            stream_gap_timeout,
            pool_idle_timeout,
        }
    }
}

prop_compose! {
    fn any_hedge()(
        after in prop_oneof![Just(HedgeAfter::Learned), any_time().prop_map(HedgeAfter::Fixed)],
        max_percent in 1..=50_u8,
    ) -> Hedge {
        Hedge { after, max_percent }
    }
}

prop_compose! {
    pub(crate) fn any_model_tuning()(
        policy in prop::option::of(prop::sample::select(Policy::ALL.to_vec())),
        slack_percent in any::<Option<u32>>(),
        sticky in any::<Option<bool>>(),
        cut in any::<Option<bool>>(),
        hedge in prop::option::of(any_hedge()),
    ) -> ModelTuning {
        ModelTuning { policy, slack_percent, sticky, cut, hedge }
    }
}

/// Waits until so many records are on disk; the test fails when that takes unreasonably long.
pub(crate) fn wait_until_written(recorder: &Recorder, records: u64) {
    let patience = Instant::now() + Duration::from_secs(20);
    while recorder.written() < records {
        assert!(Instant::now() < patience, "{} of {records} records written", recorder.written());
        std::thread::sleep(Duration::from_millis(2));
    }
}
