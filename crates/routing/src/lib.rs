//! Decides which upstream channel a request to a language model goes to, from what it was told of past attempts.
//!
//! **Must never know:** async, I/O, clocks, dice, configuration files. Time (`now`) and chance (`seed`) are
//! arguments.

#![forbid(unsafe_code)]

mod account;
mod atomic_f64;
mod block;
mod breaker;
mod channel_set;
mod decide;
mod decision;
mod estimate;
mod explain;
mod field;
mod fleet;
mod hash;
mod health;
mod layout;
mod limit;
mod outcome;
mod params;
mod policies;
mod policy;
mod pool;
mod pools;
mod report;
mod slot;
mod spec;
mod ticket;
mod time;
mod view;
mod waiting;

pub use channel_set::ChannelSet;
pub use decision::{Decision, NoRoute, Reason, Request};
pub use explain::{Candidate, Chosen, Explain, Verdict};
pub use gateway_domain::ChannelId;
pub use hash::{SessionKey, stable_hash};
pub use outcome::{Kind, Outcome};
pub use params::Params;
pub use policy::{PolicyKind, UnknownPolicy};
pub use pool::Pool;
pub use pools::{PoolMap, Pools};
pub use spec::{BuildError, ChannelSpec, PoolSpec};
pub use ticket::Ticket;
pub use time::Micros;
pub use view::{Cause, ChannelView, State};
