//! The harness: a whole gateway between scripted upstreams and a client, all on ports that the system chose.
//!
//! A test reads as a story in three lines: upstreams with a script, a gateway that serves a model from them, a
//! call. What goes wrong off stage (a script not played to its end, a request beyond it, a user key that reached an
//! upstream, a panic in the server, a call that was never counted out, a record that was lost) fails the test when
//! the actor concerned is dropped.
//!
//! **Must never know:** private items of the product. Everything goes through `App::build`, the binary, sockets
//! and files.
#![expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness speaks by panicking: that is how a test fails"
)]

mod admin;
mod answer;
mod chance;
mod client;
mod cut_stream;
mod eventually;
mod fate;
mod figures;
mod gateway;
mod h2_front;
mod inspect;
mod line;
mod meant;
mod name_server;
mod pace;
mod process;
mod python;
mod raw;
mod script;
mod settings;
mod size;
mod socket;
mod sse;
mod tls_front;
mod upstream;
mod wire;

pub use admin::{Admin, Tried};
pub use answer::{Answer, ErrorObject, events};
pub use chance::Chance;
pub use client::{Call, Chat, NoAnswer, Opened};
pub use cut_stream::{CutStream, Spot};
pub use eventually::{all, eventually, in_good_time, patience, soon, until};
pub use fate::Fate;
pub use figures::Durations;
pub use gateway::Gateway;
pub use h2_front::H2Front;
pub use inspect::Metrics;
pub use line::Line;
pub use meant::{Dialect, Meant};
pub use name_server::NameServer;
pub use pace::Pace;
pub use process::GatewayProcess;
pub use python::python;
pub use raw::{Raw, RawAnswer};
pub use script::{
    Gate, Reply, body, chat, chat_as, close, flood, hang, html, json_body, ms, raw, redirect, reset, sse,
    status, switch,
};
pub use settings::{GatewayBuilder, in_order, user_keys, weighted};
pub use size::{Campaign, Size};
pub use socket::{Frame, FrameReader, FrameWriter, Socket};
pub use sse::Sse;
pub use tls_front::{Authority, Flaw, TlsFront};
pub use upstream::{Departure, Received, Upstream, UpstreamBuilder};

/// Part of every user key that a test makes. Nothing that leaves the gateway may hold it, the first answer to
/// whoever made the key excepted.
pub const USER_KEY_MARK: &str = "canaryuser";

/// Part of every channel key that a test makes. Nothing but the upstream itself may see it.
pub const CHANNEL_KEY_MARK: &str = "canarychannel";

/// The key of the user that every gateway under test has.
pub const USER_KEY: &str = "sk-canaryuser-5d1e8f02b7";

/// The admin token of every gateway under test.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests-93c1";
