//! The simulator's command line. `cargo xtask sim` builds and runs it.

use std::ops::Range;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Parser;
use gateway_routing_sim::experiment::measure;
use gateway_routing_sim::goals::{self, Comparison, Goal};
use gateway_routing_sim::policies::{self, Policy};
use gateway_routing_sim::scenario::{self, Scenario};
use gateway_routing_sim::tables;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask sim", about = "Measures routing policies on simulated channels")]
struct Cli {
    /// Only these scenarios, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<String>,
    /// Only these policies, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', conflicts_with_all = ["check", "markdown"])]
    policy: Vec<String>,
    /// How many seeds: one run each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1_000_000_000))]
    seed0: u64,
    /// How many gateways share the work, in place of what the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    replicas: Option<u16>,
    /// Hold ours against the goals; fails when one is missed.
    #[arg(long, conflicts_with = "markdown")]
    check: bool,
    /// Print the tables of docs/routing.md.
    #[arg(long)]
    markdown: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let scenarios = cli.scenarios()?;
    let seeds = cli.seed0..cli.seed0 + cli.seeds;
    if cli.check {
        return Ok(check(scenarios, &seeds));
    }
    if cli.markdown {
        page(&scenarios, &seeds);
    } else {
        compare(&scenarios, &cli.policies()?, &seeds);
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(scenarios: &[Scenario], policies: &[Policy], seeds: &Range<u64>) {
    for scenario in scenarios {
        say(&tables::head(scenario));
        let mut price = None;
        for policy in policies {
            let figures = measure(scenario, policy, seeds.clone());
            let price = *price.get_or_insert_with(|| figures.price());
            say(&tables::row(policy.what, &figures, price));
        }
    }
    say(tables::LEGEND);
}

fn page(scenarios: &[Scenario], seeds: &Range<u64>) {
    let mut page = tables::Page::new(seeds);
    for scenario in scenarios {
        let policies = tables::Page::policies();
        let figures: Vec<_> =
            policies.iter().map(|policy| measure(scenario, policy, seeds.clone())).collect();
        page.add(scenario, &figures);
    }
    say(&page.text());
}

fn check(scenarios: Vec<Scenario>, seeds: &Range<u64>) -> ExitCode {
    let whole = scenarios.len() == scenario::all().len();
    let steady = scenarios.iter().find(|scenario| scenario.name == "steady60").cloned();
    let mut comparisons = Vec::new();
    let mut goals: Vec<Goal> = Vec::new();
    for scenario in scenarios {
        let comparison = Comparison::run(scenario, seeds);
        say(&comparison.summary());
        goals.extend(comparison.goals());
        comparisons.push(comparison);
    }
    if whole {
        goals.extend(goals::overall(&comparisons));
    }
    goals.extend(steady.map(|steady| goals::alone_together(&steady, seeds)));
    let missed: Vec<_> = goals.iter().filter(|goal| !goal.is_met()).collect();
    for goal in &missed {
        say(&format!("MISSED {goal}"));
    }
    say(&format!("{} of {} goals met", goals.len() - missed.len(), goals.len()));
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints for whoever called.
#[expect(clippy::print_stdout, reason = "a command-line tool answers on standard output")]
fn say(text: &str) {
    println!("{text}");
}

// === impl Cli ===

impl Cli {
    fn scenarios(&self) -> anyhow::Result<Vec<Scenario>> {
        let all = scenario::all();
        for name in &self.scenario {
            let names = || all.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
            ensure!(
                all.iter().any(|scenario| scenario.name == name),
                "there is no scenario `{name}`; there are {}",
                names()
            );
        }
        let chosen = |scenario: &Scenario| {
            self.scenario.is_empty() || self.scenario.iter().any(|name| name == scenario.name)
        };
        let replicas = |scenario: Scenario| Scenario {
            replicas: self.replicas.map_or(scenario.replicas, usize::from),
            ..scenario
        };
        Ok(all.into_iter().filter(chosen).map(replicas).collect())
    }

    fn policies(&self) -> anyhow::Result<Vec<Policy>> {
        if self.policy.is_empty() {
            return Ok(policies::ALL.to_vec());
        }
        let names = || policies::ALL.map(|policy| policy.name).join(", ");
        let find = |name: &String| {
            policies::find(name)
                .with_context(|| format!("there is no policy `{name}`; there are {}", names()))
        };
        self.policy.iter().map(find).collect()
    }
}
