//! The programs that take part: started, pinned to a core, read, and ended with the measurement.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::shell;

/// Load and upstream share a core; the target has the other one for itself.
pub(super) const LOAD_CORE: &str = "0";
/// See [`LOAD_CORE`].
pub(super) const TARGET_CORE: &str = "1";

/// A program that runs as long as this value lives.
pub(super) struct Child {
    process: std::process::Child,
    /// What it said first, or where it listens.
    pub first_line: String,
}

// === impl Child ===

impl Child {
    pub(super) fn start(program: &Path, arguments: &[&str], core: &str) -> anyhow::Result<Self> {
        let mut command = pinned(program, arguments, core);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { process, first_line: String::new() })
    }

    pub(super) fn start_and_read(program: &Path, arguments: &[&str], core: &str) -> anyhow::Result<Self> {
        let mut command = pinned(program, arguments, core);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let output = process.stdout.take().context("the output was asked for")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { process, first_line: line.trim().to_owned() })
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
    let mut command = if several && shell::exists("taskset") {
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
