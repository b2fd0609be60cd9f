//! The real binary as a child process: for signals, exit codes, logs and sudden death.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use gateway_config::Environment;
use http::Method;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::admin::Admin;
use crate::client::{Call, Chat};
use crate::eventually::{eventually, until};
use crate::inspect::Metrics;
use crate::settings::Home;
use crate::{ADMIN_TOKEN, USER_KEY};

/// A running `gateway-server`. Its drop kills it; nothing else is ever signalled.
#[derive(Debug)]
pub struct GatewayProcess {
    child: Child,
    address: SocketAddr,
    output: Output,
    home: Option<Home>,
}

/// All that a child has written, standard output and standard error together.
#[derive(Clone, Debug, Default)]
struct Output(Arc<Mutex<String>>);

// === impl GatewayProcess ===

impl GatewayProcess {
    pub(crate) async fn start_at(home: Home) -> Option<Self> {
        let config = home.config();
        let arguments = ["--config".to_owned(), config.display().to_string()];
        let environment = home.environment.clone();
        let folder = home.path().to_owned();
        let mut process = Self::start(&arguments, &environment, folder).await?;
        process.home = Some(home);
        Some(process)
    }

    /// Starts the binary with these arguments and nothing but this environment, and waits until it serves.
    /// `None`, with a loud word, when it has not been built.
    pub async fn start(arguments: &[String], environment: &Environment, folder: PathBuf) -> Option<Self> {
        let (child, output) = launch(arguments, environment, folder)?;
        let mut process = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), output, home: None };
        let address = until("the child says where it listens", async || {
            if let Ok(Some(status)) = process.child.try_wait() {
                panic!("the gateway ended with {status}:\n{}", process.output());
            }
            announced(&process.output.text())
        });
        process.address = address.await;
        let address = process.address;
        until("the child serves", async || {
            let live = Call::new(address, Method::GET, "/livez").try_send().await;
            live.is_ok_and(|answer| answer.status == 200).then_some(())
        })
        .await;
        Some(process)
    }

    /// Runs the binary to its end: exit code, and what it wrote. `None` when it has not been built.
    pub async fn run(
        arguments: &[String],
        environment: &Environment,
        folder: PathBuf,
    ) -> Option<(i32, String)> {
        let (child, output) = launch(arguments, environment, folder)?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, address, output, home: None };
        let status = process.wait().await;
        // The pipes may still hold its last words: each reader keeps a share of the output until its pipe has ended.
        eventually("all that it wrote is read", || Arc::strong_count(&process.output.0) == 1).await;
        Some((status.code().unwrap_or(-1), process.output()))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.home().config()
    }

    /// The folder of configuration and database.
    pub fn folder(&self) -> PathBuf {
        self.home().path().to_owned()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait().await;
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the child ends", async || child.try_wait().expect("a child can be waited for")).await
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Starts the binary again over the same folder; the old one must have ended.
    pub async fn again(mut self) -> Self {
        assert!(!self.is_running(), "the old process still runs");
        let home = self.home.take().expect("it was started from a configuration");
        Self::start_at(home).await.expect("the binary was there before")
    }

    /// Waits until it has written this.
    pub async fn says(&self, text: &str) {
        eventually(&format!("the child writes {text:?}"), || self.output().contains(text)).await;
    }

    /// A chat completion for this model, with the user's key.
    pub fn chat(&self, model: &str) -> Chat {
        Chat::new(self.call(Method::POST, "/v1/chat/completions"), model)
    }

    /// Any call, with the user's key.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.address, method, path).key(USER_KEY)
    }

    /// The admin API, with the admin token.
    pub fn admin(&self) -> Admin {
        Admin::new(self.address, Some(ADMIN_TOKEN))
    }

    /// A reading of the metrics.
    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(&Call::new(self.address, Method::GET, "/metrics").send().await.body_text())
    }

    /// The resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
    }

    /// How many files and sockets it holds open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// How many numbers below that of its last open file are free.
    pub fn file_gaps(&self) -> usize {
        let numbers = self.file_numbers();
        numbers.iter().max().map_or(0, |last| last + 1 - numbers.len())
    }

    /// Lets it open no file with a number beyond that of the last one. Returns the first number that it cannot have.
    pub fn freeze_files(&self) -> usize {
        let limit = 1 + self.file_numbers().into_iter().max().expect("a process has files open");
        self.limit_files(Some(limit as u64));
        limit
    }

    /// How many of the numbers below this one are free.
    pub fn free_files(&self, below: usize) -> usize {
        below - self.file_numbers().iter().filter(|&&number| number < below).count()
    }

    /// Lets it open as many files again as this process may.
    pub fn unfreeze_files(&self) {
        self.limit_files(getrlimit(Resource::Nofile).maximum);
    }

    fn file_numbers(&self) -> Vec<usize> {
        let files =
            std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).into_iter().flatten().flatten();
        files.filter_map(|file| file.file_name().to_str()?.parse().ok()).collect()
    }

    fn limit_files(&self, current: Option<u64>) {
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current, maximum })
            .expect("the child's limits can be set");
    }

    /// How many of its threads have a name that begins so.
    pub fn threads(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|own| own.starts_with(name)).count()
    }

    fn home(&self) -> &Home {
        self.home.as_ref().expect("it was started from a configuration")
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the child can be signalled");
    }

    fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("a process id");
        Pid::from_raw(id).expect("a process id is not zero")
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        if self.is_running() {
            let _killed = self.child.kill();
            let _ended = self.child.wait();
        }
        if std::thread::panicking() {
            let text = self.output.text();
            let tail: Vec<&str> = text.lines().rev().take(30).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            let _written = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- the child's last lines ---\n{}\n", tail.join("\n")).as_bytes(),
            );
        }
    }
}

// === impl Output ===

impl Output {
    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Collects a pipe to its end, on a thread of its own.
    fn collect(&self, pipe: impl Read + Send + 'static) {
        let all = Arc::clone(&self.0);
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                all.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
    }
}

fn launch(arguments: &[String], environment: &Environment, folder: PathBuf) -> Option<(Child, Output)> {
    let Some(binary) = binary() else {
        let _written = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED: the binary gateway-server is not built beside the tests (cargo build -p gateway-server)\n",
        );
        return None;
    };
    let mut command = Command::new(binary);
    command.args(arguments).env_clear().envs(environment).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    let output = Output::default();
    if let Some(pipe) = child.stdout.take() {
        output.collect(pipe);
    }
    if let Some(pipe) = child.stderr.take() {
        output.collect(pipe);
    }
    // A panic between here and the first check would leave the child to its drop, which kills nothing: be quick.
    Some((child, output))
}

/// `target/<profile>/gateway-server`, beside the folder of the test executable.
fn binary() -> Option<PathBuf> {
    let tests = std::env::current_exe().ok()?;
    let profile = tests.parent()?.parent()?;
    let binary = profile.join("gateway-server");
    binary.exists().then_some(binary)
}

/// The first loopback address with a port that the output names.
fn announced(output: &str) -> Option<SocketAddr> {
    let complete = output.rfind('\n').and_then(|end| output.get(..end))?;
    let port = complete.split("127.0.0.1:").skip(1).find_map(|after| {
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u16>().ok().filter(|port| *port > 0)
    })?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}
