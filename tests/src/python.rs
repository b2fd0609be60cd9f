//! Programs in Python that use the official SDK, run beside a gateway under test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs a script of `tests/clients` with these arguments, gives it one value as JSON on its standard input, and reads
/// one value from its standard output. `None`, with a loud word, when the SDK is not installed (`cargo xtask test` and
/// `cargo xtask campaign` install it below the target directory). Fails the test when the script fails.
pub async fn python(script: &str, arguments: &[&str], input: &Value) -> Option<Value> {
    let Some(python) = interpreter() else {
        let said = format!("SKIPPED: {script}: no Python with the SDK below the target directory\n");
        // Past the test's own capture, to where `cargo xtask test` counts it.
        let _written = std::io::stdout().write_all(said.as_bytes());
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let mut child = Command::new(python)
        .arg(&script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Python can be started");
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin.write_all(input.to_string().as_bytes()).await.expect("the script reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("Python can be waited for");
    assert!(output.status.success(), "{} failed: {}", script.display(), output.status);
    Some(serde_json::from_slice(&output.stdout).expect("the script answers with JSON"))
}

/// The virtual environment below the target directory, once the SDK is installed there: `cargo xtask test` leaves a stamp with
/// the name of the file that says what is pinned.
fn interpreter() -> Option<PathBuf> {
    let tests = std::env::current_exe().ok()?;
    let venv = tests.parent()?.parent()?.parent()?.join("venv");
    venv.join("installed-requirements-openai.txt").exists().then(|| venv.join("bin").join("python"))
}
