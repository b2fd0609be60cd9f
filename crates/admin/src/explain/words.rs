//! The account of a decision in sentences.

use gateway_config::Snapshot;
use gateway_domain::ChannelId;
use gateway_routing::{
    Candidate, Chosen, Explain, Limited, Micros, NoRoute, PolicyKind, Reason, State, Verdict,
};
use gateway_sessions::Place;

use super::name_of;
use crate::routing::PoolKind;

/// What the sentence speaks of, beside the account.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) user: &'a str,
    pub(super) pool: PoolKind,
    pub(super) model: Option<&'a str>,
    pub(super) place: Place,
    pub(super) refused: Option<&'a str>,
}

/// The decision in one line.
pub(super) fn sentence(setting: &Setting<'_>, account: &Explain) -> String {
    let call = match setting.model {
        Some(model) => format!("{}'s call for {model}", setting.user),
        None => format!("{}'s call without a model", setting.user),
    };
    let end = match &account.chosen {
        Ok(chosen) => chosen_end(setting, account, chosen),
        Err(no_route) => no_route_end(setting, no_route),
    };
    match setting.refused {
        Some(why) => format!("{call} is refused: {why}. Were it let in, it {}", lower_verb(&end)),
        None => format!("{call} {end}"),
    }
}

/// What keeps a channel out, or lets it in, with the figures that say so.
pub(super) fn why(candidate: &Candidate, policy: PolicyKind) -> String {
    let Candidate { h, threshold, inflight, blocked_ms, .. } = *candidate;
    match candidate.verdict {
        Verdict::Accepted | Verdict::BelowThreshold if policy != PolicyKind::Adaptive => {
            format!("it may be chosen: the policy {policy} asks for no health")
        }
        Verdict::Accepted => {
            format!("its health of {h:.2} reaches the {threshold:.2} that this call asks of it")
        }
        Verdict::BelowThreshold => format!(
            "its health of {h:.2} is below the {threshold:.2} that this call asks of it, mostly for its {}",
            weakest(candidate)
        ),
        Verdict::Excluded => "it was tried already".to_owned(),
        Verdict::Filtered => "it may not be used by this call".to_owned(),
        Verdict::Open if candidate.state == State::Half => {
            "it is out of use but for single trials".to_owned()
        }
        Verdict::Open => "it is out of use after failures or for slowness".to_owned(),
        Verdict::Limited => {
            let by = match candidate.limited_by {
                Some(Limited::Requests) => "its requests_per_minute are used up",
                Some(Limited::Tokens) => "its tokens_per_minute do not suffice for this call",
                Some(Limited::Upstream) | None => "its upstream limits it",
            };
            format!("{by} for {} s more", seconds(blocked_ms))
        }
        Verdict::Full => format!("it has as many attempts in flight as it may have ({inflight})"),
        Verdict::NotAdmitted => "the health checks are against it".to_owned(),
        Verdict::ZeroWeight => "it is drained: its weight is 0".to_owned(),
    }
}

fn chosen_end(setting: &Setting<'_>, account: &Explain, chosen: &Chosen) -> String {
    let name = |id| shown(setting.snapshot, id);
    let channel = name(chosen.channel);
    let found = |id| account.candidates.iter().find(|candidate| candidate.id == id);
    let well =
        found(chosen.channel).map(|candidate| well_enough(candidate, account.policy)).unwrap_or_default();
    let home = account.home.filter(|home| *home != chosen.channel);
    let reason = match chosen.reason {
        Reason::Home => format!("it is the session's home, and {well}"),
        Reason::Pinned => {
            let home = home.map(|home| format!("; the session's home is {}", name(home))).unwrap_or_default();
            format!("it served the session last, and {well}{home}")
        }
        Reason::Spill => match home.and_then(|home| Some((name(home), found(home)?))) {
            Some((home, candidate)) => {
                format!("{well}; not to the session's home {home}: {}", why(candidate, account.policy))
            }
            None => well,
        },
        Reason::Keyless => keyless(setting, account),
        Reason::Probe => "it failed before, its pause is over, and this call tries it".to_owned(),
        Reason::Retry => "an earlier attempt failed".to_owned(),
        Reason::Panic => "no channel is fit, and it is the least unfit".to_owned(),
        Reason::OnlyOne => "no other channel serves it".to_owned(),
    };
    format!("goes to {channel}: {reason}.")
}

/// Why a channel is good enough, if only because there is none better.
fn well_enough(candidate: &Candidate, policy: PolicyKind) -> String {
    let why = why(candidate, policy);
    let only_best = candidate.verdict == Verdict::BelowThreshold && policy == PolicyKind::Adaptive;
    if only_best { format!("although {why}, none is better") } else { why }
}

fn keyless(setting: &Setting<'_>, account: &Explain) -> String {
    let because = if setting.place == Place::Redraw {
        "an administrator ended the session"
    } else if account.policy != PolicyKind::Adaptive {
        return format!("the policy {} drew it", account.policy);
    } else {
        "its model keeps no sessions"
    };
    format!("it was drawn by chance, because {because}")
}

fn no_route_end(setting: &Setting<'_>, no_route: &NoRoute) -> String {
    match no_route {
        NoRoute::Empty | NoRoute::AllExcluded => {
            let whose = setting.pool.whose();
            format!("gets 503: no enabled channel with a weight above 0 serves {whose}.")
        }
        NoRoute::AllLimited { retry_after } => {
            let wait = seconds(Micros::millis_up(*retry_after));
            format!("gets 429: every channel waits for a rate limit, the first of them {wait} s more.")
        }
        NoRoute::Unavailable { exclusions } => {
            let out: Vec<String> = exclusions
                .iter()
                .map(|(id, verdict)| format!("{} is {}", shown(setting.snapshot, *id), verdict.as_str()))
                .collect();
            format!("gets 503: no channel has room ({}).", out.join(", "))
        }
    }
}

/// The sentence goes on in the conditional.
fn lower_verb(end: &str) -> String {
    match end.split_once(' ') {
        Some(("goes", rest)) => format!("would go {rest}"),
        Some(("gets", rest)) => format!("would get {rest}"),
        _ => end.to_owned(),
    }
}

/// The factor that costs most health, with the figure behind it.
fn weakest(candidate: &Candidate) -> String {
    let Candidate { f_lat, f_err, f_load, latency_ms, p, inflight, .. } = *candidate;
    if f_lat <= f_err && f_lat <= f_load {
        format!("latency ({latency_ms:.0} ms)")
    } else if f_err <= f_load {
        format!("errors ({:.0} %)", 100.0 * (1.0 - p))
    } else {
        format!("load ({inflight} in flight)")
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{}", millis / 1000, millis % 1000 / 100)
}

fn shown(snapshot: &Snapshot, id: ChannelId) -> String {
    name_of(snapshot, id).map_or_else(|| format!("channel {id}"), str::to_owned)
}
