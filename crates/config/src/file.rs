use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::{Environment, Problem, Problems, Source, original};

/// A larger file is hardly a configuration. A hundred thousand users fit into half of it.
const LARGEST: u64 = 16 << 20;

/// The configuration file's text, with where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    File(Document),
    /// Nothing, which is fine; or only a file of the original gateway, which is worth a warning.
    Nothing(Option<Problem>),
}

/// Finds and reads the configuration file: the one that was named, or else the first of `gateway.toml` and
/// `config/gateway.toml` that exists.
pub(crate) fn find(source: &Source, env: &Environment) -> Result<Found, Problems> {
    let named = source.path.clone().or_else(|| {
        // The command line reads the variable too; this serves whoever embeds the gateway.
        env.get("GATEWAY_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    if let Some(path) = named {
        if original::is_yaml(&path) {
            return Err(original::refuse(&path).into());
        }
        return match read(&path)? {
            Some(text) => Ok(Found::File(Document { path, text })),
            None => Err(about(&path, "the file does not exist").into()),
        };
    }
    for name in ["gateway.toml", "config/gateway.toml"] {
        let path = source.directory.join(name);
        if let Some(text) = read(&path)? {
            return Ok(Found::File(Document { path, text }));
        }
    }
    Ok(Found::Nothing(original::warning(&source.directory)))
}

/// The text of a file; `None`: there is none. Symbolic links are followed: mounted configurations are links.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Problems> {
    let failed =
        |error: std::io::Error| Problems::from(about(path, format!("the file cannot be read: {error}")));
    let is_file = match fs::metadata(path) {
        Ok(metadata) => metadata.is_file(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    // Asked before opening: opening a pipe would wait for a writer.
    if !is_file {
        return Err(about(path, "is not a regular file").into());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(about(path, "is larger than 16MiB; make most of the users over the admin API").into());
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        let (line, column) = Lines::new(&before).position(before.len());
        let problem = about(path, "is not UTF-8 text");
        Problem { line: Some(line), column: Some(column), ..problem }.into()
    })
}

/// Where the lines of a text begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

fn about(path: &Path, message: impl Into<String>) -> Problem {
    Problem { file: Some(path.to_owned()), ..Problem::general(message, "") }
}

// === impl Lines ===

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub(crate) fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = match self.text.get(start..offset.min(self.text.len())) {
            Some(before) => before.chars().count(),
            None => offset.saturating_sub(start),
        };
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column + 1).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(folder: &Path) -> Source {
        Source { path: None, directory: folder.to_owned() }
    }

    fn found(folder: &Path) -> Option<PathBuf> {
        match find(&source(folder), &Environment::new()).unwrap() {
            Found::File(document) => Some(document.path.strip_prefix(folder).unwrap().to_owned()),
            Found::Nothing(_) => None,
        }
    }

    fn refusal(path: &Path) -> String {
        read(path).unwrap_err().as_slice()[0].message.clone()
    }

    #[test]
    fn the_nearer_file_is_taken_and_none_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        assert_eq!(found(here), None);
        fs::create_dir(here.join("config")).unwrap();
        fs::write(here.join("config/gateway.toml"), "").unwrap();
        assert_eq!(found(here), Some("config/gateway.toml".into()));
        fs::write(here.join("gateway.toml"), "").unwrap();
        assert_eq!(found(here), Some("gateway.toml".into()));
    }

    #[test]
    fn a_named_file_must_be_there_and_hides_the_others() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gateway.toml"), "").unwrap();
        let path = folder.path().join("other.toml");
        let named = Source { path: Some(path.clone()), ..source(folder.path()) };
        let missing = format!("{}: the file does not exist", path.display());
        assert_eq!(find(&named, &Environment::new()).unwrap_err().to_string(), missing);
        let env = Environment::from([("GATEWAY_CONFIG".to_owned(), path.display().to_string())]);
        assert_eq!(find(&source(folder.path()), &env).unwrap_err().to_string(), missing);
        fs::write(&path, "x").unwrap();
        let read = Found::File(Document { path, text: "x".to_owned() });
        assert_eq!(find(&named, &Environment::new()), Ok(read.clone()));
        assert_eq!(find(&source(folder.path()), &env), Ok(read));
    }

    #[test]
    fn what_cannot_be_a_configuration_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        fs::create_dir(&path).unwrap();
        assert_eq!(refusal(&path), "is not a regular file");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, vec![b'#'; (16 << 20) + 1]).unwrap();
        assert_eq!(refusal(&path), "is larger than 16MiB; make most of the users over the admin API");
        fs::write(&path, b"# f\xc3\xbcr\nx = \"\xff\"").unwrap();
        assert_eq!(
            read(&path).unwrap_err().to_string(),
            format!("{}:2:6: is not UTF-8 text", path.display())
        );
    }

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let lines = Lines::new("ab\nüx\n");
        assert_eq!(
            [0, 2, 3, 5, 7, 99].map(|at| lines.position(at)),
            [(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (3, 1)]
        );
    }
}
