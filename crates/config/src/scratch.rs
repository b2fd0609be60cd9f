//! A folder for one test, and the answers of [`crate::load`] in it.

use std::fs;

use tempfile::TempDir;

use crate::{Environment, Loaded, Problem, Problems, Source, load, load_text};

pub(crate) struct Scratch {
    folder: TempDir,
    env: Environment,
}

/// An empty folder and environment.
pub(crate) fn scratch() -> Scratch {
    Scratch { folder: tempfile::tempdir().unwrap(), env: Environment::new() }
}

/// What `load` says about a file of this text, one problem per line.
pub(crate) fn problems(toml: &str) -> String {
    scratch().file("gateway.toml", toml).problems()
}

/// What `load` makes of a file of this text.
pub(crate) fn loaded(toml: &str) -> Loaded {
    scratch().file("gateway.toml", toml).load().unwrap()
}

// === impl Scratch ===

impl Scratch {
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn load(&self) -> Result<Loaded, Problems> {
        load(&Source { path: None, directory: self.folder.path().to_owned() }, &self.env)
    }

    /// What [`crate::load_text`] says about a text in this folder, in place of its file.
    pub(crate) fn load_text(&self, text: &str) -> Result<Loaded, Problems> {
        load_text(text, &Source { path: None, directory: self.folder.path().to_owned() }, &self.env)
    }

    pub(crate) fn problems(&self) -> String {
        match self.load() {
            Ok(_) => "no problem".to_owned(),
            Err(problems) => self.shown(problems.as_slice()),
        }
    }

    pub(crate) fn warnings(&self) -> String {
        self.shown(&self.load().unwrap().warnings)
    }

    /// Without the folder's name, which differs in every run.
    fn shown(&self, problems: &[Problem]) -> String {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n").replace(&format!("{}/", self.folder.path().display()), "")
    }
}
