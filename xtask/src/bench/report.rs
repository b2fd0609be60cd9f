//! The figures of all rounds, as tables and as JSON.

use std::fmt::Write as _;

use anyhow::Context;
use serde_json::{Value, json};

use super::scenarios::{Cost, Scenario};
use super::targets::{DIRECT, GATEWAY, NGINX};

/// What one run of one scenario gave.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub per_second: Option<f64>,
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    /// In the scenario's unit; `None` for targets that are not watched.
    pub cost: Option<f64>,
    pub errors: f64,
    /// Streams that did not come whole.
    pub lost: f64,
}

/// All rounds of one scenario with one target.
#[derive(Debug)]
pub(super) struct Row {
    pub scenario: &'static Scenario,
    pub target: String,
    rounds: Vec<Figures>,
}

/// A median with its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub median: f64,
    least: f64,
    most: f64,
}

/// A table of another shape.
#[derive(Debug)]
struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub rows: Vec<Row>,
    tables: Vec<Table>,
    notes: Vec<(String, String)>,
    /// What makes figures worthless.
    pub faults: Vec<String>,
}

// === impl Figures ===

impl Figures {
    /// `spent` is the target's processor time over the whole run, warm-up included, in nanoseconds; so it is divided by
    /// what the whole run got.
    pub(super) fn of_load(seen: &Value, cost: Cost, spent: Option<u64>) -> anyhow::Result<Self> {
        let number = |name: &str| {
            seen.get(name).and_then(Value::as_f64).with_context(|| format!("no {name} in the report"))
        };
        let micros = spent.map(|ns| f64::from(u32::try_from(ns / 1000).unwrap_or(u32::MAX)));
        let per = |count: f64| micros.map(|micros| micros / count.max(1.0));
        let cost = match cost {
            Cost::Request => per(number("completed")?),
            Cost::Event => per(number("events")?),
            Cost::Stream => None,
            Cost::Added => Some(number("p50_us")?),
        };
        Ok(Self {
            per_second: Some(number("per_second")?),
            p50: Some(number("p50_us")?),
            p99: Some(number("p99_us")?),
            cost,
            errors: number("errors")?,
            lost: number("incomplete")?,
        })
    }
}

// === impl Row ===

impl Row {
    fn spread(&self, of: fn(&Figures) -> Option<f64>) -> Option<Spread> {
        let mut values: Vec<f64> = self.rounds.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some(Spread { median: median(values.into_iter()), least, most })
    }
}

// === impl Row ===

impl Row {
    /// Whether any request went wrong, or a stream broke.
    pub(super) fn has_failures(&self) -> bool {
        self.rounds.iter().any(|figures| figures.errors + figures.lost > 0.0)
    }
}

// === impl Report ===

impl Report {
    /// An empty one, that knows how busy the machine was before.
    pub(super) fn new() -> anyhow::Result<Self> {
        let load = std::fs::read_to_string("/proc/loadavg").context("no /proc/loadavg")?;
        let load = load.split(' ').take(3).collect::<Vec<_>>().join(", ");
        let mut report = Self::default();
        report.note("the machine's load before (1, 5, 15 minutes)", &load);
        Ok(report)
    }

    pub(super) fn add(&mut self, scenario: &'static Scenario, target: &str, figures: Figures) {
        let same = |row: &&mut Row| row.scenario.name == scenario.name && row.target == target;
        match self.rows.iter_mut().find(same) {
            Some(row) => row.rounds.push(figures),
            None => self.rows.push(Row { scenario, target: target.to_owned(), rounds: vec![figures] }),
        }
    }

    pub(super) fn note(&mut self, name: &str, value: &str) {
        self.notes.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn table(&mut self, title: &str, columns: &[&str], rows: Vec<Vec<String>>) {
        let columns = columns.iter().map(ToString::to_string).collect();
        self.tables.push(Table { title: title.to_owned(), columns, rows });
    }

    /// What a target cost in a scenario. Latencies count from what the upstream alone needs.
    pub(super) fn cost(&self, row: &Row) -> Option<Spread> {
        let spread = row.spread(|figures| figures.cost)?;
        if row.scenario.cost != Cost::Added {
            return Some(spread);
        }
        if row.target == DIRECT {
            return None;
        }
        let direct = self.row(row.scenario, DIRECT)?.spread(|figures| figures.cost)?.median;
        let Spread { median, least, most } = spread;
        Some(Spread { median: median - direct, least: least - direct, most: most - direct })
    }

    fn row(&self, scenario: &Scenario, target: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.scenario.name == scenario.name && row.target == target)
    }

