use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use gateway_domain::Secret;

use crate::Environment;
use crate::refused::Refused;

/// A file that holds more is not a key.
const LARGEST: u64 = 64 << 10;

/// Follows `env:NAME` and `file:/path`; anything else is the secret itself. A relative path starts at `folder`.
///
/// What is refused names the variable or the file, never a value. A name that could not be a variable's is not
/// repeated either: it may be a key that someone put after `env:`.
pub(crate) fn resolve(text: &str, folder: &Path, env: &Environment) -> Result<Secret<String>, Refused> {
    if let Some(name) = text.strip_prefix("env:") {
        return from_variable(name, env);
    }
    if let Some(path) = text.strip_prefix("file:") {
        return from_file(&folder.join(path));
    }
    if let Some(name) = text.strip_prefix('$') {
        let name = name.trim_matches(['{', '}']);
        if is_variable_name(name) {
            return Err(
                Refused::new("variables are not expanded here").advise(format!("write \"env:{name}\""))
            );
        }
    }
    Ok(Secret::new(text.to_owned()))
}

/// Refuses what no HTTP header can carry: a key is sent, or compared with what is sent, in one.
pub(crate) fn check_header_safe(secret: &Secret<String>) -> Result<(), Refused> {
    if secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Refused::new(
        "holds white space or a character that is not visible ASCII; no HTTP header can carry it",
    ))
}

fn from_variable(name: &str, env: &Environment) -> Result<Secret<String>, Refused> {
    if !is_variable_name(name) {
        return Err(Refused::new("what stands after `env:` is not a variable's name")
            .advise("write \"env:NAME\", with letters, digits and underscores"));
    }
    match env.get(name) {
        None => Err(Refused::new(format!("the environment variable {name} is not set"))),
        Some(value) if value.trim().is_empty() => {
            Err(Refused::new(format!("the environment variable {name} is empty")))
        }
        Some(value) => Ok(Secret::new(value.clone())),
    }
}

fn from_file(path: &Path) -> Result<Secret<String>, Refused> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        if error.kind() == ErrorKind::NotFound {
            return Refused::new(format!("the file {shown} does not exist"));
        }
        Refused::new(format!("the file {shown} cannot be read: {error}"))
    };
    // Asked before opening: opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Refused::new(format!("{shown} is not a file")));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Refused::new(format!("the file {shown} is larger than 64KiB, so it is no key")));
    }
    let text =
        String::from_utf8(bytes).map_err(|_no| Refused::new(format!("the file {shown} is not text")))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(Refused::new(format!("the file {shown} is empty")));
    }
    Ok(Secret::new(text.to_owned()))
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Environment {
        [("KEY", "sk-canary"), ("EMPTY", " ")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    fn refusal(text: &str, folder: &Path) -> String {
        resolve(text, folder, &env()).unwrap_err().message
    }

    #[test]
    fn a_secret_is_a_variable_a_file_or_itself() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "sk-from-file\r\n").unwrap();
        let absolute = format!("file:{}", folder.path().join("key").display());
        for (text, value) in [
            ("env:KEY", "sk-canary"),
            ("file:key", "sk-from-file"),
            (absolute.as_str(), "sk-from-file"),
            ("sk-literal", "sk-literal"),
            ("$ecret!", "$ecret!"),
            ("", ""),
        ] {
            assert_eq!(resolve(text, folder.path(), &env()).unwrap().expose(), value, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_no_value_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        fs::write(here.join("empty"), "\n").unwrap();
        fs::write(here.join("binary"), b"sk-\xff").unwrap();
        fs::write(here.join("large"), vec![b'x'; 70_000]).unwrap();
        assert_eq!(refusal("env:NOPE", here), "the environment variable NOPE is not set");
        assert_eq!(refusal("env:EMPTY", here), "the environment variable EMPTY is empty");
        assert_eq!(refusal("env:sk-canary-1", here), "what stands after `env:` is not a variable's name");
        assert!(refusal("file:nope", here).ends_with("nope does not exist"));
        assert!(refusal("file:empty", here).ends_with("empty is empty"));
        assert!(refusal("file:binary", here).ends_with("binary is not text"));
        assert!(refusal("file:large", here).ends_with("so it is no key"));
        assert!(refusal("file:.", here).ends_with("is not a file"));
    }

    #[test]
    fn a_variable_in_another_notation_is_pointed_out() {
        for text in ["$KEY", "${KEY}"] {
            assert_eq!(resolve(text, Path::new(""), &env()).unwrap_err().advice, "write \"env:KEY\"");
        }
    }
}
