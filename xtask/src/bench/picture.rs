//! The report as a picture.

use std::fmt::Write as _;

use super::report::{Report, Row};
use super::targets::{FULL, GATEWAY};

/// Cost as bars, each scenario to a scale of its own: what matters is the ratio.
pub(super) fn draw(report: &Report) -> String {
    let bars: Vec<(&Row, f64)> =
        report.rows.iter().filter_map(|row| Some((row, report.cost(row)?.median))).collect();
    let longest = |scenario: &str| {
        let of_scenario = bars.iter().filter(|(row, _)| row.scenario.name == scenario);
        of_scenario.map(|bar| bar.1).fold(0.001, f64::max)
    };
    let (mut y, mut last) = (36, "");
    let mut body = String::new();
    for (row, value) in &bars {
        if last != row.scenario.name {
            let _infallible = write!(
                body,
                "<text x=\"10\" y=\"{}\" fill=\"#334155\">{}</text>",
                y + 20,
                row.scenario.meaning
            );
            y += 28;
        }
        last = row.scenario.name;
        let width = (value / longest(last) * 280.0).max(0.0);
        let colour = match row.target.as_str() {
            GATEWAY => "#2563eb",
            FULL => "#7c3aed",
            _ => "#94a3b8",
        };
        let _infallible = write!(
            body,
            "<text x=\"26\" y=\"{text}\">{}</text><rect x=\"190\" y=\"{y}\" width=\"{width:.0}\" height=\"17\" \
             rx=\"3\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{text}\">{value:.1} {}</text>",
            row.target,
            196.0 + width,
            row.scenario.cost.unit(),
            text = y + 13,
        );
        y += 24;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"{}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><text x=\"10\" y=\"22\" font-weight=\"600\">\
         What a request, an event, an open stream costs: one core, medians</text>{body}</svg>\n",
        y + 10
    )
}
