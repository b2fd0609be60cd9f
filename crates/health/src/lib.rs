//! Probes channels, keeps each one's status and history, and tells which can serve.
//!
//! Two witnesses speak about a channel: probes, which ask it on a schedule, and traffic, which the proxy reports. Each
//! may take it out of rotation, and whatever took it out lets it return by itself: [`Status`] holds these rules as a
//! state machine without I/O. [`Board`] keeps one per channel and answers quickly, [`run_prober`] asks on schedule, and
//! [`HttpProbe`] is how one channel is asked.
//!
//! **Must never know:** routing, proxy, the configuration file. Verdicts leave as facts; what they mean for a call is
//! decided elsewhere.

mod board;
mod clean;
mod history;
mod http_probe;
mod own_fault;
mod probe;
mod prober;
mod rules;
mod stall;
mod status;

pub use board::Board;
pub use history::{Tick, Transition, Witness};
pub use http_probe::{HttpProbe, Lookup};
pub use own_fault::{is_out_of_files, out_of_files};
pub use probe::{Probe, ProbeReport};
pub use prober::{ProbePlanSet, run_prober, run_prober_with_clock};
pub use rules::{Fault, Observation, Rules, Scope};
pub use status::Status;
