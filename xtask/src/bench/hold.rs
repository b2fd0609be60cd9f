//! Slow streams, all open at a time: what each keeps in memory.

use std::time::Duration;

use anyhow::{Context, bail};

use super::Bench;
use super::house::House;
use super::process::{Child, LOAD_CORE, Running, TARGET_CORE};
use super::report::{Figures, Report};
use super::rounds::kilo;
use super::scenarios::Scenario;
use super::targets::{GATEWAY, NGINX};
use crate::shell::say;

/// What was seen while the streams were open.
struct Held {
    /// How many were to be open at a time, and how many were.
    wanted: f64,
    open: f64,
    /// Resident memory before, and with all of them open, in KB.
    before: u64,
    during: u64,
    incomplete: f64,
}

/// A fresh nginx and a fresh gateway, one after the other.
pub(super) fn round(bench: &Bench, scenario: &'static Scenario, report: &mut Report) -> anyhow::Result<()> {
    if let Some(nginx) = bench.start_nginx()? {
        let held = watch(bench, &nginx, &scenario_arguments(bench, scenario))?;
        report.faults.extend(held.fault(NGINX));
        report.add(scenario, NGINX, held.figures());
    }
    let gateway = bench.start_gateway(House::PLAIN, TARGET_CORE)?;
    let held = watch(bench, &gateway, &scenario_arguments(bench, scenario))?;
    report.faults.extend(held.fault(GATEWAY));
    report.add(scenario, GATEWAY, held.figures());
    Ok(())
}

/// As many streams as asked for, on a gateway alone.
pub(super) fn measure(bench: &Bench, streams: u32, report: &mut Report) -> anyhow::Result<()> {
    let gateway = bench.start_gateway(House::PLAIN, TARGET_CORE)?;
    say(&format!("{streams} streams, opened over several seconds"));
    // Far longer than it takes to open them: the first must still be there when the last one comes.
    let (pace, events) = if bench.options.quick { (500, 3) } else { (1_500, 15 + streams / 1_500) };
    let arguments = words(&format!(
        "hold --streams {streams} --pace {pace} --events {events} --gap-ms 1000 --prompt 100"
    ));
    let held = watch(bench, &gateway, &arguments)?;
    report.faults.extend(held.fault(GATEWAY));
    report.note(
        &format!("{streams} slow streams"),
        &format!(
            "{:.0} open at a time, {:.0} incomplete; memory {:.1} MB, of which {:.1} MB at idle",
            held.open,
            held.incomplete,
            kilo(held.during),
            kilo(held.before)
        ),
    );
    Ok(())
}

fn scenario_arguments(bench: &Bench, scenario: &Scenario) -> Vec<String> {
    if bench.options.quick {
        return words("hold --streams 50 --pace 500 --events 3 --gap-ms 1000");
    }
    scenario.arguments.iter().map(ToString::to_string).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn watch(bench: &Bench, target: &Child, arguments: &[String]) -> anyhow::Result<Held> {
    // Whatever a program does once for its first call has nothing to do with how many there are.
    let warm = words("closed --connections 4 --warmup 0 --seconds 0.3");
    let common = [words(&format!("--to {}", target.first_line)), House::PLAIN.arguments()].concat();
    bench.drive(&[warm, common.clone()].concat(), LOAD_CORE)?;
    let before = target.memory_kb()?;
    let all = [arguments.to_vec(), common].concat();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut load = Running::start(&bench.load, &all, LOAD_CORE)?;
    let line = load.line()?;
    let Some(open) = line.strip_prefix("open ").and_then(|number| number.trim().parse().ok()) else {
        bail!("the load generator says {line:?}");
    };
    std::thread::sleep(Duration::from_millis(100));
    let during = target.memory_kb()?;
    let report: serde_json::Value = serde_json::from_str(&load.line()?)?;
    let number = |name: &str| {
        let number = report.get(name).and_then(serde_json::Value::as_f64);
        number.with_context(|| format!("no {name} in the report"))
    };
    Ok(Held { wanted: number("streams")?, open, before, during, incomplete: number("incomplete")? })
}

// === impl Held ===

impl Held {
    /// What a stream costs is not known where fewer were open than asked for.
    fn fault(&self, target: &str) -> Option<String> {
        let Self { wanted, open, .. } = self;
        (open < wanted).then(|| format!("{target}: {open:.0} of {wanted:.0} streams were open at a time"))
    }

    fn figures(&self) -> Figures {
        let grown = kilo(self.during.saturating_sub(self.before)) * 1024.0;
        Figures {
            per_second: None,
            p50: None,
            p99: None,
            cost: Some(grown / self.open.max(1.0)),
            errors: 0.0,
            lost: self.incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_streams_than_were_asked_for_are_a_fault() {
        let held = |open| Held { wanted: 2_000.0, open, before: 1, during: 2, incomplete: 0.0 };
        assert_eq!(held(2_000.0).fault(GATEWAY), None);
        let fault = held(1_950.0).fault(GATEWAY).unwrap();
        assert!(fault.ends_with("1950 of 2000 streams were open at a time"), "{fault}");
    }
}
