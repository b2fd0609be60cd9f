use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use gateway_config::{Environment, Source};

use super::{load, tell};
use crate::app::open_store;
use crate::first_start::new_admin_token;

/// Prints that the configuration is well; problems are the error.
pub(super) fn check(source: &Source, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<()> {
    let loaded = load(source, environment)?;
    let mut text = String::new();
    for warning in &loaded.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    match &loaded.file {
        Some(file) => writeln!(text, "{}: no problems", file.display())?,
        None => writeln!(text, "no configuration file; defaults and environment: no problems")?,
    }
    tell(out, &text);
    Ok(())
}

/// Prints every setting as TOML would have it, and where it comes from.
pub(super) fn config(source: &Source, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<()> {
    let loaded = load(source, environment)?;
    let width = loaded.origins.iter().map(|(key, _, value)| key.len() + value.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, origin, value) in &loaded.origins {
        let space = width - key.len() - value.len();
        writeln!(text, "{key} = {value}{:space$}  # {origin}", "")?;
    }
    tell(out, &text);
    Ok(())
}

/// Makes a new admin token.
pub(super) fn token(source: &Source, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = load(source, environment)?.settings;
    anyhow::ensure!(
        settings.admin.token.is_none(),
        "the admin token is set in the configuration (admin.token or GATEWAY_ADMIN_TOKEN); change it there"
    );
    let store = open_store(&settings)?;
    let (_, token) = new_admin_token(&store)?;
    store.close().context("the token may not be kept")?;
    tell(out, &format!("{}\n", token.expose()));
    Ok(())
}

/// Opens the database, which migrates it.
pub(super) fn migrate(
    source: &Source,
    environment: &Environment,
    database: Option<PathBuf>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut settings = load(source, environment)?.settings;
    if let Some(path) = database {
        settings.database.path = path;
    }
    open_store(&settings)?.close().context("the database did not close well")?;
    tell(out, &format!("{}: up to date\n", settings.database.path.display()));
    Ok(())
}
