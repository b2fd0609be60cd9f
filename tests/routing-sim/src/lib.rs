//! A discrete-event simulator for choosing upstream channels: eighteen scenarios, the rules of other gateways, and
//! ours — the crate [`gateway_routing`] as it ships.
//!
//! **Must never know:** clocks, sockets, threads, and what is inside the routing crate. A run is a function of its
//! scenario, policy and seed.
//!
//! # The model
//!
//! [`workload`] writes what the callers send, [`upstream`] answers it, [`sim`] is the course of events between them,
//! and a [`router::Router`] chooses the channels: [`ours`], or one of the [`peers`]. [`scenario`] says what there is
//! and what goes wrong, [`policies`] what is compared, [`figures`] what is measured, [`goals`] what is demanded.
//!
//! All policies meet the same requests and the same luck. Everything random follows from the seed, so two figures can
//! be compared to the last digit, also with those of an earlier day: whoever changes the model changes all figures
//! ever published, and has to make them anew.
//!
//! # What it leaves out
//!
//! Streams do not break in the middle, answers always stream, and nobody pays attention to price. The channels are
//! synthetic. Figures tell which of two rules is better and why, not how a provider will do tomorrow.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts and hashes become ratios here; no count comes near 2^53, and of hashes 53 bits are taken"
)]

pub mod chance;
pub mod experiment;
pub mod figures;
pub mod goals;
mod numbered;
pub mod ours;
pub mod peers;
pub mod policies;
pub mod router;
pub mod scenario;
pub mod sim;
pub mod tables;
pub mod upstream;
pub mod workload;

pub use numbered::Numbered;
