//! The configuration file of the original gateway: `config.yaml`. It is not read, but whoever has one is told what
//! to write instead.

use std::path::Path;

use crate::field::{Field, Shown};
use crate::keys::Key;
use crate::{Problem, file};

/// Whether a path names a YAML file.
pub(crate) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"))
}

/// What is said when a YAML file was named on purpose.
pub(crate) fn refuse(path: &Path) -> Problem {
    Problem {
        file: Some(path.to_owned()),
        message: "YAML is not read".to_owned(),
        advice: advice(path).unwrap_or_else(|| "write a TOML file".to_owned()),
        ..Problem::default()
    }
}

/// What is said when there is a `config.yaml` and nothing else.
pub(crate) fn warning(directory: &Path) -> Option<Problem> {
    let path = directory.join("config.yaml");
    let advice = advice(&path)?;
    let message = "YAML is not read, so the built-in defaults are used".to_owned();
    Some(Problem { file: Some(path), message, advice, ..Problem::default() })
}

fn advice(path: &Path) -> Option<String> {
    let text = file::read(path).ok().flatten()?;
    let lines = equivalent(&text);
    if lines.is_empty() {
        return Some("write a gateway.toml; every key is explained in config/gateway.toml".to_owned());
    }
    Some(format!("write a gateway.toml with:\n{lines}"))
}

/// The TOML lines that say the same as the sections and plain values of a YAML file, as far as the keys are known.
fn equivalent(yaml: &str) -> String {
    let mut section = "";
    let mut written = "";
    let mut toml = String::new();
    for line in yaml.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = plain(value);
        if !line.starts_with([' ', '\t']) {
            section = name;
        } else if let Some(key) = Key::find(&format!("{section}.{}", name.trim()))
            && !value.is_empty()
        {
            if section != written {
                toml.extend(["[", section, "]\n"]);
                written = section;
            }
            let quoted = matches!(key.field, Field::Text(..) | Field::Path(_));
            let value = if quoted { Shown::Quoted(value.to_owned()) } else { Shown::Bare(value.to_owned()) };
            toml.extend([name.trim(), " = ", &value.toml(), "\n"]);
        }
    }
    toml.trim_end().to_owned()
}

/// A YAML scalar without its comment and quotes.
fn plain(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner;
        }
    }
    value.split(" #").next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_own_file_becomes_toml_that_says_the_same() {
        let yaml = "server:\n  port: 8081 # public\n  host: \"127.0.0.1\"\n  read_timeout: 30\n\ndatabase:\n  \
                    path: './my.db'\n\nother:\n  thing: 1\n\nmetrics:\n  enabled: false\n";
        let toml = equivalent(yaml);
        let expected = "[server]\nport = 8081\nhost = \"127.0.0.1\"\nread_timeout = 30\n[database]\npath = \
                        \"./my.db\"\n[metrics]\nenabled = false";
        assert_eq!(toml, expected);
    }

    #[test]
    fn a_yaml_file_is_pointed_out_when_it_is_all_there_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(warning(folder.path()), None);
        std::fs::write(folder.path().join("config.yaml"), "server:\n  port: 1\n").unwrap();
        let problem = warning(folder.path()).unwrap();
        assert_eq!(problem.advice, "write a gateway.toml with:\n[server]\nport = 1");
        std::fs::write(folder.path().join("config.yaml"), "- nonsense").unwrap();
        assert!(warning(folder.path()).unwrap().advice.contains("config/gateway.toml"));
    }
}
