use std::collections::BTreeMap;
use std::path::PathBuf;

use gateway_domain::Declaration;

use crate::{Origins, Problem, Problems, Settings};

/// Where the configuration is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `--config`: this file and no other.
    pub path: Option<PathBuf>,
    /// Otherwise `gateway.toml` and `config/gateway.toml` are searched here.
    pub directory: PathBuf,
}

/// The environment variables, as a value.
pub type Environment = BTreeMap<String, String>;

/// A configuration without problems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The checked settings.
    pub settings: Settings,
    /// The channels, models and users that the file declares.
    pub declaration: Declaration,
    /// The file that was read; `None`: there is none, which is fine.
    pub file: Option<PathBuf>,
    /// Every key's value and where it comes from.
    pub origins: Origins,
    /// What is not wrong but not right either.
    pub warnings: Vec<Problem>,
}

/// Reads the configuration: file, then environment over it, then checks. Returns everything that is wrong at once.
pub fn load(_source: &Source, _env: &Environment) -> Result<Loaded, Problems> {
    Ok(Loaded::default())
}
