use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway_domain::Declaration;
use toml::Spanned;
use toml::de::DeTable;

use crate::field::Surroundings;
use crate::file::{self, Found};
use crate::findings::{Findings, Spot};
use crate::keys::KEYS;
use crate::lower::Lowering;
use crate::refused::Refused;
use crate::{Origins, Problem, Problems, Settings, check, declare, environment};

/// No larger file is written by hand.
const HANDWRITTEN: usize = 256 << 10;

/// Where the configuration is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `--config`: this file and no other. `None`: `GATEWAY_CONFIG` of the environment, or else the search.
    pub path: Option<PathBuf>,
    /// The working directory: here `gateway.toml` and `config/gateway.toml` are searched, in this order.
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
    pub declaration: Arc<Declaration>,
    /// The file that was read; `None`: there is none, which is fine.
    ///
    /// Put it into [`Source::path`] before loading again: then a file that was deleted in between is a problem,
    /// and not a silent return to the defaults.
    pub file: Option<PathBuf>,
    /// Every key's value and where it comes from.
    pub origins: Origins,
    /// What is not wrong but not right either.
    pub warnings: Vec<Problem>,
}

/// Reads the configuration: the file, the environment over it, then the checks of everything together.
///
/// Whatever is wrong is returned at once, in the order of the file. A file that is no TOML is the exception: then
/// only its syntax and the environment are judged, because the rest would be guesswork.
pub fn load(source: &Source, env: &Environment) -> Result<Loaded, Problems> {
    let (document, warning) = match file::find(source, env)? {
        Found::File(document) => (Some(document), None),
        Found::Nothing(warning) => (None, warning),
    };
    let at = document.as_ref().map(|document| (document.path.as_path(), document.text.as_str()));
    judge(at, &source.directory, env, warning)
}

/// Reads the configuration as [`load`] would if the file held `text`. Nothing is taken from the file that is there.
///
/// Secrets are followed as in the file itself, so a variable or a file that is not there is a problem here too.
pub fn load_text(text: &str, source: &Source, env: &Environment) -> Result<Loaded, Problems> {
    let path = source.path.clone().unwrap_or_else(|| source.directory.join("gateway.toml"));
    judge(Some((&path, text)), &source.directory, env, None)
}

fn judge(
    document: Option<(&Path, &str)>,
    directory: &Path,
    env: &Environment,
    warning: Option<Problem>,
) -> Result<Loaded, Problems> {
    let (path, text) = (document.map(|(path, _)| path), document.map_or("", |(_, text)| text));
    let mut findings = Findings::new(document);
    if let Some(warning) = warning {
        findings.warn(warning);
    }
    let folder = path.and_then(Path::parent).unwrap_or(directory);
    let (settings, declaration, origins) = read(text, Surroundings { folder, env }, &mut findings);
    let (problems, warnings) = findings.into_parts();
    match Problems::new(problems) {
        Some(problems) => Err(problems),
        None => Ok(Loaded {
            settings,
            declaration: Arc::new(declaration),
            file: path.map(Path::to_owned),
            origins,
            warnings,
        }),
    }
}

fn read<'a>(
    text: &str,
    around: Surroundings<'a>,
    findings: &mut Findings<'a>,
) -> (Settings, Declaration, Origins) {
    let root = parse(text, findings);
    let is_toml = root.is_some();
    let mut lowering = Lowering::new(around, findings);
    let lists = root.as_ref().map(|root| lowering.read_file(root.get_ref())).unwrap_or_default();
    environment::overlay(&mut lowering, around.env);
    if is_toml {
        // Before the lists: channels have times of their own, which lie within these.
        check::check_times(&mut lowering);
    }
    let declaration = declare::declare(lists, &mut lowering);
    if is_toml {
        check::check(&mut lowering, &declaration);
    }
    let origins = origins(&lowering);
    (lowering.settings, declaration, origins)
}

/// The tree of a file; `None` when it is no TOML, which is then reported.
fn parse<'t>(text: &'t str, findings: &mut Findings<'_>) -> Option<Spanned<DeTable<'t>>> {
    let first = match DeTable::parse(text) {
        Ok(root) => return Some(root),
        Err(first) => first,
    };
    // All errors of what somebody wrote; of a large file of something else the first one says enough, and all of
    // them would take a hundred times its size.
    let errors = if text.len() <= HANDWRITTEN { DeTable::parse_recoverable(text).1 } else { vec![first] };
    for error in &errors {
        let spot = error.span().map_or(Spot::Nowhere, |span| Spot::File(span.start));
        findings.problem(&spot, "", Refused::new(format!("this is not TOML: {}", error.message())));
    }
    None
}

fn origins(lowering: &Lowering<'_, '_>) -> Origins {
    let row = |key: &crate::keys::Key| {
        let origin = lowering.findings.origin(&lowering.known.spot(key.name));
        let value = key.field.show(&lowering.settings).map(|shown| shown.plain());
        (key.name.to_owned(), origin, value.unwrap_or_default())
    };
    KEYS.iter().map(row).collect()
}

#[cfg(test)]
mod tests;
