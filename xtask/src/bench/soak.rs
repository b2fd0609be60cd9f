//! Full load for a long time: does memory stay where it is?

use std::time::{Duration, Instant};

use super::Bench;
use super::house::House;
use super::process::{LOAD_CORE, Running, TARGET_CORE};
use super::report::Report;
use super::rounds::kilo;
use crate::shell::say;

/// How often memory is looked at.
const SAMPLES: u32 = 60;

/// The first part of a run warms up: pools fill, the records that are kept fill their file's cache.
const WARM: f64 = 0.25;

/// Looks at a gateway's memory all along, with a full house.
pub(super) fn measure(bench: &Bench, seconds: u64, report: &mut Report) -> anyhow::Result<()> {
    let gateway = bench.start_gateway(House::FULL, TARGET_CORE)?;
    let mut words: Vec<String> =
        ["closed", "--connections", "64", "--warmup", "0"].map(str::to_owned).to_vec();
    words.extend([
        "--seconds".to_owned(),
        seconds.to_string(),
        "--to".to_owned(),
        gateway.first_line.clone(),
    ]);
    words.extend(House::FULL.arguments());
    say(&format!("full load for {seconds} s"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut load = Running::start(&bench.load, &words, LOAD_CORE)?;
    let (begun, mut samples) = (Instant::now(), Vec::new());
    for number in 1..=SAMPLES {
        let at = Duration::from_secs(seconds).mul_f64(f64::from(number) / f64::from(SAMPLES));
        std::thread::sleep(at.saturating_sub(begun.elapsed()));
        samples.push((begun.elapsed().as_secs_f64(), kilo(gateway.memory_kb()?)));
    }
    let seen: serde_json::Value = serde_json::from_str(&load.line()?)?;
    let number = |name: &str| seen.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let warm = f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) * WARM;
    let steady: Vec<_> = samples.iter().copied().filter(|(at, _)| *at >= warm).collect();
    let (first, slope) = line_through(&steady);
    report.note(
        &format!("{seconds} s of full load"),
        &format!(
            "{} requests, {} errors; memory {:.1} MB after a quarter of the time and {:.1} MB at the end; the line \
             through what lies between rises by {:+.2} MB, {:+.1} %",
            number("completed"),
            number("errors"),
            steady.first().map_or(0.0, |sample| sample.1),
            steady.last().map_or(0.0, |sample| sample.1),
            slope,
            100.0 * slope / first.max(0.001),
        ),
    );
    report.table(
        "memory under full load",
        &["second", "MB"],
        samples
            .iter()
            .skip(4)
            .step_by(5)
            .map(|(at, mb)| vec![format!("{at:.0}"), format!("{mb:.1}")])
            .collect(),
    );
    Ok(())
}

/// Where the line of least squares begins, and by how much it rises from the first point to the last.
fn line_through(points: &[(f64, f64)]) -> (f64, f64) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return (0.0, 0.0) };
    let count = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX));
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let slope = if spread > 0.0 { together / spread } else { 0.0 };
    (y + slope * (first.0 - x), slope * (last.0 - first.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_in_what_lies_on_one() {
        let (begin, rise) = line_through(&[(1.0, 5.0), (2.0, 7.0), (3.0, 9.0)]);
        assert!((begin - 5.0).abs() < 1e-9 && (rise - 4.0).abs() < 1e-9, "{begin} {rise}");
        assert_eq!(line_through(&[]), (0.0, 0.0));
    }
}
