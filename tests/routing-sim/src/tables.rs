//! Figures as text.

mod markdown;

pub use markdown::Page;

use crate::figures::{Figures, PROMISE};
use crate::scenario::Scenario;

/// What a scenario is, and the heads of the columns of [`row`].
pub fn head(scenario: &Scenario) -> String {
    let Scenario { name, what, channels, rate, workload, replicas, .. } = scenario;
    let channels = channels.len();
    let duration = workload.duration;
    format!(
        "\n{name}: {what}\n  {channels} channels, {rate:.1} requests/s for {duration} s, first token promised within {PROMISE} s; replicas: {replicas}\n{:<44} {:>6} {:>6} {:>6} {:>7} {:>6} {:>12} {:>7} {:>6} {:>6} {:>6} {:>5} {:>5} {:>5} {:>5}",
        "",
        "p50",
        "p99",
        "p99.9",
        "succ%",
        "good%",
        "good% fault",
        "p99 f.",
        "hit%",
        "hit2%",
        "price",
        "tries",
        "TV%",
        "shed",
        "back"
    )
}

/// One policy's figures. `price` is what an answer costs with the policy that prices are compared with.
pub fn row(what: &str, figures: &Figures, price: f64) -> String {
    let in_windows = figures.goodput_in_windows().map_or_else(
        || "–".to_owned(),
        |goodput| format!("{:.2} ±{:.2}", 100.0 * goodput.mean, 100.0 * goodput.margin),
    );
    format!(
        "{what:<44} {:>6.2} {:>6.2} {:>6.2} {:>7.3} {:>6.2} {in_windows:>12} {:>7} {:>6.1} {:>6.1} {:>6.3} {:>5.3} {:>5.1} {:>5} {:>5}",
        figures.wait(0.5),
        figures.wait(0.99),
        figures.wait(0.999),
        100.0 * figures.success(),
        100.0 * figures.goodput(),
        seconds(figures.wait_in_windows(0.99), 2),
        100.0 * figures.cached(),
        100.0 * figures.cached_of_continued(),
        figures.price() / price,
        figures.attempts(),
        100.0 * figures.weight_error(),
        seconds(figures.shed(), 1),
        seconds(figures.back(), 1),
    )
}

/// What the columns of [`head`] mean.
pub const LEGEND: &str = "
p50 p99 p99.9  seconds until the first token, retries included; a failed request counts as 30 s
succ%          requests answered; good%: answered with a first token within the promise
… fault, f.    of requests that came while faults could be felt
hit%           prompt tokens from a cache; hit2%: of conversations that had asked before
price          of an answer, relative to the first line
tries          attempts per request; TV%: how far shares are from the weights
shed, back     seconds until the faulty channel has lost its traffic, and has it back";

fn seconds(seconds: Option<f64>, places: usize) -> String {
    seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.places$}"))
}
