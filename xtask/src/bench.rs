//! `cargo xtask bench`: what the gateway costs on this machine, beside the same upstream asked directly and, where it is
//! installed, beside nginx as a plain reverse proxy.
//!
//! Absolute figures of a small shared machine are worth little; ratios within one run are worth something. So every
//! round asks every target, one after the other, and the report shows medians over the rounds with their spread.

mod hold;
mod house;
mod overload;
mod picture;
mod process;
mod report;
mod rounds;
mod scaling;
mod scenarios;
mod share;
mod soak;
mod targets;
mod training;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::shell::{self, cargo, say};
use process::Child;
use report::Report;

/// What is measured. Without any of the special ones: all scenarios, beside nginx.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Options {
    /// How often every target is asked in turn
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// One short round of everything: shows that it runs, measures nothing
    #[arg(long)]
    quick: bool,
    /// Only the scenarios whose name holds this
    #[arg(long, value_parser = scenarios::some_are_called)]
    only: Option<String>,
    /// The gateway to measure, such as `cargo xtask release` makes it, instead of a release build of this checkout
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Beside them a gateway with three channels, a thousand users, and calls that belong to sessions
    #[arg(long)]
    full: bool,
    /// Instead: this many workers beside one
    #[arg(long, value_name = "NUMBER")]
    workers: Option<u32>,
    /// With --workers: so many hundredths of a core for each worker, so that load and upstream are not the limit; as root
    #[arg(long, value_name = "PERCENT", requires = "workers", value_parser = clap::value_parser!(u32).range(10..=100))]
    share: Option<u32>,
    /// Instead: how cost grows with connections, channels, users and models
    #[arg(long)]
    scaling: bool,
    /// Instead: so many seconds of full load, and what becomes of memory
    #[arg(long, value_name = "SECONDS")]
    soak: Option<u64>,
    /// Instead: a gateway that may carry so many calls, carries them, and is asked for more
    #[arg(long, value_name = "CALLS")]
    overload: Option<u32>,
    /// Instead: so many slow streams at a time
    #[arg(long, value_name = "STREAMS")]
    hold: Option<u32>,
}

/// What all measurements of a run share.
struct Bench {
    options: Options,
    load: PathBuf,
    gateway: PathBuf,
    folder: PathBuf,
    upstream: Child,
}

/// Sees that everything can be measured.
pub(crate) fn try_out() -> anyhow::Result<()> {
    run(Options { rounds: 1, seconds: 1.0, quick: true, ..Options::default() })
}

/// Shows a program what it will have to do.
pub(crate) fn train(program: PathBuf) -> anyhow::Result<()> {
    cargo(["build", "--locked", "--release", "-p", "gateway-load"]).run()?;
    training::run(&Bench::new(Options { program: Some(program), ..Options::default() })?)
}

/// Measures what the options say.
pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    let build = ["build", "--locked", "-p", "gateway-load"];
    let gateway = options.program.is_none().then_some(["-p", "gateway-server"]);
    // To see that everything runs needs no optimised build, which takes minutes.
    let release = (!options.quick).then_some("--release");
    cargo(build).args(gateway.into_iter().flatten()).args(release).run()?;
    let bench = Bench::new(options)?;
    let mut report = Report::new()?;
    let options = &bench.options;
    if options.quick {
        rounds::measure(&bench, &mut report)?;
        scaling::measure(&bench, &mut report)?;
        soak::measure(&bench, 1, &mut report)?;
        hold::measure(&bench, 50, &mut report)?;
        overload::measure(&bench, 20, &mut report)?;
        rounds::measure_workers(&bench, 2, &mut report)?;
        training::run(&bench)?;
    } else if let Some(seconds) = options.soak {
        soak::measure(&bench, seconds, &mut report)?;
    } else if let Some(streams) = options.hold {
        hold::measure(&bench, streams, &mut report)?;
    } else if let Some(calls) = options.overload {
        overload::measure(&bench, calls, &mut report)?;
    } else if let Some(workers) = options.workers {
        rounds::measure_workers(&bench, workers, &mut report)?;
    } else if options.scaling {
        scaling::measure(&bench, &mut report)?;
    } else {
        rounds::measure(&bench, &mut report)?;
    }
    say(&report.text());
    if options.quick && report.rows.is_empty() {
        bail!("nothing was measured");
    }
    if let Some(row) = report.rows.iter().find(|row| options.quick && row.has_failures()) {
        bail!(
            "{} at {}: not every request was answered, or not every stream was whole",
            row.scenario.name,
            row.target
        );
    }
    let folder = bench.folder.display();
    std::fs::write(bench.folder.join("report.json"), serde_json::to_string_pretty(&report.json())?)?;
    std::fs::write(bench.folder.join("report.svg"), picture::draw(&report))?;
    say(&format!("written: {folder}/report.json, {folder}/report.svg"));
    if !report.faults.is_empty() {
        bail!("{}", report.faults.join("; "));
    }
    Ok(())
}

// === impl Bench ===

impl Bench {
    fn new(options: Options) -> anyhow::Result<Self> {
        let target = shell::target_directory()?;
        let folder = target.join("bench");
        let programs = target.join(if options.quick { "debug" } else { "release" });
        std::fs::create_dir_all(&folder)?;
        let load = programs.join("gateway-load");
        let gateway = match &options.program {
            // A name alone would be looked for on PATH.
            Some(program) => std::path::absolute(program).context("the program's path is none")?,
            None => programs.join("gateway-server"),
        };
        let upstream = Child::start_and_read(&load, &["upstream"], process::LOAD_CORE)?;
        Ok(Self { options, load, gateway, folder, upstream })
    }

    /// How often each target is asked.
    fn rounds(&self) -> u32 {
        if self.options.quick { 1 } else { self.options.rounds.max(1) }
    }

    /// Seconds of one measurement.
    fn seconds(&self) -> f64 {
        if self.options.quick { 0.3 } else { self.options.seconds }
    }

    /// Runs the load generator; the last line that it prints is its report.
    fn drive(&self, arguments: &[String], core: &str) -> anyhow::Result<serde_json::Value> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = process::output(&self.load, &arguments, core)?;
        let last = output.lines().last().context("the load generator said nothing")?;
        serde_json::from_str(last).context("cannot read the load generator's report")
    }
}
