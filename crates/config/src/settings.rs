use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gateway_domain::{Policy, Secret};

use crate::{ObjectSettings, UnknownPaths};

/// Everything that can be set, with every value checked.
///
/// Which of these a reload applies at once and which need a restart is said by [`crate::reference`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `[server]`: the public listener.
    pub server: ServerSettings,
    /// `[database]`: what survives a restart.
    pub database: DatabaseSettings,
    /// `[records]`: how long the story of a call is kept.
    pub records: RecordSettings,
    /// `[health_check]`: how channels are asked whether they are well.
    pub health_check: HealthCheckSettings,
    /// `[session]`: how long a user stays with a channel.
    pub session: SessionSettings,
    /// `[metrics]`: what Prometheus reads.
    pub metrics: MetricsSettings,
    /// `[admin]`: who may change the gateway, and where.
    pub admin: AdminSettings,
    /// `[proxy]`: how calls are carried.
    pub proxy: ProxySettings,
    /// `[objects]`: who may use what was made at an upstream, and what becomes of unknown ids.
    pub objects: ObjectSettings,
    /// `[log]`: what is written to standard error.
    pub log: LogSettings,
    /// `database.master_key`: encrypts the channel keys in the database. `None`: a key file beside the database.
    pub master_key: Option<Secret<String>>,
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address or name to listen on, without brackets.
    pub host: String,
    /// The port to listen on; 0 takes any free one.
    pub port: u16,
    /// Threads that carry calls; 0 is one per core.
    pub workers: usize,
    /// The longest silence while a request body arrives.
    pub read_timeout: Duration,
    /// The longest wait for a client that does not read its answer.
    pub write_timeout: Duration,
    /// The longest time for a TLS handshake, for a connection's first byte, and for a request's headers, each.
    pub header_timeout: Duration,
    /// The longest time for a whole request body.
    pub body_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// The largest request head, in bytes.
    pub max_header_bytes: usize,
    /// The most client connections at a time.
    pub max_connections: usize,
    /// The most calls under way at a time.
    pub max_calls: usize,
    /// The most bytes of request bodies that are kept in memory at a time.
    pub max_body_memory: usize,
    /// How long a stopping gateway lets running calls finish.
    pub shutdown_grace: Duration,
    /// How long a stopping gateway says "not ready" but still accepts, before the grace begins.
    pub shutdown_delay: Duration,
    /// Certificate and key; `None` is plain HTTP.
    pub tls: Option<TlsSettings>,
}

/// `[server.tls]`. Both files existed when the settings were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate chain, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// `[database]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The SQLite file; a relative path starts at the working directory.
    pub path: PathBuf,
    /// How many finished calls are remembered; older ones go. 0 remembers none.
    pub keep_requests: u64,
}

/// `[records]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSettings {
    /// How long finished calls are remembered, within `database.keep_requests`; zero: however old they are.
    pub retention: Duration,
}

/// `[health_check]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheckSettings {
    /// From one probe of a channel to the next.
    pub interval: Duration,
    /// The longest wait for a probe's answer; not longer than the interval.
    pub timeout: Duration,
    /// Failures in a row that take a channel out of rotation.
    pub unhealthy_after: u32,
    /// Successes in a row that bring it back.
    pub healthy_after: u32,
}

/// `[session]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long a user who is silent keeps its channel. A plain number in the file is minutes.
    pub idle_timeout: Duration,
}

/// `[metrics]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Whether `GET /metrics` answers.
    pub enabled: bool,
    /// A listener of its own for `/metrics`, on the admin listener's host; `None`: the admin listener.
    pub port: Option<u16>,
}

/// `[admin]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// Whether the admin API asks for a token.
    pub auth: AdminAuth,
    /// The token; `None`: one is made at first start and printed once.
    pub token: Option<Secret<String>>,
    /// An address of its own for admin API, web pages and metrics; `None`: the public listener.
    pub listen: Option<SocketAddr>,
    /// The `Host` names under which the admin API answers; empty is any.
    pub allowed_hosts: Vec<String>,
}

/// How the admin API knows its callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminAuth {
    /// By `Authorization: Bearer <token>` or the session of the web pages.
    #[default]
    Token,
    /// Not at all; only ever accepted on loopback.
    None,
}

