//! Every key, once.

use std::time::Duration;

use crate::duration::Unit::{Minutes, Seconds};
use crate::field::{Field, Place, check_host, check_level};
use crate::{
    AdminAuth, Isolation, LogFormat, Policy, Reload, Settings, TlsSettings, UnknownIds, UnknownPaths,
};

/// One key of the configuration.
pub(crate) struct Key {
    /// Its dotted name.
    pub(crate) name: &'static str,
    /// What it takes and where that goes.
    pub(crate) field: Field,
    /// When a change is applied.
    pub(crate) reload: Reload,
    /// A value to show where there is no default, as it is written in TOML.
    pub(crate) example: &'static str,
    /// What it means, in one line.
    pub(crate) meaning: &'static str,
}

/// Variables that do not follow the rule: their name, and the key they stand for.
pub(crate) const ALIASES: [(&str, &str); 2] =
    [("GATEWAY_ADMIN_TOKEN", "admin.token"), ("GATEWAY_MASTER_KEY", "database.master_key")];

const NOTHING: Duration = Duration::ZERO;
const INSTANT: Duration = Duration::from_millis(1);
/// Probing faster would be an attack on the upstream.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

macro_rules! place {
    ($($part:ident).+) => {
        Place { get: |s| s.$($part).+.clone(), put: |s, value| s.$($part).+ = value }
    };
}

/// Any width of number; the field's bounds keep it within the narrower type.
macro_rules! number {
    ($($part:ident).+) => {
        Place {
            get: |s| s.$($part).+.try_into().unwrap_or(u64::MAX),
            put: |s, value| s.$($part).+ = value.try_into().unwrap_or(s.$($part).+),
        }
    };
}

macro_rules! word {
    ($kind:ident, $($part:ident).+) => {
        Field::Word(
            Place {
                get: |s| s.$($part).+.as_str(),
                put: |s, word| {
                    if let Some(value) = $kind::ALL.into_iter().find(|value| value.as_str() == word) {
                        s.$($part).+ = value;
                    }
                },
            },
            &$kind::WORDS,
        )
    };
}

const fn hot(name: &'static str, field: Field, meaning: &'static str) -> Key {
    Key { name, field, reload: Reload::Hot, example: "", meaning }
}

const fn cold(name: &'static str, field: Field, meaning: &'static str) -> Key {
    Key { name, field, reload: Reload::Restart, example: "", meaning }
}

