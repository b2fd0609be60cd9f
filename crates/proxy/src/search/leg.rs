//! The attempts of a search while they are under way, and what rings meanwhile.

use std::pin::Pin;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use crate::attempt::{Answer, Failure, Limits, Pace};
use crate::journal::AttemptNumber;
use crate::plane::Route;

/// One attempt that has been decided for.
pub(super) struct Leg {
    pub number: AttemptNumber,
    pub route: Arc<Route>,
    pub limits: Limits,
    pub pace: Pace,
    /// All channels are out; this one is tried all the same.
    pub desperate: bool,
    /// Runs beside another one.
    pub hedge: bool,
    /// Why it goes where it goes, where somebody asked.
    pub explanation: Option<String>,
    /// When to ask whether it is worth waiting for.
    pub cut_at: Option<Instant>,
    /// When to start a second one beside it.
    pub hedge_at: Option<Instant>,
}

/// A second attempt beside the first.
pub(super) struct Second<'a> {
    pub number: AttemptNumber,
    pub under_way: Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
}

/// A leg that has come to its end.
pub(super) type Outcome = (Leg, Result<Answer, Failure>);

pub(super) enum Alarm {
    Cut,
    Hedge,
}

/// The end of the second attempt, if there is one.
pub(super) async fn answer_of(second: &mut Option<Second<'_>>) -> Outcome {
    match second {
        Some(second) => second.under_way.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Waits for the earlier of the two; each rings once.
pub(super) async fn next_alarm(cut_at: &mut Option<Instant>, hedge_at: &mut Option<Instant>) -> Alarm {
    match (*cut_at, *hedge_at) {
        (Some(cut), hedge) if hedge.is_none_or(|hedge| cut <= hedge) => {
            sleep_until(cut).await;
            *cut_at = None;
            Alarm::Cut
        }
        (_, Some(hedge)) => {
            sleep_until(hedge).await;
            *hedge_at = None;
            Alarm::Hedge
        }
        _ => std::future::pending().await,
    }
}
