//! The figures of all rounds, as a table, as JSON and as a picture.

use std::fmt::Write as _;

use anyhow::Context;
use serde_json::{Value, json};

/// What one run of one scenario gave.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    per_second: f64,
    p50: f64,
    p99: f64,
    errors: f64,
    /// Microseconds of processor time per request; `None` for targets that are not watched.
    cpu: Option<f64>,
}

/// Scenario, target, rounds.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<(String, String, Vec<Figures>)>,
    notes: Vec<(String, String)>,
}

// === impl Figures ===

impl Figures {
    /// `cpu` is the target's processor time over the whole run, warm-up included, in nanoseconds.
    pub(super) fn new(seen: &Value, cpu: Option<u64>) -> anyhow::Result<Self> {
        let number = |name: &str| seen[name].as_f64().with_context(|| format!("no {name} in the report"));
        let completed = number("completed")?.max(1.0);
        Ok(Self {
            per_second: number("per_second")?,
            p50: number("p50_us")?,
            p99: number("p99_us")?,
            errors: number("errors")?,
            cpu: cpu.map(|ns| f64::from(u32::try_from(ns / 1000).unwrap_or(u32::MAX)) / completed),
        })
    }
}

// === impl Report ===

impl Report {
    pub(super) fn add(&mut self, scenario: &str, target: &str, figures: Figures) {
        match self.rows.iter_mut().find(|row| row.0 == scenario && row.1 == target) {
            Some(row) => row.2.push(figures),
            None => self.rows.push((scenario.to_owned(), target.to_owned(), vec![figures])),
        }
    }

    pub(super) fn note(&mut self, name: &str, value: &str) {
        self.notes.push((name.to_owned(), value.to_owned()));
    }

    /// A Markdown table of medians. "Added" is what lies between asking through the target and asking the upstream.
    pub(super) fn table(&self) -> String {
        let mut text = String::from(
            "\n| scenario | target | requests/s | p50 µs | p99 µs | added p50 µs | added p99 µs | CPU µs/request | errors |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for (scenario, target, rounds) in &self.rows {
            let direct = self.rows.iter().find(|row| row.0 == *scenario && row.1 == "upstream alone");
            let added = |of: fn(&Figures) -> f64| {
                direct.filter(|_| target != "upstream alone").map_or("–".to_owned(), |direct| {
                    format!("{:.0}", median(rounds, of) - median(&direct.2, of))
                })
            };
            let cpu = rounds.iter().all(|f| f.cpu.is_some());
            let cpu = if cpu {
                format!("{:.1}", median(rounds, |f| f.cpu.unwrap_or(0.0)))
            } else {
                "–".to_owned()
            };
            let _infallible = writeln!(
                text,
                "| {scenario} | {target} | {:.0} | {:.0} | {:.0} | {} | {} | {cpu} | {:.0} |",
                median(rounds, |f| f.per_second),
                median(rounds, |f| f.p50),
                median(rounds, |f| f.p99),
                added(|f| f.p50),
                added(|f| f.p99),
                rounds.iter().map(|f| f.errors).sum::<f64>(),
            );
        }
        for (name, value) in &self.notes {
            let _infallible = writeln!(text, "\n{name}: {value}");
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(scenario, target, rounds)| {
                let rounds: Vec<Value> = rounds
                    .iter()
                    .map(|f| json!({"per_second": f.per_second, "p50_us": f.p50, "p99_us": f.p99, "errors": f.errors, "cpu_us": f.cpu}))
                    .collect();
                json!({"scenario": scenario, "target": target, "rounds": rounds})
            })
            .collect();
        let notes: Vec<Value> = self.notes.iter().map(|(n, v)| json!({"name": n, "value": v})).collect();
        json!({ "rows": rows, "notes": notes })
    }

    /// Processor time per request as bars, each scenario to a scale of its own: what matters is the ratio.
    pub(super) fn picture(&self) -> String {
        let watched = |rounds: &[Figures]| rounds.iter().all(|f| f.cpu.is_some());
        let cpu = |rounds: &[Figures]| median(rounds, |f| f.cpu.unwrap_or(0.0));
        let bars: Vec<_> = self.rows.iter().filter(|(_, _, rounds)| watched(rounds)).collect();
        let longest = |scenario: &str| {
            let of_scenario = bars.iter().filter(|bar| bar.0 == scenario);
            of_scenario.map(|bar| cpu(&bar.2)).fold(1.0, f64::max)
        };
        let height = 40 + bars.len() * 26;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" font-family=\"system-ui, sans-serif\" \
             font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><text x=\"10\" y=\"20\" font-weight=\"600\">\
             Processor time per request (µs), one core, medians</text>"
        );
        let mut y = 34;
        for (scenario, target, rounds) in &bars {
            let value = cpu(rounds);
            let width = value / longest(scenario) * 330.0;
            let colour = if target == "gateway" { "#2563eb" } else { "#94a3b8" };
            let _infallible = write!(
                svg,
                "<text x=\"10\" y=\"{}\">{scenario}: {target}</text><rect x=\"330\" y=\"{y}\" width=\"{width:.0}\" \
                 height=\"18\" rx=\"3\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{}\">{value:.1}</text>",
                y + 14,
                336.0 + width,
                y + 14,
            );
            y += 26;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn median(rounds: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(p50: f64) -> Figures {
        Figures { per_second: 10.0, p50, p99: 2.0 * p50, errors: 0.0, cpu: Some(p50) }
    }

    #[test]
    fn the_table_shows_medians_and_what_the_target_added() {
        let mut report = Report::default();
        for p50 in [100.0, 300.0, 200.0] {
            report.add("s", "upstream alone", figures(p50));
            report.add("s", "gateway", figures(p50 + 50.0));
        }
        let table = report.table();
        assert!(table.contains("| s | gateway | 10 | 250 | 500 | 50 | 100 | 250.0 | 0 |"), "{table}");
    }

    #[test]
    fn the_picture_has_a_bar_for_each_watched_target() {
        let mut report = Report::default();
        report.add("s", "gateway", figures(10.0));
        report.add("s", "upstream alone", Figures { cpu: None, ..figures(1.0) });
        assert_eq!(report.picture().matches("rx=").count(), 1);
    }
}
