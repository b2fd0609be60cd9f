//! The command line: what the program can be asked for, and how it answers.

mod ask_health;
mod serve;
mod show;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use gateway_config::{Environment, Loaded, Problems, Source};

/// What a process is given.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// The environment variables that are text.
    pub environment: Environment,
    /// The working directory.
    pub directory: PathBuf,
    /// Where temporary files may be made.
    pub temporary: PathBuf,
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or served and stopped in good order: 0.
    Done,
    /// It could not be done: 1.
    Failed,
    /// The command line or the configuration is wrong: 2.
    Usage,
}

/// An OpenAI-compatible gateway in front of many upstream accounts.
#[derive(Debug, Parser)]
#[command(name = "gateway-server", version, about, after_help = AFTER_HELP)]
struct Arguments {
    /// The configuration file; otherwise ./gateway.toml, ./config/gateway.toml, or none. Also `GATEWAY_CONFIG`
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines look, whatever the configuration says
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<Format>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Pretty on a terminal, JSON elsewhere
    Auto,
    /// One JSON object per line
    Json,
    /// For people
    Pretty,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default)
    Serve,
    /// Check the configuration and print everything that is wrong with it
    Check,
    /// Try it: the real gateway with two scripted upstreams, without account, key or network
    Demo {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Make a new admin token and print it once; the running gateway takes it at its next start
    Token,
    /// Bring the database to this version's schema; serving does so as well
    Migrate {
        /// This database instead of the configured one
        #[arg(long, value_name = "PATH")]
        database: Option<PathBuf>,
    },
    /// Ask the running gateway whether it lives (for container health checks)
    Health,
    /// Print every setting, its value and where it comes from; secrets are masked
    Config,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  done, or stopped in good order (SIGTERM drains and ends with 0)
  1  it failed; the reason is on standard error
  2  the command line or the configuration is wrong

Signals:
  SIGHUP           read the configuration again
  SIGTERM, SIGINT  stop gracefully; a second one stops at once

Every key of the configuration file is also a variable: GATEWAY_SERVER__PORT=9000.";

/// Runs the program. `out` is for what was asked for, `err` for what went wrong and for secrets that are shown once.
pub fn run(world: World, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let arguments = match Arguments::try_parse_from(&world.arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error, out, err),
    };
    let World { mut environment, directory, temporary, .. } = world;
    if let Some(format) = arguments.log_format {
        environment.insert("GATEWAY_LOG__FORMAT".to_owned(), format.word().to_owned());
    }
    let path = arguments.config.or_else(|| environment.get("GATEWAY_CONFIG").map(PathBuf::from));
    let source = Source { path, directory };
    let result = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(source, environment, err),
        Command::Check => show::check(&source, &environment, out),
        Command::Demo { listen } => crate::demo::run(listen, &environment, &temporary, out),
        Command::Token => show::token(&source, &environment, out),
        Command::Migrate { database } => show::migrate(&source, &environment, database, out),
        Command::Health => ask_health::ask(&source, &environment),
        Command::Config => show::config(&source, &environment, out),
    };
    match result {
        Ok(()) => Exit::Done,
        Err(error) => fail(&error, err),
    }
}

/// Says what went wrong: all problems of a configuration, or one error with its causes.
fn fail(error: &anyhow::Error, err: &mut dyn Write) -> Exit {
    if let Some(problems) = error.downcast_ref::<Problems>() {
        let count = problems.as_slice().len();
        let noun = if count == 1 { "problem" } else { "problems" };
        tell(err, &format!("{problems}\n\nThe configuration has {count} {noun}.\n"));
        return Exit::Usage;
    }
    tell(err, &format!("gateway-server: {error:#}\n"));
    Exit::Failed
}

/// Help and version are what was asked for; anything else is a wrong command line.
fn explain(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let text = error.render().to_string();
    if error.use_stderr() {
        tell(err, &text);
        Exit::Usage
    } else {
        tell(out, &text);
        Exit::Done
    }
}

/// Writes what nobody may be reading any more.
fn tell(to: &mut dyn Write, text: &str) {
    let _read: io::Result<()> = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

fn load(source: &Source, environment: &Environment) -> anyhow::Result<Loaded> {
    Ok(gateway_config::load(source, environment)?)
}

// === impl Exit ===

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
        })
    }
}

// === impl Format ===

impl Format {
    const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Pretty => "pretty",
        }
    }
}

#[cfg(test)]
mod tests;
