//! The whole gateway against scripted upstreams. One binary, so that there is one thing to link.
#![cfg(test)]

mod bad_input;
mod clients_leave;
mod failover;
mod fidelity;
mod manners;
mod routing;
mod streaming;
mod the_harness;
