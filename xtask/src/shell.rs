//! Runs other programs, and talks to the one who called us.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// A command that is told before it runs, and whose failure is an error.
#[derive(Debug)]
pub(crate) struct Step {
    command: Command,
}

/// Prints one line at once, so that it stands in order with the output of the programs that are run.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed our output does not want to read it; there is nobody left to tell.
    let _closed = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in a folder of the workspace")
}

/// Cargo, in the workspace, by the very toolchain that runs this.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Step {
    Step::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments)
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> anyhow::Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let path = metadata
        .get("target_directory")
        .and_then(Value::as_str)
        .context("cargo names no target directory")?;
    Ok(PathBuf::from(path))
}

/// What cargo knows about the workspace.
pub(crate) fn metadata(more: &[&str]) -> anyhow::Result<Value> {
    let text = cargo(["metadata", "--locked", "--format-version", "1"]).args(more).output()?;
    serde_json::from_str(&text).context("cannot read the answer of cargo metadata")
}

/// Whether a program of this name can be started.
pub(crate) fn exists(program: &str) -> bool {
    exists_with(program, "--version")
}

/// The same for a program whose harmless argument is another one.
pub(crate) fn exists_with(program: &str, argument: &str) -> bool {
    let probe = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

// === impl Step ===

impl Step {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root());
        Self { command }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs the program; its output goes where ours goes.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let told = self.tell();
        let status = self.command.status().with_context(|| format!("cannot start `{told}`"))?;
        if !status.success() {
            bail!("`{told}` failed: {status}");
        }
        Ok(())
    }

    /// Runs the program and returns what it printed.
    pub(crate) fn output(mut self) -> anyhow::Result<String> {
        let told = self.text();
        self.command.stderr(Stdio::inherit());
        let output = self.command.output().with_context(|| format!("cannot start `{told}`"))?;
        if !output.status.success() {
            bail!("`{told}` failed: {}", output.status);
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{told}` printed something that is no text"))
    }

    /// Runs the program, passes its output on line by line, and shows each line to `read`. Says whether it succeeded.
    pub(crate) fn watch(mut self, mut read: impl FnMut(&str)) -> anyhow::Result<bool> {
        let told = self.tell();
        let spawned = self.command.stdout(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| format!("cannot start `{told}`"))?;
        let output = child.stdout.take().context("the output was asked for")?;
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("cannot read the output of `{told}`"))?;
            let line = String::from_utf8_lossy(&line);
            say(&line);
            read(&line);
        }
        Ok(child.wait().with_context(|| format!("cannot wait for `{told}`"))?.success())
    }

    fn tell(&self) -> String {
        let told = self.text();
        say(&format!("\n$ {told}"));
        told
    }

    fn text(&self) -> String {
        let program = Path::new(self.command.get_program()).file_name().unwrap_or_default();
        let words = std::iter::once(program).chain(self.command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}
