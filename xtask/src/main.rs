//! The build system of the gateway, in Rust: `cargo xtask <command>`.
//!
//! **Must never know:** the product crates. It builds, runs and reads them from outside.

mod bare;
mod bench;
mod browser;
mod campaign;
mod ci;
mod clients;
mod conformance;
mod fuzz;
mod layers;
mod migrate;
mod release;
mod setup;
mod shell;
mod sim;
mod tally;
mod test;
mod threads;
mod tidy;
mod vendor_ui;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, checks and tests the gateway")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run everything that must hold before a change lands, except the tests
    Ci {
        /// What takes too long for every change, too: fuzzing, 100,000 random bodies, a release, the campaigns at full size
        #[arg(long)]
        long: bool,
    },
    /// Run all tests: the workspace's, then real clients and a real model server against the built gateway
    Test {
        /// Leave the clients out; they need Python, Node and, once, the network
        #[arg(long)]
        no_clients: bool,
    },
    /// Run the campaigns: the gateway under faults drawn by chance, dying channels and leaving clients
    Campaign {
        /// As large as they are meant, and held to times: takes minutes, on a machine that does nothing else
        #[arg(long)]
        full: bool,
        /// Draw again what this seed drew; a campaign prints its seed when it begins
        #[arg(long)]
        seed: Option<u64>,
        /// Only the campaigns whose name holds this
        name: Option<String>,
    },
    /// Show the web pages in a real browser, before the built gateway, and judge them
    Browser {
        /// Only the files of tests whose name holds this
        name: Option<String>,
    },
    /// Run OpenAI's own tests against OpenAI's own mock, directly and through the gateway, and compare
    Conformance,
    /// Drive the fuzz targets; they need a C++ compiler
    Fuzz {
        /// For how long each is driven
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Feed this file to the target of this very name, and nothing else
        #[arg(long, value_name = "FILE", requires = "name")]
        replay: Option<PathBuf>,
        /// Only the targets whose name holds this
        name: Option<String>,
    },
    /// Build the server with nothing but Rust and a C compiler on PATH
    Bare,
    /// Try routing's atomics and locks on thousands of schedules
    Threads,
    /// Check who depends on whom
    Layers,
    /// Check what no compiler checks: file sizes and names, forbidden words, links in documents
    Tidy,
    /// Bring a database up to the schema of this version
    Migrate {
        /// The database file; made when it does not exist
        #[arg(long, value_name = "PATH")]
        database: PathBuf,
    },
    /// Measure what requests, events and open streams cost, beside the upstream alone and nginx
    Bench(bench::Options),
    /// Build the program as it is released, laid out for what it does under load, and pack it into `target/dist`; takes minutes
    Release(release::Options),
    /// Measure how channels are chosen, against other gateways' rules, on simulated channels
    #[command(disable_help_flag = true)]
    Sim {
        /// What the simulator takes; `--help` tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
    /// Run the demo: a gateway with scripted upstreams, ready to be called
    Dev,
    /// Bring the libraries of the web UI into its folder, pinned; needs npm and the network
    VendorUi,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Ci { long } => ci::run(long),
        Task::Test { no_clients } => test::run(!no_clients),
        Task::Campaign { full, seed, name } => campaign::run(full, seed, name.as_deref()),
        Task::Browser { name } => browser::run(name.as_deref()).map(drop),
        Task::Conformance => conformance::run(),
        Task::Fuzz { seconds, replay: None, name } => fuzz::run(seconds, name.as_deref()).map(drop),
        Task::Fuzz { replay: Some(file), name, .. } => fuzz::replay(&name.unwrap_or_default(), &file),
        Task::Bare => bare::run(),
        Task::Threads => threads::run(),
        Task::Layers => layers::run(),
        Task::Tidy => tidy::run(),
        Task::Migrate { database } => migrate::run(&database),
        Task::Bench(options) => bench::run(options),
        Task::Release(options) => release::run(&options),
        Task::Sim { arguments } => sim::run(&arguments),
        Task::VendorUi => vendor_ui::run(),
        Task::Dev => shell::cargo(["run", "--package", "gateway-server", "--", "demo"]).run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_is_not_there_is_an_error_of_usage() {
        let parse = |only| Arguments::try_parse_from(["xtask", "bench", "--only", only]);
        assert!(parse("e-hold").is_ok());
        assert_eq!(parse("e-hodl").map(drop).unwrap_err().exit_code(), 2);
    }
}