    /// Everything, in Markdown.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("\n");
        if !self.rows.is_empty() {
            self.write_rows(&mut text);
        }
        for table in &self.tables {
            let _infallible = writeln!(
                text,
                "\n{}\n\n| {} |\n|{}",
                table.title,
                table.columns.join(" | "),
                "---|".repeat(table.columns.len())
            );
            for row in &table.rows {
                let _infallible = writeln!(text, "| {} |", row.join(" | "));
            }
        }
        for (name, value) in &self.notes {
            let _infallible = writeln!(text, "\n{name}: {value}");
        }
        text
    }

    fn write_rows(&self, text: &mut String) {
        text.push_str(
            "| scenario | target | requests/s | p50 µs | p99 µs | cost (least–most) | gateway / nginx | goal | errors | \
             lost streams |\n|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let number = |of: fn(&Figures) -> Option<f64>| {
                row.spread(of).map_or("–".to_owned(), |spread| format!("{:.0}", spread.median))
            };
            let cost = self.cost(row).map_or("–".to_owned(), |cost| {
                let Spread { median, least, most } = cost;
                format!("{median:.1} ({least:.1}–{most:.1}) {}", row.scenario.cost.unit())
            });
            let (ratio, goal) = self.ratio(row).unwrap_or_default();
            let sum = |of: fn(&Figures) -> f64| row.rounds.iter().map(of).sum::<f64>();
            let _infallible = writeln!(
                text,
                "| {}: {} | {} | {} | {} | {} | {cost} | {ratio} | {goal} | {:.0} | {:.0} |",
                row.scenario.name,
                row.scenario.meaning,
                row.target,
                number(|figures| figures.per_second),
                number(|figures| figures.p50),
                number(|figures| figures.p99),
                sum(|figures| figures.errors),
                sum(|figures| figures.lost),
            );
        }
    }

    /// How a gateway stands to nginx in a scenario, and how it should.
    fn ratio(&self, row: &Row) -> Option<(String, String)> {
        if !row.target.starts_with(GATEWAY) {
            return None;
        }
        let nginx = self.cost(self.row(row.scenario, NGINX)?)?.median;
        Some(row.scenario.goal.compare(self.cost(row)?.median, nginx))
    }

    pub(super) fn json(&self) -> Value {
        let round = |f: &Figures| {
            json!({
                "per_second": f.per_second, "p50_us": f.p50, "p99_us": f.p99, "cost": f.cost, "errors": f.errors,
                "lost": f.lost,
            })
        };
        let row = |row: &Row| {
            let rounds: Vec<Value> = row.rounds.iter().map(round).collect();
            let ratio = self.ratio(row);
            json!({
                "scenario": row.scenario.name, "meaning": row.scenario.meaning, "target": row.target,
                "unit": row.scenario.cost.unit(), "cost": self.cost(row).map(|cost| cost.median),
                "beside_nginx": ratio.as_ref().map(|ratio| &ratio.0), "goal": ratio.as_ref().map(|ratio| &ratio.1),
                "rounds": rounds,
            })
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        let table =
            |table: &Table| json!({"title": table.title, "columns": table.columns, "rows": table.rows});
        let tables: Vec<Value> = self.tables.iter().map(table).collect();
        let notes: Vec<Value> = self.notes.iter().map(|(n, v)| json!({"name": n, "value": v})).collect();
        json!({ "rows": rows, "tables": tables, "notes": notes })
    }
}

/// The one in the middle; of an even number the upper one of two.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::picture;
    use super::super::scenarios::SCENARIOS;
    use super::*;

    fn figures(cost: f64) -> Figures {
        Figures {
            per_second: Some(10.0),
            p50: Some(cost),
            p99: Some(2.0 * cost),
            cost: Some(cost),
            errors: 0.0,
            lost: 0.0,
        }
    }

    #[test]
    fn the_table_shows_medians_with_their_spread_and_the_ratio_to_nginx() {
        let (mut report, small) = (Report::default(), &SCENARIOS[0]);
        for cost in [10.0, 30.0, 20.0] {
            report.add(small, NGINX, figures(cost));
            report.add(small, GATEWAY, figures(cost + 5.0));
        }
        let text = report.text();
        assert!(text.contains("25.0 (15.0–35.0) µs CPU/request | 1.25 | ≤ 1.25 | 0 | 0 |"), "{text}");
    }

    #[test]
    fn latencies_count_from_what_the_upstream_needs() {
        let (mut report, rate) = (Report::default(), &SCENARIOS[5]);
        for (target, cost) in [(DIRECT, 100.0), (NGINX, 250.0), (GATEWAY, 240.0)] {
            report.add(rate, target, figures(cost));
        }
        let text = report.text();
        assert!(text.contains("140.0 (140.0–140.0) µs added, p50 | -10 µs | ≤ +30 µs |"), "{text}");
    }

    #[test]
    fn the_picture_has_a_bar_for_each_watched_target() {
        let (mut report, small) = (Report::default(), &SCENARIOS[0]);
        report.add(small, GATEWAY, figures(10.0));
        report.add(small, DIRECT, Figures { cost: None, ..figures(1.0) });
        assert_eq!(picture::draw(&report).matches("rx=").count(), 1);
    }
}