/// All keys, grouped by section, in the order of the documentation.
pub(crate) static KEYS: &[Key] = &[
    cold("server.host", Field::Text(place!(server.host), check_host), "Address or name to listen on."),
    cold(
        "server.port",
        Field::Number(number!(server.port), 0, 65_535),
        "Port to listen on; 0 takes any free one.",
    ),
    cold(
        "server.workers",
        Field::Number(number!(server.workers), 0, 1_024),
        "Threads that carry calls; 0 is one per core.",
    ),
    hot(
        "server.read_timeout",
        Field::Duration(place!(server.read_timeout), Seconds, INSTANT),
        "Longest silence while a request body arrives.",
    ),
    hot(
        "server.write_timeout",
        Field::Duration(place!(server.write_timeout), Seconds, INSTANT),
        "Longest wait for a client that does not read its answer.",
    ),
    hot(
        "server.header_timeout",
        Field::Duration(place!(server.header_timeout), Seconds, INSTANT),
        "Longest time for a TLS handshake, a connection's first byte, and a request's headers, each.",
    ),
    hot(
        "server.body_timeout",
        Field::Duration(place!(server.body_timeout), Seconds, INSTANT),
        "Longest time for a whole request body.",
    ),
    hot(
        "server.keep_alive",
        Field::Duration(place!(server.keep_alive), Seconds, INSTANT),
        "How long an idle client connection is kept.",
    ),
    hot(
        "server.max_body_bytes",
        Field::Size(number!(server.max_body_bytes), 1 << 10, 1 << 30),
        "Largest request body; a larger one gets 413.",
    ),
    // hyper asserts that its read buffer is no smaller than 8 KiB.
    hot(
        "server.max_header_bytes",
        Field::Size(number!(server.max_header_bytes), 8 << 10, 1 << 20),
        "Largest request head; a larger one gets 431.",
    ),
    hot(
        "server.max_connections",
        Field::Number(number!(server.max_connections), 1, 10_000_000),
        "Most client connections at a time; beyond it calls get 503 at once.",
    ),
    hot(
        "server.max_calls",
        Field::Number(number!(server.max_calls), 1, 10_000_000),
        "Most calls under way at a time, streams and sockets included; beyond it calls get 503 at once.",
    ),
    hot(
        "server.max_body_memory",
        Field::Size(number!(server.max_body_memory), 1 << 20, 1 << 40),
        "Most memory for request bodies at a time; calls whose bodies find no room get 503 at once.",
    ),
    hot(
        "server.shutdown_grace",
        Field::Duration(place!(server.shutdown_grace), Seconds, NOTHING),
        "How long a stopping gateway lets running calls finish.",
    ),
    hot(
        "server.shutdown_delay",
        Field::Duration(place!(server.shutdown_delay), Seconds, NOTHING),
        "How long a stopping gateway says \"not ready\" but still accepts, before the grace begins.",
    ),
    Key {
        example: "\"tls/cert.pem\"",
        ..hot(
            "server.tls.cert",
            Field::File(Place {
                get: |s| {
                    s.server
                        .tls
                        .as_ref()
                        .map(|tls| tls.cert.clone())
                        .filter(|path| !path.as_os_str().is_empty())
                },
                put: |s, path| tls(s).cert = path.unwrap_or_default(),
            }),
            "Certificate chain, PEM; with it the public listener speaks TLS. Switching TLS on or off needs a restart.",
        )
    },
    Key {
        example: "\"tls/key.pem\"",
        ..hot(
            "server.tls.key",
            Field::File(Place {
                get: |s| {
                    s.server
                        .tls
                        .as_ref()
                        .map(|tls| tls.key.clone())
                        .filter(|path| !path.as_os_str().is_empty())
                },
                put: |s, path| tls(s).key = path.unwrap_or_default(),
            }),
            "Private key of the certificate, PEM.",
        )
    },
    cold(
        "database.path",
        Field::Path(place!(database.path)),
        "SQLite file; a relative path starts at the working directory.",
    ),
    hot(
        "database.keep_requests",
        Field::Number(place!(database.keep_requests), 0, 1_000_000_000),
        "How many finished calls are remembered; 0 remembers none.",
    ),
    Key {
        example: "\"env:GATEWAY_MASTER_KEY\"",
        ..cold(
            "database.master_key",
            Field::Secret(place!(master_key)),
            "Encrypts the channel keys in the database; without it a key file is made beside the database.",
        )
    },
    hot(
        "records.retention",
        Field::Duration(place!(records.retention), Seconds, NOTHING),
        "How long finished calls are remembered, within database.keep_requests; \"0s\": however old they are.",
    ),
    hot(
        "health_check.interval",
        Field::Duration(place!(health_check.interval), Seconds, SHORTEST_PERIOD),
        "From one probe of a channel to the next.",
    ),
    hot(
        "health_check.timeout",
        Field::Duration(place!(health_check.timeout), Seconds, INSTANT),
        "Longest wait for a probe's answer.",
    ),
    hot(
        "health_check.unhealthy_after",
        Field::Number(number!(health_check.unhealthy_after), 1, 1_000),
        "Failures in a row that take a channel out of rotation.",
    ),
    hot(
        "health_check.healthy_after",
        Field::Number(number!(health_check.healthy_after), 1, 1_000),
        "Successes in a row that bring it back.",
    ),
    hot(
        "session.idle_timeout",
        Field::Duration(place!(session.idle_timeout), Minutes, INSTANT),
        "How long a silent user keeps its channel.",
    ),
    hot("metrics.enabled", Field::Flag(place!(metrics.enabled)), "Whether GET /metrics answers."),
    Key {
        example: "9090",
        ..cold(
            "metrics.port",
            Field::OptionalPort(place!(metrics.port)),
            "Port of its own for /metrics; without it the admin listener serves it.",
        )
    },
    cold(
        "admin.auth",
        word!(AdminAuth, admin.auth),
        "Whether the admin API asks for a token; \"none\" only on loopback.",
    ),
    Key {
        example: "\"env:GATEWAY_ADMIN_TOKEN\"",
        ..cold(
            "admin.token",
            Field::Secret(place!(admin.token)),
            "Token of the admin API, 16 characters or more; without it one is made at first start and printed once.",
        )
    },
    Key {
        example: "\"127.0.0.1:9000\"",
        ..cold(
            "admin.listen",
            Field::Address(place!(admin.listen)),
            "Address of its own for admin API, web pages and metrics; without it the public listener serves them.",
        )
    },
    hot(
        "admin.allowed_hosts",
        Field::Hosts(place!(admin.allowed_hosts)),
        "Host names under which the admin API answers; empty is any.",
    ),
    Key {
        example: "\"openai\"",
        ..hot(
            "proxy.default_channel",
            Field::OptionalText(place!(proxy.default_channel)),
            "Channel of calls that name no model; without it the only channel that serves any model.",
        )
    },
    Key {
        example: "\"openai\"",
        ..hot(
            "proxy.administration_channel",
            Field::OptionalText(place!(proxy.administration_channel)),
            "Channel of /v1/organization and /v1/projects, for whoever has a key for all models; without it they are \
             refused.",
        )
    },
    hot(
        "proxy.unknown_paths",
        word!(UnknownPaths, proxy.unknown_paths),
        "Whether paths below /v1 that the gateway does not know are refused or passed on.",
    ),
    hot(
        "proxy.public_models",
        Field::Flag(place!(proxy.public_models)),
        "Whether GET /v1/models answers without a key.",
    ),
    hot(
        "proxy.max_attempts",
        Field::Number(number!(proxy.max_attempts), 1, 20),
        "Most channels tried for one call.",
    ),
    hot(
        "proxy.connect_timeout",
        Field::Duration(place!(proxy.connect_timeout), Seconds, INSTANT),
        "Longest time for a connection to an upstream, TLS included.",
    ),
    hot(
        "proxy.first_byte_timeout",
        Field::Duration(place!(proxy.first_byte_timeout), Seconds, INSTANT),
        "Longest wait for the first byte of a streamed answer, per attempt.",
    ),
    hot(
        "proxy.stream_gap_timeout",
        Field::Duration(place!(proxy.stream_gap_timeout), Seconds, INSTANT),
        "Longest silence inside a streamed answer.",
    ),
    hot(
        "proxy.total_timeout",
        Field::Duration(place!(proxy.total_timeout), Seconds, INSTANT),
        "Longest time for a call that is not streamed, all attempts together.",
    ),
    hot(
        "proxy.stream_timeout",
        Field::Duration(place!(proxy.stream_timeout), Seconds, INSTANT),
        "Longest time for a whole streamed answer.",
    ),
    hot(
        "proxy.pool_idle_timeout",
        Field::Duration(place!(proxy.pool_idle_timeout), Seconds, INSTANT),
        "How long an idle upstream connection is kept.",
    ),
    hot("proxy.policy", word!(Policy, proxy.policy), "How a channel is chosen among those that can serve."),
    hot(
        "proxy.slack_percent",
        Field::Number(number!(proxy.slack_percent), 100, 10_000),
        "How slow a channel may be before it loses traffic, in percent of the others' latency: 120 is fast first, \
         300 weights first.",
    ),
    hot("proxy.sticky", Field::Flag(place!(proxy.sticky)), "Whether a session stays with its channel."),
    hot(
        "proxy.cut",
        Field::Flag(place!(proxy.cut)),
        "Whether a slow first token is given up when another channel is much faster.",
    ),
    hot(
        "proxy.session_header",
        Field::Header(place!(proxy.session_header)),
        "Request header that names a session; \"\" is none.",
    ),
    hot(
        "proxy.commit_after",
        Field::Duration(place!(proxy.commit_after), Seconds, NOTHING),
        "How long a stream's status waits for its first token, so that a failure can go elsewhere; 0: until it comes.",
    ),
    hot(
        "proxy.keep_alive_comment",
        Field::Duration(place!(proxy.keep_alive_comment), Seconds, NOTHING),
        "Silence in a stream after which the client gets a comment; 0 sends none.",
    ),
    hot(
        "proxy.socket_idle_timeout",
        Field::Duration(place!(proxy.socket_idle_timeout), Seconds, INSTANT),
        "Longest silence of a WebSocket in both directions, pings included; then it is closed.",
    ),
    hot(
        "proxy.max_event_bytes",
        Field::Size(number!(proxy.max_event_bytes), 16 << 10, 64 << 20),
        "Largest event of a streamed answer; a larger one breaks it off.",
    ),
    hot(
        "proxy.max_upload_bytes",
        Field::Size(number!(proxy.max_upload_bytes), 1 << 10, 1 << 40),
        "Largest form with files, and largest body that is passed on unread; a larger one gets 413.",
    ),
    hot(
        "proxy.spool_above",
        Field::Size(number!(proxy.spool_above), 4 << 10, 64 << 20),
        "Size from which such a body waits in a file without a name in the temporary folder instead of memory.",
    ),
    hot(
        "proxy.retry_percent",
        Field::Number(number!(proxy.retry_percent), 0, 100),
        "Further attempts allowed per hundred calls, beside those of retry_floor.",
    ),
    hot(
        "proxy.retry_floor",
        Field::Number(number!(proxy.retry_floor), 0, 1_000_000),
        "Further attempts per second that are always allowed.",
    ),
    hot(
        "proxy.retry_executed",
        Field::Flag(place!(proxy.retry_executed)),
        "Whether a call goes elsewhere although the first channel may have carried it out.",
    ),
    hot(
        "proxy.rewrite_response_model",
        Field::Flag(place!(proxy.rewrite_response_model)),
        "Whether answers name the model as the client did, instead of as the upstream calls it.",
    ),
    hot(
        "proxy.force_include_usage",
        Field::Flag(place!(proxy.force_include_usage)),
        "Whether every streamed chat is made to tell its usage, hidden again from clients that did not ask.",
    ),
    cold(
        "proxy.dns_servers",
        Field::Addresses(place!(proxy.dns_servers)),
        "Name servers for the hosts of channels, such as \"1.1.1.1:53\"; empty: the system's.",
    ),
    hot(
        "objects.unknown_ids",
        word!(UnknownIds, objects.unknown_ids),
        "What becomes of calls that name a file, response or other object of which nothing is recorded.",
    ),
    hot(
        "objects.isolation",
        word!(Isolation, objects.isolation),
        "Whether users may use their own objects only.",
    ),
    hot(
        "objects.keep_responses",
        Field::Duration(place!(objects.keep_responses), Seconds, NOTHING),
        "How long the channel of a stored response is remembered; \"0s\": until the response is deleted. Other objects are always.",
    ),
    cold(
        "log.format",
        word!(LogFormat, log.format),
        "How a log line looks; auto is pretty on a terminal and JSON elsewhere.",
    ),
    hot(
        "log.level",
        Field::Text(place!(log.level), check_level),
        "What is logged: a level, or directives such as \"info,gateway_proxy=debug\".",
    ),
];

// === impl Key ===

impl Key {
    /// The key of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The section it stands in (`server.tls`), and its name there (`cert`).
    pub(crate) fn parts(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }

    /// Its environment variable: `GATEWAY_SERVER__TLS__CERT`.
    pub(crate) fn variable(&self) -> String {
        format!("GATEWAY_{}", self.name.to_ascii_uppercase().replace('.', "__"))
    }
}

fn tls(settings: &mut Settings) -> &mut TlsSettings {
    settings.server.tls.get_or_insert_default()
}
