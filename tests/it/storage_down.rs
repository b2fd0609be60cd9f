//! The database is away for a while: no client notices, and nothing is lost.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gateway_tests::{Gateway, Line, Upstream, chat, ms, until};
use serde_json::json;

/// Another program that holds the database's write lock until it is dropped.
struct Lock(Child);

impl Lock {
    /// `None`, with a loud word, where there is no Python to hold it.
    fn take(database: &Path) -> Option<Self> {
        let program = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],isolation_level=None,timeout=30)\nc.execute('BEGIN EXCLUSIVE')\nprint('locked',flush=True)\nsys.stdin.readline()\nc.execute('COMMIT')\n";
        let child = Command::new("python3")
            .args(["-c", program])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("SKIPPED: there is no python3 to lock the database with");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).expect("the locker speaks");
        assert_eq!(line, "locked\n");
        Some(Self(child))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            let _written = input.write_all(b"\n");
        }
        let _ended = self.0.wait();
    }
}

#[tokio::test]
async fn ten_seconds_of_a_locked_database_delay_no_request_and_lose_no_record() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    // One call before: its session is written, and what follows only waits for the database.
    gw.chat("m").say("hi").send().await.assert_text("ok");
    let Some(lock) = Lock::take(&gw.database_path()) else { return };

    let began = Instant::now();
    let lanes = (0..4).map(|lane| {
        let gw = &gw;
        async move {
            let mut line = Line::new();
            let (mut ids, mut slowest) = (Vec::new(), Duration::ZERO);
            while began.elapsed() < Duration::from_secs(10) {
                let id = format!("locked-{lane}-{}", ids.len());
                let sent = Instant::now();
                let call = gw.chat("m").say("hi").header("x-request-id", &id).call();
                line.send(call).await.expect("an answer").assert_text("ok");
                slowest = slowest.max(sent.elapsed());
                ids.push(id);
                tokio::time::sleep(ms(20)).await;
            }
            (ids, slowest)
        }
    });
    let lanes = gateway_tests::all(lanes).await;
    drop(lock);

    let slowest = lanes.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default();
    assert!(slowest < Duration::from_secs(2), "a call waited {slowest:?} for the database");
    let mut line = Line::new();
    for id in lanes.iter().flat_map(|(ids, _)| ids) {
        until(&format!("{id} is recorded"), async || {
            let call = gw.admin().call(http::Method::GET, &format!("/api/exchanges/{id}"));
            (line.send(call).await.expect("an answer").status == 200).then_some(())
        })
        .await;
    }
    let storage = gw.admin().read("/api/status").await["storage"].clone();
    assert_eq!((&storage["dropped"], &storage["ok"]), (&json!(0), &json!(true)), "{storage}");
}

#[tokio::test]
async fn an_admin_write_to_a_locked_database_is_refused_in_time_and_works_afterwards() {
    let up = Upstream::answering(|_| chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let Some(lock) = Lock::take(&gw.database_path()) else { return };

    let user = json!({"name": "late", "api_key": "sk-canaryuser-late-00001"});
    let refused = gw.admin().post("/api/users", &user).await;
    refused.assert_error(503, "storage_busy");
    assert!(!refused.header("retry-after").is_empty());
    gw.chat("m").say("hi").send().await.assert_text("ok");

    drop(lock);
    gw.admin().create("/api/users", &user).await;
    gw.chat("m").say("hi").key("sk-canaryuser-late-00001").send().await.assert_text("ok");
}

#[tokio::test]
async fn a_corrupt_database_is_refused_at_start_and_left_as_it_is() {
    let Some((code, output, kept)) =
        start_over(b"this is no database at all, whatever its name says. ".repeat(100)).await
    else {
        return;
    };
    assert_ne!(code, 0);
    assert!(output.contains("gateway.db"), "{output}");
    assert!(kept, "the file was changed");
}

/// Starts the binary over this file as its database: exit code, output, and whether the file is as it was.
async fn start_over(database: Vec<u8>) -> Option<(i32, String, bool)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    std::fs::write(&path, &database).expect("a file");
    let config = folder.path().join("gateway.toml");
    let text = format!("[server]\nhost=\"127.0.0.1\"\nport=0\n[database]\npath={path:?}\n");
    std::fs::write(&config, text).expect("a file");
    let arguments = ["--config".to_owned(), config.display().to_string()];
    let (code, output) = gateway_tests::GatewayProcess::run(
        &arguments,
        &std::collections::BTreeMap::new(),
        folder.path().to_owned(),
    )
    .await?;
    let kept = std::fs::read(&path).expect("the file is there") == database;
    Some((code, output, kept))
}
