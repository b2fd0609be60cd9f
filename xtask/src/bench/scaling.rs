//! How cost grows with what a gateway has to serve.

use anyhow::Context;

use super::Bench;
use super::house::{House, TOKEN};
use super::process::{Child, LOAD_CORE, TARGET_CORE, post};
use super::report::{Report, median};
use super::rounds::kilo;
use crate::shell::say;

/// How often a write of an administrator is timed.
const WRITES: u32 = 5;

/// Connections, then channels, users and models.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    connections(bench, report)?;
    let sizes = |all: &[usize]| if bench.options.quick { vec![1, 10] } else { all.to_vec() };
    let few = sizes(&[1, 10, 100, 1_000]);
    houses(bench, report, "channels of one model", &few, |channels| House { channels, ..House::PLAIN })?;
    let many = sizes(&[10, 1_000, 10_000, 100_000]);
    houses(bench, report, "users", &many, |users| House { users, ..House::PLAIN })?;
    houses(bench, report, "models", &few, |models| House { models, channels: 3, ..House::PLAIN })
}

fn connections(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let gateway = bench.start_gateway(House::PLAIN, TARGET_CORE)?;
    let all: &[usize] = if bench.options.quick { &[1, 10] } else { &[1, 10, 100, 1_000, 10_000] };
    let most = most_connections()?;
    let mut all: Vec<_> = all.iter().map(|connections| *connections.min(&most)).collect();
    all.dedup();
    let mut rows = Vec::new();
    for connections in all {
        say(&format!("{connections} connections"));
        let load = load(bench, &gateway, House::PLAIN, connections)?;
        rows.push(vec![
            connections.to_string(),
            format!("{:.0}", load.per_second),
            format!("{:.1}", load.cpu),
            format!("{:.1}", kilo(gateway.memory_kb()?)),
            format!("{:.0}", load.errors),
        ]);
    }
    report.table(
        "connections",
        &["connections", "requests/s", "CPU µs/request", "memory MB", "errors"],
        rows,
    );
    Ok(())
}

/// How many a gateway can have that we start: each is one to its client and one to the upstream, and some files are open
/// for other things.
fn most_connections() -> anyhow::Result<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").context("no limits in /proc")?;
    Ok(hard_limit_of_files(&limits).saturating_sub(200) / 2)
}

/// The hard limit, to which gateways raise theirs.
fn hard_limit_of_files(limits: &str) -> usize {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    // A word is no number: there is no limit.
    line.split_whitespace().nth(1).and_then(|hard| hard.parse().ok()).unwrap_or(usize::MAX)
}

fn houses(
    bench: &Bench,
    report: &mut Report,
    of: &str,
    sizes: &[usize],
    house: impl Fn(usize) -> House,
) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for size in sizes {
        say(&format!("{size} {of}"));
        let house = house(*size);
        let gateway = bench.start_gateway(house, TARGET_CORE)?;
        let idle = kilo(gateway.memory_kb()?);
        let load = load(bench, &gateway, house, 64)?;
        rows.push(vec![
            size.to_string(),
            format!("{:.0}", load.per_second),
            format!("{:.1}", load.cpu),
            format!("{idle:.1}"),
            format!("{:.1}", publish(&gateway)?),
            format!("{:.0}", load.errors),
        ]);
    }
    let columns =
        [of, "requests/s", "CPU µs/request", "memory at idle MB", "a write until it is live ms", "errors"];
    report.table(of, &columns, rows);
    Ok(())
}

/// What a load saw, and what it cost.
struct Load {
    per_second: f64,
    cpu: f64,
    errors: f64,
}

/// The median of the rounds by processor time.
fn load(bench: &Bench, gateway: &Child, house: House, connections: usize) -> anyhow::Result<Load> {
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds() {
        let mut words = vec!["closed".to_owned(), "--connections".to_owned(), connections.to_string()];
        words.extend(["--to".to_owned(), gateway.first_line.clone()]);
        words.extend(["--warmup".to_owned(), "0.5".to_owned()]);
        words.extend(["--seconds".to_owned(), bench.seconds().to_string()]);
        words.extend(house.arguments());
        let before = gateway.cpu_nanoseconds()?;
        let seen = bench.drive(&words, LOAD_CORE)?;
        let micros = u32::try_from(gateway.cpu_nanoseconds()?.saturating_sub(before) / 1000)?;
        let number = |name: &str| seen.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        rounds.push(Load {
            per_second: number("per_second"),
            cpu: f64::from(micros) / number("completed").max(1.0),
            errors: number("errors"),
        });
    }
    Ok(Load {
        per_second: median(rounds.iter().map(|round| round.per_second)),
        cpu: median(rounds.iter().map(|round| round.cpu)),
        errors: rounds.iter().map(|round| round.errors).sum(),
    })
}

/// Milliseconds from an administrator's write to its answer, which comes when the new snapshot is live.
fn publish(gateway: &Child) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for number in 0..WRITES {
        let body = format!("{{\"name\":\"late-{number}\"}}");
        times.push(post(&gateway.first_line, "/api/users", TOKEN, &body)?.as_secs_f64() * 1000.0);
    }
    Ok(median(times.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_files_is_the_hard_one() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 20000                files\n";
        assert_eq!(hard_limit_of_files(limits), 20_000);
        assert_eq!(hard_limit_of_files("Max open files  unlimited  unlimited  files"), usize::MAX);
    }
}
