//! The composition root: sockets, tasks, signals, and the one publisher of snapshots.
//!
//! [`App::build`] opens and binds everything, [`App::run`] serves until it is stopped. Two apps in one process share
//! nothing but the process.
//!
//! The data plane runs on one thread per core, each with a runtime, a listener and upstream connections of its own
//! (`serve`, `dispatch`). Everything that may block lives on the control runtime: the admin API, the publisher
//! (`publisher`), the prober, the watch on the configuration file, the session table's copy in the database.
//!
//! **Must never know:** business rules. Which channel a call takes, what a key may do and how an error of theirs
//! reads is said by the crates below; this one only connects them to the outside.

mod app;
mod body;
pub mod cli;
mod clock;
mod demo;
mod dispatch;
mod drain;
mod first_start;
mod follow;
mod gate;
mod housekeeping;
mod journal_sink;
mod life;
mod objects;
mod panic;
mod publisher;
mod readiness;
mod reply;
mod run;
mod serve;
mod signals;
mod tasks;
mod telemetry;
mod tls;
mod watch;

pub use app::{Addresses, App, Options, Stopper};
pub use first_start::{FirstChannel, FirstStart};
pub use telemetry::{LogControl, Logging};
