//! Why a call goes where it goes, in one line for the header [`ROUTE`].

use std::fmt::Write as _;

use gateway_domain::ChannelId;
use gateway_routing::{Candidate, Chosen, Explain, Verdict};
use gateway_sessions::Source;
use http::HeaderName;

use crate::plane::Served;

/// Why the answer comes from where it comes from: the last attempt's channel, the reason, and every candidate that was
/// passed over with what kept it out.
pub const ROUTE: HeaderName = HeaderName::from_static("x-gateway-route");

/// Candidates that are named; a header should stay a line.
const MOST_CANDIDATES: usize = 16;

/// The account of one decision.
pub(crate) fn explain(account: &Explain, served: &Served, source: Source, tried: u8) -> String {
    let name = |id: ChannelId| served.route(id).map_or("?", |route| &*route.target.channel().name);
    let mut line = String::with_capacity(256);
    let told = match &account.chosen {
        Ok(chosen) => chosen_in(&mut line, account, chosen, &name),
        Err(_) => write!(line, "chosen=none"),
    };
    let told = told
        .and_then(|()| {
            write!(line, "; tried={tried}; key={}; policy={}", source.as_str(), account.policy.as_str())
        })
        .and_then(|()| others_in(&mut line, account, &name));
    debug_assert!(told.is_ok(), "a string takes whatever is written");
    line
}

fn chosen_in<'n>(
    line: &mut String,
    account: &Explain,
    chosen: &Chosen,
    name: &impl Fn(ChannelId) -> &'n str,
) -> std::fmt::Result {
    write!(line, "chosen={}; reason={}", name(chosen.channel), chosen.reason.as_str())?;
    let is_home = |candidate: &&Candidate| Some(candidate.id) == account.home;
    if let Some(home) = account.candidates.iter().find(is_home).filter(|home| home.id != chosen.channel) {
        write!(line, "(home={},{}", name(home.id), home.verdict.as_str())?;
        write!(line, ",f_lat={:.2},f_err={:.2},f_load={:.2}", home.f_lat, home.f_err, home.f_load)?;
        write!(line, ",L={:.0}ms)", home.latency_ms)?;
    }
    match account.candidates.iter().find(|candidate| candidate.id == chosen.channel) {
        Some(candidate) => write!(line, "; h={:.2}; L={:.0}ms", candidate.h, candidate.latency_ms),
        None => Ok(()),
    }
}

fn others_in<'n>(
    line: &mut String,
    account: &Explain,
    name: &impl Fn(ChannelId) -> &'n str,
) -> std::fmt::Result {
    let chosen = account.chosen.as_ref().ok().map(|chosen| chosen.channel);
    let others = account.candidates.iter().filter(|candidate| Some(candidate.id) != chosen);
    for (at, candidate) in others.take(MOST_CANDIDATES).enumerate() {
        line.push_str(if at == 0 { "; others=" } else { "," });
        let fit = candidate.verdict == Verdict::Accepted;
        let verdict = if fit { "fit" } else { candidate.verdict.as_str() };
        write!(line, "{}:{verdict}", name(candidate.id))?;
    }
    Ok(())
}
