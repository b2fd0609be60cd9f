//! The scenarios, each asked of each target in turn.

use super::Bench;
use super::hold;
use super::house::House;
use super::process::{ANY_CORE, Child, LOAD_CORE, TARGET_CORE};
use super::report::{Figures, Report};
use super::scenarios::{Cost, SCENARIOS, Scenario};
use super::share::Shares;
use super::targets::{DIRECT, FULL, GATEWAY, NGINX};
use crate::shell::say;

/// Somebody who answers requests.
struct Target<'a> {
    name: String,
    address: &'a str,
    arguments: Vec<String>,
    child: Option<&'a Child>,
}

/// Upstream alone, nginx, and one gateway, or two of them.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let gateway = bench.start_gateway(House::PLAIN, TARGET_CORE)?;
    let idle = gateway.memory_kb()?;
    let full = (bench.options.full || bench.options.quick)
        .then(|| bench.start_gateway(House::FULL, TARGET_CORE))
        .transpose()?;
    let nginx = bench.start_nginx()?;
    let plain = House::PLAIN.arguments();
    let mut targets = vec![Target {
        name: DIRECT.to_owned(),
        address: &bench.upstream.first_line,
        arguments: plain.clone(),
        child: None,
    }];
    let started = [
        (NGINX, nginx.as_ref(), plain.clone()),
        (GATEWAY, Some(&gateway), plain),
        (FULL, full.as_ref(), House::FULL.arguments()),
    ];
    for (name, child, arguments) in started {
        targets.extend(child.map(|child| Target {
            name: name.to_owned(),
            address: &child.first_line,
            arguments,
            child: Some(child),
        }));
    }
    for round in 0..bench.rounds() {
        for scenario in wanted(bench) {
            say(&format!("round {}: {}: {}", round + 1, scenario.name, scenario.meaning));
            if scenario.cost == Cost::Stream {
                hold::round(bench, scenario, report)?;
                continue;
            }
            for target in &targets {
                report.add(scenario, &target.name, ask(bench, scenario, target, LOAD_CORE)?);
            }
        }
    }
    report.note("gateway: memory at idle", &format!("{:.1} MB", kilo(idle)));
    report.note("gateway: memory after the load", &format!("{:.1} MB", kilo(gateway.memory_kb()?)));
    let size = std::fs::metadata(&bench.gateway)?.len() / 1024;
    report.note("gateway: size of the binary", &format!("{:.1} MB", kilo(size)));
    Ok(())
}

/// One worker beside several, all of them on all cores, as the load is, or each with a part of one.
pub(super) fn measure_workers(bench: &Bench, workers: u32, report: &mut Report) -> anyhow::Result<()> {
    let mut gateways = Vec::new();
    for workers in [1, workers] {
        let gateway = bench.start_gateway(House { workers, ..House::PLAIN }, ANY_CORE)?;
        let shares = bench.options.share.map(|percent| Shares::give(&gateway, percent)).transpose()?;
        // In this order: a group can only be removed when nobody is in it any more.
        let share = bench.options.share.map(|percent| format!(", {percent} % of a core each"));
        let name = format!("{GATEWAY}, workers = {workers}{}", share.unwrap_or_default());
        gateways.push((name, gateway, shares));
    }
    for round in 0..bench.rounds() {
        for scenario in wanted(bench).filter(|scenario| matches!(scenario.cost, Cost::Request | Cost::Event))
        {
            say(&format!("round {}: {}: {}", round + 1, scenario.name, scenario.meaning));
            for (name, child, _shares) in &gateways {
                let arguments = House::PLAIN.arguments();
                let target =
                    Target { name: name.clone(), address: &child.first_line, arguments, child: Some(child) };
                report.add(scenario, name, ask(bench, scenario, &target, ANY_CORE)?);
            }
        }
    }
    Ok(())
}

fn wanted(bench: &Bench) -> impl Iterator<Item = &'static Scenario> {
    let only = bench.options.only.as_deref().unwrap_or_default();
    SCENARIOS.iter().filter(move |scenario| scenario.name.contains(only))
}

fn ask(bench: &Bench, scenario: &Scenario, target: &Target<'_>, core: &str) -> anyhow::Result<Figures> {
    let mut arguments: Vec<String> = scenario.arguments.iter().map(ToString::to_string).collect();
    arguments.extend(["--to".to_owned(), target.address.to_owned()]);
    arguments.extend(["--warmup".to_owned(), if bench.options.quick { "0.1" } else { "0.5" }.to_owned()]);
    arguments.extend(["--seconds".to_owned(), bench.seconds().to_string()]);
    arguments.extend(target.arguments.iter().cloned());
    let before = target.child.map(Child::cpu_nanoseconds).transpose()?;
    let seen = bench.drive(&arguments, core)?;
    let spent = match (target.child, before) {
        (Some(child), Some(before)) => Some(child.cpu_nanoseconds()?.saturating_sub(before)),
        _ => None,
    };
    Figures::of_load(&seen, scenario.cost, spent)
}

pub(super) fn kilo(of: u64) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX)) / 1024.0
}