/// `[proxy]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own, set and reloaded by itself")]
pub struct ProxySettings {
    /// The channel of calls that name no model; `None`: the only channel that serves any model.
    pub default_channel: Option<String>,
    /// The channel that carries the administration of OpenAI organizations; `None`: it is refused.
    pub administration_channel: Option<String>,
    /// What becomes of paths below `/v1` that the gateway does not know.
    pub unknown_paths: UnknownPaths,
    /// Whether `GET /v1/models` answers without a key.
    pub public_models: bool,
    /// The most channels tried for one call.
    pub max_attempts: u8,
    /// The longest time for a connection to an upstream, TLS included.
    pub connect_timeout: Duration,
    /// The longest wait for the first byte of a streamed answer, per attempt.
    pub first_byte_timeout: Duration,
    /// The longest silence inside a streamed answer.
    pub stream_gap_timeout: Duration,
    /// The longest time for a call that is not streamed, all attempts together.
    pub total_timeout: Duration,
    /// The longest time for a whole streamed answer.
    pub stream_timeout: Duration,
    /// How long an idle upstream connection is kept.
    pub pool_idle_timeout: Duration,
    /// How a channel is chosen.
    pub policy: Policy,
    /// How slow a channel may be before it loses traffic, in percent of the fleet's latency: 120 is fast first, 300
    /// weights first.
    pub slack_percent: u32,
    /// Whether a session stays with its channel.
    pub sticky: bool,
    /// Whether a slow first token is given up when another channel is much faster.
    pub cut: bool,
    /// The request header that names a session, in lower case; empty is none.
    pub session_header: String,
    /// How long a streamed answer may keep the client's status waiting, so that a failure can still be repaired
    /// elsewhere; zero is for as long as it takes.
    pub commit_after: Duration,
    /// How long a streamed answer may be silent before the client gets a comment; zero sends none.
    pub keep_alive_comment: Duration,
    /// How long a WebSocket may be silent in both directions before it is closed.
    pub socket_idle_timeout: Duration,
    /// The largest event of a streamed answer, in bytes.
    pub max_event_bytes: usize,
    /// The largest form with files, and the largest body that is passed on unread, in bytes. JSON has
    /// [`ServerSettings::max_body_bytes`].
    pub max_upload_bytes: u64,
    /// From how many bytes on such a body is kept in a temporary file instead of memory.
    pub spool_above: usize,
    /// How many further attempts there may be to a hundred calls, beside those of [`ProxySettings::retry_floor`].
    pub retry_percent: u32,
    /// Further attempts that are always allowed, per second.
    pub retry_floor: u32,
    /// Whether a call is tried again elsewhere although the first channel may have carried it out.
    pub retry_executed: bool,
    /// Whether answers name the model as the client did, instead of as the upstream calls it.
    pub rewrite_response_model: bool,
    /// Whether every streamed chat and completion is made to tell its usage, which is hidden again from clients that
    /// did not ask for it.
    pub force_include_usage: bool,
    /// Name servers for the upstreams' hosts; empty: the system's.
    pub dns_servers: Vec<SocketAddr>,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// What is written: `info`, or filter directives such as `info,gateway_proxy=debug`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

// === impl Settings ===

impl Settings {
    /// Whether the admin API can be reached from this machine only.
    pub fn admin_on_loopback(&self) -> bool {
        match self.admin.listen {
            Some(address) => address.ip().to_canonical().is_loopback(),
            None => self.server.on_loopback(),
        }
    }
}

// === impl ServerSettings ===

impl ServerSettings {
    /// Whether the public listener can be reached from this machine only.
    pub fn on_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 8080,
            workers: 0,
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_mins(2),
            keep_alive: Duration::from_secs(75),
            max_body_bytes: 32 << 20,
            max_header_bytes: 64 << 10,
            max_connections: 10_000,
            max_calls: 10_000,
            max_body_memory: 1 << 30,
            shutdown_grace: Duration::from_mins(2),
            shutdown_delay: Duration::ZERO,
            tls: None,
        }
    }
}

// === impl DatabaseSettings ===

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self { path: PathBuf::from("./gateway.db"), keep_requests: 100_000 }
    }
}

// === impl RecordSettings ===

impl Default for RecordSettings {
    fn default() -> Self {
        Self { retention: Duration::from_hours(24 * 30) }
    }
}

// === impl HealthCheckSettings ===

impl Default for HealthCheckSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            unhealthy_after: 3,
            healthy_after: 1,
        }
    }
}

// === impl SessionSettings ===

impl Default for SessionSettings {
    fn default() -> Self {
        Self { idle_timeout: Duration::from_mins(30) }
    }
}

// === impl MetricsSettings ===

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { enabled: true, port: None }
    }
}

// === impl AdminAuth ===

impl AdminAuth {
    /// Every way, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Token, Self::None];

    /// Their words, in the same order.
    pub(crate) const WORDS: [&str; 2] = [Self::Token.as_str(), Self::None.as_str()];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::None => "none",
        }
    }
}

// === impl ProxySettings ===

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            default_channel: None,
            administration_channel: None,
            unknown_paths: UnknownPaths::Refuse,
            public_models: false,
            max_attempts: 3,
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_mins(1),
            stream_gap_timeout: Duration::from_mins(2),
            total_timeout: Duration::from_mins(10),
            stream_timeout: Duration::from_mins(30),
            pool_idle_timeout: Duration::from_secs(30),
            policy: Policy::Adaptive,
            slack_percent: 150,
            sticky: true,
            cut: true,
            session_header: "x-session-id".to_owned(),
            commit_after: Duration::from_secs(12),
            keep_alive_comment: Duration::from_secs(15),
            socket_idle_timeout: Duration::from_mins(10),
            max_event_bytes: 1 << 20,
            max_upload_bytes: 512 << 20,
            spool_above: 1 << 20,
            retry_percent: 20,
            retry_floor: 10,
            retry_executed: true,
            rewrite_response_model: false,
            force_include_usage: false,
            dns_servers: Vec::new(),
        }
    }
}

// === impl LogSettings ===

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".to_owned() }
    }
}

// === impl LogFormat ===

impl LogFormat {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Json, Self::Pretty];

    /// Their words, in the same order.
    pub(crate) const WORDS: [&str; 3] = [Self::Auto.as_str(), Self::Json.as_str(), Self::Pretty.as_str()];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Pretty => "pretty",
        }
    }
}
