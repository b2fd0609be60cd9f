//! The programs that take part: started, pinned to a core, read, and ended with the measurement.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::shell::{self, Step};

/// Load and upstream share a core; the target has the other one for itself.
pub(super) const LOAD_CORE: &str = "0";
/// See [`LOAD_CORE`].
pub(super) const TARGET_CORE: &str = "1";

/// Wherever the system likes: for several workers.
pub(super) const ANY_CORE: &str = "";

/// A program that runs as long as this value lives.
pub(super) struct Child {
    process: std::process::Child,
    /// What it said first, or where it listens.
    pub first_line: String,
    /// Files that go with it.
    pub leaves: Vec<PathBuf>,
}

/// A program that says something from time to time.
pub(super) struct Running {
    process: std::process::Child,
    output: BufReader<ChildStdout>,
}

// === impl Child ===

impl Child {
    pub(super) fn start(
        program: &Path,
        arguments: &[&str],
        core: &str,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = pinned(program, arguments, core);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { process, first_line: String::new(), leaves: Vec::new() })
    }

    pub(super) fn start_and_read(program: &Path, arguments: &[&str], core: &str) -> anyhow::Result<Self> {
        let mut running = Running::start(program, arguments, core)?;
        let first_line = running.line()?;
        // Nothing more is said, so nothing is lost with the output's end.
        Ok(Self { process: running.process, first_line, leaves: Vec::new() })
    }

    /// Tells it to end in good order, and waits until it has.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        Step::new("kill").args(["-TERM", &self.process.id().to_string()]).output()?;
        let status = self.process.wait()?;
        if !status.success() {
            bail!("it was told to end, and ended with {status}");
        }
        Ok(())
    }

    /// The ids of its threads, and their names.
    pub(super) fn threads(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut threads = Vec::new();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let task = task?;
            let name = std::fs::read_to_string(task.path().join("comm"))?;
            threads.push((task.file_name().to_string_lossy().into_owned(), name.trim().to_owned()));
        }
        Ok(threads)
    }

    /// Processor time of all threads so far, as the scheduler counted it.
    pub(super) fn cpu_nanoseconds(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(sum)
    }

    /// Resident memory.
    pub(super) fn memory_kb(&self) -> anyhow::Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        text.lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .context("no VmRSS in /proc")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; either way there is nothing more to do.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
        for file in &self.leaves {
            // Not every gateway leaves all of them.
            let _gone = std::fs::remove_file(file);
        }
    }
}

// === impl Running ===

impl Running {
    pub(super) fn start(program: &Path, arguments: &[&str], core: &str) -> anyhow::Result<Self> {
        let mut command = pinned(program, arguments, core);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let output = BufReader::new(process.stdout.take().context("the output was asked for")?);
        Ok(Self { process, output })
    }

    /// The next line that it says; fails when it has ended.
    pub(super) fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("it ended without a word: {}", self.process.wait()?);
        }
        Ok(line.trim().to_owned())
    }
}

/// What a program prints until it ends.
pub(super) fn output(program: &Path, arguments: &[&str], core: &str) -> anyhow::Result<String> {
    let output = pinned(program, arguments, core).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{} failed: {}", program.display(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The program on one core, where that can be had: without it the figures are noisier, not wrong.
fn pinned(program: &Path, arguments: &[&str], core: &str) -> Command {
    let several = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    let mut command = if several && core != ANY_CORE && shell::exists("taskset") {
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments);
    command
}

/// A port that nobody uses at this moment.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Asks until there is an HTTP answer below 500.
pub(super) fn wait_until_ready(address: &str, path: &str, patience: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if ask(address, path).is_ok_and(|status| status < 500) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("{address} does not answer {path}")
}

fn ask(address: &str, path: &str) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    Ok(std::str::from_utf8(&start)?.get(9..12).context("no status")?.parse()?)
}

/// Posts JSON as an administrator; how long the answer took.
pub(super) fn post(address: &str, path: &str, token: &str, body: &str) -> anyhow::Result<Duration> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let begun = Instant::now();
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let took = begun.elapsed();
    let status = answer.get(9..12).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("{path} answers {answer}");
    }
    Ok(took)
}
