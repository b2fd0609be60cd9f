//! What is rarely set on channels and models: limits, times, and how calls are routed.

use std::time::Duration;

use gateway_domain::{ChannelTuning, Hedge, HedgeAfter, ModelTuning, Policy, ProbePlan};
use toml::de::DeValue;

use super::name;
use crate::ProxySettings;
use crate::duration::Unit;
use crate::entry::Entry;
use crate::raw::{Raw, short};
use crate::refused::Refused;

const SHORTEST: Duration = Duration::from_millis(1);

const HEDGE_ADVICE: &str = "write \"learned\", \"2s\" or { after = \"2s\", max_percent = 5 }";

const PROBE_ADVICE: &str = "write \"models\", \"off\", \"/path\" or { chat = \"model\" } (or chat_stream, embeddings, \
                            responses)";

/// A channel's tuning. Its times are compared with those in force, unless one of these was refused already.
pub(super) fn of_channel(entry: &mut Entry<'_, '_, '_>, proxy: Option<&ProxySettings>) -> ChannelTuning {
    let most = u64::from(ChannelTuning::MOST_PER_MINUTE);
    let time = |raw: Raw<'_>| raw.duration(Unit::Seconds, SHORTEST);
    let tier = entry.read("tier", |raw| narrow(raw, 0, u64::from(u8::MAX)));
    let requests = entry.read("requests_per_minute", |raw| narrow(raw, 1, most));
    let tokens = entry.read("tokens_per_minute", |raw| narrow(raw, 1, most));
    let add_cache_key = entry.read("add_cache_key", Raw::flag);
    let connect = entry.read("connect_timeout", time);
    let first_byte = entry.read("first_byte_timeout", time);
    let stream_gap = entry.read("stream_gap_timeout", time);
    let pool_idle = entry.read("pool_idle_timeout", time);
    let tuning = ChannelTuning {
        tier: tier.map_or(0, |(tier, _)| tier),
        requests_per_minute: requests.map(|(most, _)| most),
        tokens_per_minute: tokens.map(|(most, _)| most),
        add_cache_key: add_cache_key.is_some_and(|(add, _)| add),
        connect_timeout: connect.as_ref().map(|(time, _)| *time),
        first_byte_timeout: first_byte.as_ref().map(|(time, _)| *time),
        stream_gap_timeout: stream_gap.as_ref().map(|(time, _)| *time),
        pool_idle_timeout: pool_idle.map(|(time, _)| time),
    };
    for misfit in proxy.map(|proxy| proxy.misfits(&tuning)).unwrap_or_default() {
        let written = match misfit.key {
            "connect_timeout" => &connect,
            "first_byte_timeout" => &first_byte,
            _ => &stream_gap,
        };
        if let Some((_, spot)) = written {
            entry.problem(spot, misfit.key, Refused::new(misfit.message).advise(misfit.advice));
        }
    }
    tuning
}

/// A model's tuning.
pub(super) fn of_model(entry: &mut Entry<'_, '_, '_>) -> ModelTuning {
    let policy = entry.read("policy", |raw| raw.word(&Policy::WORDS));
    let (least, most) = ModelTuning::SLACK_PERCENT.into_inner();
    let slack = entry.read("slack_percent", |raw| narrow(raw, least.into(), most.into()));
    let sticky = entry.read("sticky", Raw::flag);
    let cut = entry.read("cut", Raw::flag);
    let hedge = entry.read("hedge", hedge);
    ModelTuning {
        policy: policy.and_then(|(word, _)| Policy::from_word(word)),
        slack_percent: slack.map(|(percent, _)| percent),
        sticky: sticky.map(|(sticky, _)| sticky),
        cut: cut.map(|(cut, _)| cut),
        hedge: hedge.map(|(hedge, _)| hedge),
    }
}

/// How a channel's health is asked.
pub(super) fn probe(raw: Raw<'_>) -> Result<ProbePlan, Refused> {
    if let Raw::Toml(DeValue::Table(table)) = raw {
        let mut members = table.iter().map(|(key, value)| (&**key.get_ref(), value));
        let (Some((kind, model)), None) = (members.next(), members.next()) else {
            return Err(Refused::new("must hold one kind of call and nothing else").advise(PROBE_ADVICE));
        };
        let model = || name(Raw::Toml(model.get_ref())).map(|model| model.to_string());
        return match kind {
            "chat" => Ok(ProbePlan::Chat { model: model()? }),
            "chat_stream" => Ok(ProbePlan::ChatStream { model: model()? }),
            "embeddings" => Ok(ProbePlan::Embeddings { model: model()? }),
            "responses" => Ok(ProbePlan::Responses { model: model()? }),
            other => Err(Refused::new(format!("unknown call `{}`", short(other))).advise(PROBE_ADVICE)),
        };
    }
    match raw.text().map_err(|refused| refused.advise(PROBE_ADVICE))? {
        "models" => Ok(ProbePlan::Models),
        "off" => Ok(ProbePlan::Off),
        path if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') => {
            Ok(ProbePlan::Path(path.to_owned()))
        }
        path if path.starts_with('/') => {
            Err(Refused::new("is a path with a character that a URL cannot have"))
        }
        other => Err(Refused::new(format!("unknown probe \"{}\"", short(other))).advise(PROBE_ADVICE)),
    }
}

/// `"learned"`, a time, or a table with one of these and the share of calls.
fn hedge(raw: Raw<'_>) -> Result<Hedge, Refused> {
    let Raw::Toml(DeValue::Table(table)) = raw else {
        return Ok(Hedge { after: hedge_after(raw)?, ..Hedge::default() });
    };
    let (after, percent) = (table.get("after"), table.get("max_percent"));
    if usize::from(after.is_some()) + usize::from(percent.is_some()) != table.len() || table.is_empty() {
        return Err(
            Refused::new("must hold after, max_percent or both, and nothing else").advise(HEDGE_ADVICE)
        );
    }
    let mut hedge = Hedge::default();
    if let Some(after) = after {
        hedge.after = hedge_after(Raw::Toml(after.get_ref()))?;
    }
    if let Some(percent) = percent {
        let (least, most) = Hedge::MAX_PERCENT.into_inner();
        let read = narrow(Raw::Toml(percent.get_ref()), least.into(), most.into());
        hedge.max_percent =
            read.map_err(|refused| Refused::new(format!("max_percent: {}", refused.message)))?;
    }
    Ok(hedge)
}

fn hedge_after(raw: Raw<'_>) -> Result<HedgeAfter, Refused> {
    if matches!(raw.text(), Ok("learned")) {
        return Ok(HedgeAfter::Learned);
    }
    let time = raw.duration(Unit::Seconds, SHORTEST).map_err(|refused| refused.advise(HEDGE_ADVICE))?;
    Ok(HedgeAfter::Fixed(time))
}

fn narrow<T: TryFrom<u64>>(raw: Raw<'_>, least: u64, most: u64) -> Result<T, Refused> {
    T::try_from(raw.number_in(least, most)?).map_err(|_wide| Refused::new("is too large"))
}

#[cfg(test)]
mod tests;
