//! The whole gateway against scripted upstreams. One binary, so that there is one thing to link.
#![cfg(test)]

mod admin;
mod admin_gate;
mod bad_input;
mod crash;
mod demo;
mod dns;
mod explain;
mod explained;
mod faults;
mod fidelity;
mod framing;
mod headers;
mod health;
mod hedging;
mod late_heads;
mod manners;
mod metrics;
mod models;
mod objects;
mod readme;
mod reference;
mod reload;
mod retries;
mod review;
mod routing;
mod secrets;
mod session_keys;
mod sessions;
mod shutdown;
mod storage_down;
mod streaming;
mod surface;
mod the_harness;
mod tls;
mod uploads;
