//! The numbers that stand for words in segments. They are in files, so none of them ever changes its meaning.

use gateway_domain::{AttemptOutcome, ExchangeOutcome, UsageSource};

pub(super) const fn of_outcome(outcome: ExchangeOutcome) -> u8 {
    match outcome {
        ExchangeOutcome::Ok => 0,
        ExchangeOutcome::ClientError => 1,
        ExchangeOutcome::UpstreamError => 2,
        ExchangeOutcome::GatewayError => 3,
        ExchangeOutcome::Interrupted => 4,
        ExchangeOutcome::ClientGone => 5,
    }
}

pub(super) fn outcome(number: u8) -> Option<ExchangeOutcome> {
    ExchangeOutcome::ALL.into_iter().find(|outcome| of_outcome(*outcome) == number)
}

pub(super) const fn of_attempt(outcome: AttemptOutcome) -> u8 {
    match outcome {
        AttemptOutcome::Ok => 0,
        AttemptOutcome::CallerError => 1,
        AttemptOutcome::RateLimited => 2,
        AttemptOutcome::Credentials => 3,
        AttemptOutcome::Quota => 4,
        AttemptOutcome::Unserved => 5,
        AttemptOutcome::ServerError => 6,
        AttemptOutcome::Connect => 7,
        AttemptOutcome::Timeout => 8,
        AttemptOutcome::Broken => 9,
        AttemptOutcome::BadAnswer => 10,
        AttemptOutcome::Cancelled => 11,
        AttemptOutcome::Cut => 12,
        AttemptOutcome::Superseded => 13,
    }
}

pub(super) fn attempt(number: u8) -> Option<AttemptOutcome> {
    AttemptOutcome::ALL.into_iter().find(|outcome| of_attempt(*outcome) == number)
}

pub(super) const fn of_source(source: UsageSource) -> u8 {
    match source {
        UsageSource::None => 0,
        UsageSource::Upstream => 1,
        UsageSource::Counted => 2,
    }
}

pub(super) fn source(number: u8) -> Option<UsageSource> {
    UsageSource::ALL.into_iter().find(|source| of_source(*source) == number)
}
