//! More calls than the gateway may carry: how soon those that are too many hear of it, and what becomes of the others.

use anyhow::{Context, bail};

use super::Bench;
use super::house::House;
use super::process::{LOAD_CORE, Running, TARGET_CORE};
use super::report::Report;
use super::rounds::kilo;
use crate::shell::say;

/// Connections on which calls come that are too many, each again as soon as it is refused.
const TOO_MANY: u32 = 64;

/// Streams that are opened in a second.
const PACE: u32 = 1_500;

/// Fills a gateway that carries `calls` at a time with as many slow streams, and asks it for more.
pub(super) fn measure(bench: &Bench, calls: u32, report: &mut Report) -> anyhow::Result<()> {
    let house = House { calls: usize::try_from(calls)?, ..House::PLAIN };
    let gateway = bench.start_gateway(house, TARGET_CORE)?;
    let seconds = bench.seconds();
    say(&format!("{calls} slow streams, and calls beyond them for {seconds} s"));
    let to = ["--to".to_owned(), gateway.first_line.clone()];
    let common = [to.to_vec(), house.arguments()].concat();
    let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    // They last until the last of the others has been refused, however long it takes to open them.
    let events = 4.0 + seconds.ceil() + f64::from(calls / PACE);
    let held =
        words(format!("hold --streams {calls} --pace {PACE} --events {events} --gap-ms 1000 --prompt 100"));
    let held = [held, common.clone()].concat();
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    let mut streams = Running::start(&bench.load, &held, LOAD_CORE)?;
    let open = streams.line()?;
    if open.trim() != format!("open {calls}") {
        bail!("the load generator says {open:?}, not that all {calls} streams are open");
    }
    let (cpu, before) = (gateway.cpu_nanoseconds()?, gateway.memory_kb()?);
    let asked = words(format!("closed --connections {TOO_MANY} --warmup 0 --seconds {seconds}"));
    let seen = bench.drive(&[asked, common].concat(), LOAD_CORE)?;
    let (cpu, during) = (gateway.cpu_nanoseconds()?.saturating_sub(cpu), gateway.memory_kb()?);
    let kept: serde_json::Value = serde_json::from_str(&streams.line()?)?;
    let number = |of: &serde_json::Value, name: &str| {
        let number = of.get(name).and_then(serde_json::Value::as_u64);
        number.with_context(|| format!("no {name} in the report"))
    };
    let (refused, whole) = (number(&seen, "refused")?, number(&kept, "whole")?);
    let others = number(&seen, "completed")? + number(&seen, "errors")?.saturating_sub(refused);
    report.note(
        &format!("{calls} calls at a time, and more"),
        &format!(
            "{refused} refused (503 with Retry-After), half of them within {:.2} ms, 99 % within {:.2} ms, the last within \
             {:.2} ms, {:.1} CPU µs each; {others} answered otherwise; of the streams {whole} whole; memory {:.1} MB before and \
             {:.1} MB behind",
            thousandth(number(&seen, "refused_p50_us")?),
            thousandth(number(&seen, "refused_p99_us")?),
            thousandth(number(&seen, "refused_most_us")?),
            thousandth(cpu / refused.max(1)),
            kilo(before),
            kilo(during),
        ),
    );
    if whole < u64::from(calls) || others > 0 || refused == 0 {
        report.faults.push(format!(
            "overload: {whole} of {calls} streams were whole, {refused} calls were refused, {others} answered otherwise"
        ));
    }
    Ok(())
}

fn thousandth(of: u64) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX)) / 1_000.0
}
