//! `gateway-server`: one binary in front of many OpenAI-compatible accounts. See `gateway-server --help`.

use std::io;
use std::process::ExitCode;

use gateway_server::cli::{self, World};

/// The only place that reads what the process was given: its arguments, environment, folder and streams.
fn main() -> ExitCode {
    let world = World {
        arguments: std::env::args_os().collect(),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        directory: std::env::current_dir().unwrap_or_default(),
        temporary: std::env::temp_dir(),
    };
    cli::run(world, &mut io::stdout(), &mut io::stderr()).into()
}
