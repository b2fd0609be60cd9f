//! The whole gateway, inside the test process.

use std::borrow::Borrow;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gateway_config::Source;
use gateway_server::{App, Options, Stopper};
use http::Method;

use crate::admin::Admin;
use crate::client::{Call, Chat};
use crate::eventually::patience;
use crate::inspect::Metrics;
use crate::settings::{Declared, GatewayBuilder, Home, put};
use crate::upstream::Upstream;
use crate::{ADMIN_TOKEN, USER_KEY};

/// A gateway that serves. Its drop stops it, and fails the test when the server panicked, when a call was not
/// counted out, or when a record was dropped.
#[derive(Debug)]
pub struct Gateway {
    running: Option<Running>,
    home: Home,
}

#[derive(Debug)]
struct Running {
    public: SocketAddr,
    admin: SocketAddr,
    metrics: SocketAddr,
    stopper: Stopper,
    thread: JoinHandle<anyhow::Result<()>>,
}

// === impl Gateway ===

impl Gateway {
    /// A gateway that serves one model from upstreams of equal weight.
    pub fn serving(model: &str, upstreams: impl IntoIterator<Item: Borrow<Upstream>>) -> GatewayBuilder {
        Self::serving_weighted(model, crate::weighted(upstreams.into_iter().map(|upstream| (upstream, 10))))
    }

    /// A gateway that serves one model from these channels: see [`crate::in_order`] and [`crate::weighted`].
    pub fn serving_weighted(model: &str, channels: Vec<Declared>) -> GatewayBuilder {
        GatewayBuilder::bare().model(model, channels)
    }

    /// A gateway with a user and nothing to serve.
    pub fn empty() -> GatewayBuilder {
        GatewayBuilder::bare()
    }

    pub(crate) async fn start_at(home: Home) -> Self {
        let running = Running::begin(&home).await;
        Self { running: Some(running), home }
    }

    /// Stops it gracefully and starts it again over the same folder.
    pub async fn restart(&mut self) {
        self.stop();
        self.running = Some(Running::begin(&self.home).await);
    }

    /// Stops it gracefully, with all the checks of a drop.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.check();
            running.end();
        }
    }

    /// The address of the data plane.
    pub fn address(&self) -> SocketAddr {
        self.running().public
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.home.config()
    }

    /// The database file.
    pub fn database_path(&self) -> PathBuf {
        self.home.database()
    }

    /// Begins a graceful stop without waiting for its end.
    pub fn begin_stop(&self) {
        self.running().stopper.stop();
    }

    /// A chat completion for this model, with the user's key.
    pub fn chat(&self, model: &str) -> Chat {
        Chat::new(self.call(Method::POST, "/v1/chat/completions"), model)
    }

    /// Any call to the data plane, with the user's key.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.address(), method, path).key(USER_KEY)
    }

    /// A POST of exactly these bytes as JSON, with the user's key.
    pub fn post(&self, path: &str, body: impl Into<bytes::Bytes>) -> Call {
        self.call(Method::POST, path).header("content-type", "application/json").body(body)
    }

    /// A GET with the user's key.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// The admin API, with the admin token.
    pub fn admin(&self) -> Admin {
        Admin::new(self.running().admin, Some(ADMIN_TOKEN))
    }

    /// A reading of the metrics.
    pub async fn metrics(&self) -> Metrics {
        let answer = Call::new(self.running().metrics, Method::GET, "/metrics").send().await;
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        Metrics::parse(&answer.body_text())
    }

    /// Changes keys of the configuration file by their dotted names and writes it in place of the old one.
    pub fn rewrite_config(&self, change: impl FnOnce(&mut toml::Table)) {
        let mut table: toml::Table = self.config_text().parse().expect("the configuration is TOML");
        change(&mut table);
        self.write_config(&table.to_string());
    }

    /// Sets one key of the configuration file.
    pub fn set(&self, key: &str, value: impl Into<toml::Value>) {
        self.rewrite_config(|table| put(table, key, value.into()));
    }

    /// Writes the configuration file, whole at once, as editors and deployments do.
    pub fn write_config(&self, text: &str) {
        let fresh = self.config_path().with_extension("toml.new");
        std::fs::write(&fresh, text).expect("the configuration can be written");
        std::fs::rename(&fresh, self.config_path()).expect("the configuration can be replaced");
    }

    /// Writes the configuration file as a kubelet does: see [`GatewayBuilder::mounted`].
    pub fn swap_mount(&self, text: &str) {
        self.home.swap_mount(text);
    }

    /// The text of the configuration file.
    pub fn config_text(&self) -> String {
        std::fs::read_to_string(self.config_path()).expect("the configuration can be read")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the gateway runs")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        if std::thread::panicking() {
            running.stopper.abort();
            return;
        }
        running.check();
        running.end();
    }
}

// === impl Running ===

impl Running {
    async fn begin(home: &Home) -> Self {
        let source = Source { path: Some(home.config()), directory: home.path().to_owned() };
        let options = Options { source, environment: home.environment.clone() };
        let (tell, told) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("gateway".to_owned()).spawn(move || {
            let app = match App::build(options) {
                Ok(app) => app,
                Err(why) => {
                    let _heard = tell.send(Err(format!("{why:#}")));
                    return Ok(());
                }
            };
            let _heard = tell.send(Ok((app.addresses(), app.stopper())));
            app.run()
        });
        let thread = thread.expect("a thread can be started");
        let started = told.await.expect("the gateway does not panic while it starts");
        let (addresses, stopper) = started.unwrap_or_else(|why| panic!("the gateway did not start: {why}"));
        Self {
            public: addresses.public,
            admin: addresses.admin.unwrap_or(addresses.public),
            metrics: addresses.metrics.or(addresses.admin).unwrap_or(addresses.public),
            stopper,
            thread,
        }
    }

    /// Nothing is left over: no call in flight, no record lost. Blocks, so that a drop can do it.
    fn check(&self) {
        if self.thread.is_finished() {
            return;
        }
        let end = Instant::now() + patience();
        loop {
            let Some(metrics) = self.scrape() else { return };
            let running = metrics.count("gateway_requests_in_flight", &[]);
            if running == 0 {
                let lost = metrics.count("gateway_records_dropped_total", &[]);
                assert!(lost == 0, "{lost} records were dropped");
                return;
            }
            assert!(Instant::now() < end, "{running} calls are still counted as in flight");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `/metrics` over a blocking socket; `None` when it is switched off or the gateway is on its way out.
    fn scrape(&self) -> Option<Metrics> {
        let mut socket = TcpStream::connect_timeout(&self.metrics, patience()).ok()?;
        socket.set_read_timeout(Some(patience())).ok()?;
        let host = self.metrics;
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).ok()?;
        let mut text = Vec::new();
        socket.read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        if !head.starts_with("HTTP/1.1 200") {
            return None;
        }
        let plain = !head.to_ascii_lowercase().contains("transfer-encoding");
        assert!(plain, "the harness reads metrics of announced length only: {head}");
        Some(Metrics::parse(body))
    }

    fn end(self) {
        self.stopper.stop();
        let end = Instant::now() + patience() + patience();
        while !self.thread.is_finished() {
            if Instant::now() > end {
                self.stopper.abort();
                panic!("the gateway did not stop within {:?}", patience() + patience());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let ended = self.thread.join().expect("the gateway does not panic");
        ended.unwrap_or_else(|why| panic!("the gateway ended with an error: {why:#}"));
    }
}
