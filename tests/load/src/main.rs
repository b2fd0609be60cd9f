//! A scripted upstream and a load generator, on raw sockets so that neither costs more than what it measures.
//!
//! `cargo xtask bench` runs both around the gateway. Everything stays on loopback and ends by itself.
//!
//! **Must never know:** the gateway's crates. It sees the gateway as any client and any upstream does.

mod answer;
mod client;
mod hold;
mod http1;
mod request;
mod secure;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[derive(Debug, Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answers chat completions until it is told to stop (SIGTERM); prints its address first.
    Upstream {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Speak TLS and show this certificate, PEM.
        #[arg(long, requires = "key")]
        cert: Option<PathBuf>,
        /// Its private key, PEM.
        #[arg(long, requires = "cert")]
        key: Option<PathBuf>,
    },
    /// Sends one request after the other on each of a number of connections; prints one JSON object.
    Closed(client::Plan),
    /// Opens many streams and holds them open together; says `open N`, then prints one JSON object.
    Hold(hold::Plan),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    open_as_many_files_as_allowed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Upstream { listen, cert, key } => {
                let tls = cert.zip(key).map(|(cert, key)| secure::showing(&cert, &key)).transpose()?;
                upstream::serve(listen, tls).await
            }
            Command::Closed(plan) => {
                let report = client::run(plan).await?;
                say(&report.to_string());
                Ok(())
            }
            Command::Hold(plan) => {
                let report = hold::run(plan).await?;
                say(&report.to_string());
                Ok(())
            }
        }
    })
}

/// Many connections are many files.
fn open_as_many_files_as_allowed() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // If it cannot be had, connections fail and are counted as errors.
    let _more = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Prints a line for the program that started this one.
#[expect(clippy::print_stdout, reason = "a command-line tool answers on standard output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
