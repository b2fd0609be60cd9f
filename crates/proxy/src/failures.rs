//! What the failed attempts of one call leave behind: whether another one may follow, and what the client gets if none
//! does.

use std::time::Duration;

use gateway_config::ProxySettings;
use gateway_domain::AttemptOutcome;
use gateway_routing::NoRoute;

use crate::attempt::{Failure, Repeat};
use crate::call::Call;
use crate::error::ProxyError;

/// The failures so far.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    last: Option<ProxyError>,
    count: u32,
    limited: u32,
    soonest: Option<Duration>,
    /// How often the call may have been carried out already.
    executed: u32,
    /// No other channel would do better.
    is_final: bool,
}

// === impl Failures ===

impl Failures {
    /// An attempt has failed. `desperate` says that its channel was known to be out, and only asked because all are.
    pub(crate) fn note(&mut self, failure: Failure, desperate: bool) {
        let Failure { error, ending, repeat } = failure;
        self.count += 1;
        if ending.outcome == AttemptOutcome::RateLimited {
            self.limited += 1;
            let wait = ending.retry_after.unwrap_or(Duration::from_secs(1));
            self.soonest = Some(self.soonest.map_or(wait, |soonest| soonest.min(wait)));
        }
        // Where all channels are out, one try tells as much as three, and three are what keeps them out.
        let reached_nobody = ending.outcome == AttemptOutcome::Connect;
        self.is_final = repeat == Repeat::Never || (desperate && !reached_nobody);
        self.executed += u32::from(repeat == Repeat::PerhapsExecuted);
        self.last = Some(error);
    }

    /// An attempt was given up while it may have been carried out.
    pub(crate) fn note_cut(&mut self) {
        self.executed += 1;
    }

    /// Whether the call may be made once more, as far as its nature and what happened so far go.
    pub(crate) fn allow_another(&self, call: &Call, settings: &ProxySettings) -> bool {
        !self.is_final
            && match self.executed {
                0 => true,
                1 => settings.retry_executed && call.repeatable,
                _ => false,
            }
    }

    /// Whether the call may be made twice although nothing has failed.
    pub(crate) fn allow_double(&self, call: &Call, settings: &ProxySettings) -> bool {
        self.executed == 0 && settings.retry_executed && call.repeatable
    }

    /// What the client gets when there is no channel left to try.
    pub(crate) fn or(self, no_route: &NoRoute, call: &Call) -> ProxyError {
        let Some(last) = self.last else { return ProxyError::no_route(no_route, call) };
        let all_limited = self.count == self.limited;
        match (no_route, self.soonest) {
            // Others were known to be limited and not even asked: they may be free sooner.
            (NoRoute::AllLimited { retry_after }, Some(soonest)) if all_limited => {
                let known = Duration::from_micros(retry_after.0);
                ProxyError::AllLimited { retry_after: soonest.min(known) }
            }
            // One channel, one answer: the upstream's own words say more than ours.
            (_, Some(soonest)) if all_limited && self.count > 1 => {
                ProxyError::AllLimited { retry_after: soonest }
            }
            _ => last,
        }
    }
}
