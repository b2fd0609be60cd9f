use std::fmt::Write as _;
use std::ops::Range;

use super::seconds;
use crate::figures::Figures;
use crate::policies::{ORACLE, ORIGINAL, OURS, Policy, WEIGHTED_HASH, find};
use crate::scenario::Scenario;

/// Who stands beside ours, the reference and the original: names of policies and heads of their columns.
const BESIDE: [(&str, &str); 6] = [
    ("litellm-sticky", "LiteLLM shuffle + sessions"),
    ("linkerd", "linkerd"),
    ("helicone", "Helicone"),
    ("agentgateway", "agentgateway"),
    ("prequal", "Prequal"),
    ("smg-cache", "smg cache-aware"),
];

/// The tables of the user's guide, as they grow scenario by scenario.
#[derive(Debug)]
pub struct Page {
    command: String,
    rows: String,
    ours: String,
    /// Per policy, what was outside the promise, summed over the scenarios.
    outside: Vec<f64>,
    scenarios: f64,
}

// === impl Page ===

impl Page {
    /// An empty page for these seeds.
    pub fn new(seeds: &Range<u64>) -> Self {
        Self {
            command: format!(
                "cargo xtask sim --seeds {} --seed0 {} --markdown",
                seeds.end - seeds.start,
                seeds.start
            ),
            rows: String::new(),
            ours: String::new(),
            outside: vec![0.0; Self::policies().len()],
            scenarios: 0.0,
        }
    }

    /// Whose figures it shows, in the order of the columns.
    pub fn policies() -> Vec<Policy> {
        let beside = BESIDE.iter().filter_map(|(name, _)| find(name));
        [OURS, ORACLE, ORIGINAL].into_iter().chain(beside).chain([WEIGHTED_HASH]).collect()
    }

    /// Adds a scenario with the figures of [`policies`](Self::policies).
    pub fn add(&mut self, scenario: &Scenario, figures: &[Figures]) {
        self.scenarios += 1.0;
        let mut row = format!("| {} |", scenario.name);
        for (outside, figures) in self.outside.iter_mut().zip(figures) {
            let goodput = 100.0 * figures.goodput();
            *outside += 100.0 - goodput;
            let cell = format!(" {goodput:.1} / {:.1} / {:.0} |", figures.p99(), 100.0 * figures.cached());
            row.push_str(&cell);
        }
        self.rows.push_str(&row);
        self.rows.push('\n');
        if let Some(ours) = figures.first() {
            self.ours.push_str(&own_row(scenario.name, ours));
        }
    }

    /// The whole page.
    pub fn text(&self) -> String {
        let columns = Self::policies().len();
        let mut text =
            format!("<!-- begin: {} -->\n\n| scenario | **ours** | oracle | original |", self.command);
        for (_, head) in BESIDE {
            write(&mut text, format_args!(" {head} |"));
        }
        write(&mut text, format_args!(" weighted HRW |\n|---|{}\n{}", "---|".repeat(columns), self.rows));
        text.push_str("| **mean outside the promise, %** |");
        for outside in &self.outside {
            write(&mut text, format_args!(" {:.2} |", outside / self.scenarios));
        }
        text.push_str(
            "\n\n| ours | success % | in the fault: good % | attempts | off weights % | shed s | back s |\n\
             |---|---|---|---|---|---|---|\n",
        );
        write(&mut text, format_args!("{}\n<!-- end -->", self.ours));
        text
    }
}

fn own_row(name: &str, ours: &Figures) -> String {
    let good = ours.goodput_in_windows().map_or_else(
        || "–".to_owned(),
        |good| format!("{:.1} ± {:.1}", 100.0 * good.mean, 100.0 * good.margin),
    );
    format!(
        "| {name} | {:.3} | {good} | {:.3} | {:.1} | {} | {} |\n",
        100.0 * ours.success(),
        ours.attempts(),
        100.0 * ours.weight_error(),
        seconds(ours.shed(), 1),
        seconds(ours.back(), 1),
    )
}

fn write(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes everything");
}
