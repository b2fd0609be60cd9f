//! The composition root: sockets, tasks, signals, and the one publisher of snapshots.
//!
//! [`App::build`] opens and binds everything, [`App::run`] serves until it is stopped. Two apps in one process share
//! nothing but the process.
//!
//! **Must never know:** business rules. Which channel a call takes, what a key may do and how an error reads is said
//! by the crates below; this one only connects them to the outside.

mod app;

pub use app::{Addresses, App, Options, Stopper};
