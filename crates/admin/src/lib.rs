//! The admin API and the web pages: they show and change the gateway.
//!
//! The only crate that knows the admin JSON. [`Admin::handle`] is one function, read from top to bottom: host, route,
//! gate, method, origin, body, handler, answer. What can be called stands on one page, `surface.rs`; how each field
//! looks stands in one schema beside its resource, from which bodies are checked and `GET /api/openapi.json` is
//! printed; every refusal gets its HTTP status in `error.rs`.
//!
//! **Invariants:** no answer, error or log line holds a channel key or a user key, except the one answer in which a
//! user key is made. What a write changed is in force before its answer is sent. No input makes a handler panic.
//!
//! **Must never know:** the proxy, the OpenAI wire format, SQL, sockets.

mod admin;
mod auth;
mod body;
mod channels;
mod clock;
mod config;
mod dependents;
mod door;
mod error;
mod events;
mod exchanges;
mod explain;
mod feed;
mod form;
mod health;
mod history;
mod keys;
mod mappings;
mod models;
mod names;
mod news;
mod openapi;
mod origin;
mod page;
mod pulse;
mod query;
mod route;
mod routing;
mod schema;
mod scrub;
mod sessions;
mod status;
mod surface;
mod traffic;
mod trial;
mod tuning;
mod ui;
mod upstream;
mod users;
mod wire;

pub use admin::{Admin, Caller, Parts, Trial};
pub use auth::token_digest;
pub use body::Body;
pub use news::News;
pub use traffic::{Traffic, UnderWay};

#[cfg(test)]
mod tests;
