//! Decides which upstream channel a request to a language model goes to, from what it was told of past attempts.
//!
//! **Must never know:** async, I/O, clocks, dice, configuration files. Time (`now`) and chance (`seed`) are
//! arguments of every call. Of the other crates it knows [`gateway_domain`], for [`ChannelId`].
//!
//! # What it is for
//!
//! A service has several upstream accounts ("channels") that serve the same model. They have weights, they get slow,
//! fail, refuse with 429, hang. Prompts of one conversation are cheapest where the conversation was before, because
//! the upstream has them in its cache. A [`Pool`] holds the channels of one model and answers one question, in a
//! fraction of a microsecond and without waiting: where should this attempt go?
//!
//! - **Sessions stay, shares follow weights.** Each session has an order of channels of its own (weighted rendezvous
//!   hashing), so replicas agree without talking, and a change of the configuration moves only the sessions it has to.
//! - **Health sheds sessions gradually.** Latency, errors and load make one number; each session has its own threshold
//!   for it. Nothing flaps, and who moves first is the same on every replica.
//! - **Silence is evidence.** Attempts that hang count while they hang; nobody waits for the first timeout.
//! - **Limits are learned.** How much a channel bears is found from its own queue, not from configuration.
//! - **Channels that fail are taken out and tried again** with few, careful trials, and come back by slow start.
//! - **Something is always tried.** When no channel is fit, the least unfit one is, and the decision says so.
//!
//! # How to embed it
//!
//! ```
//! use std::sync::Arc;
//!
//! use gateway_routing::{
//!     ChannelId, ChannelSet, ChannelSpec, Kind, Micros, Outcome, Params, Pool, PolicyKind, Request, SessionKey,
//!     stable_hash,
//! };
//!
//! // 1. Say what there is. Once, and again (with `update`) when it changes.
//! let channel = |id, name: &str, weight| ChannelSpec {
//!     id: ChannelId(id),
//!     key64: stable_hash(name.as_bytes()),
//!     account64: 0,
//!     weight,
//!     tier: 0,
//!     max_concurrency: None,
//!     requests_per_minute: None,
//!     tokens_per_minute: None,
//! };
//! let channels = [channel(1, "east", 3.0), channel(2, "west", 1.0)];
//! let pool = Arc::new(Pool::new(&channels, PolicyKind::Adaptive, Params::default())?);
//!
//! // 2. Ask where to send an attempt.
//! let tried = ChannelSet::new();
//! let request = Request {
//!     session: Some(SessionKey(stable_hash(b"conversation 17"))),
//!     pinned: None,
//!     streaming: true,
//!     prompt_tokens: 1200,
//!     attempt: 0,
//!     excluded: &tried,
//!     filter: None,
//! };
//! let now = Micros::from_millis(5_000); // from your clock
//! let seed = 0x5eed; // from your dice, a new one for each decision
//! let decision = pool.decide(&request, now, seed)?;
//! println!("to {} because {}", decision.channel, decision.reason.as_str());
//!
//! // 3. Tell what became of it. If you cannot, drop the ticket: the attempt was cancelled.
//! let mut ticket = decision.ticket;
//! ticket.first_token(Micros::from_millis(5_400));
//! ticket.finish(Outcome::of(Kind::Ok), Micros::from_millis(7_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/embed.rs` is a whole small service on a simulated clock, `examples/compare_policies.rs` drives every
//! [`PolicyKind`] over the same day.
//!
//! **After a failure,** put the channel into `excluded`, raise `attempt`, and decide again; how often, and whether a
//! request may be repeated at all, is your rule. [`NoRoute`] says why there is no channel: answer 429 with its
//! `retry_after` for [`NoRoute::AllLimited`], 503 otherwise.
//!
//! **When [`Decision::first_token_deadline`] has passed** and no token has come, ask [`Ticket::confirm_cut`]. On yes,
//! finish with [`Kind::Cut`] and decide again; on no, go on waiting up to your own limit.
//!
//! **When [`Decision::hedge_after`] has passed** without a token (or, of an answer that does not stream, without the
//! answer) a second attempt elsewhere is likely to be quicker: decide again, with the channel in `excluded` and a raised
//! `attempt`, and take whichever answers first. Finish the other with [`Kind::Cancelled`], which blames nobody. How many
//! requests may be doubled is your rule; a hundredth to a twentieth is plenty, because so many are late.
//!
//! **Budgets.** What an account is granted a minute goes into [`ChannelSpec::requests_per_minute`] and
//! [`ChannelSpec::tokens_per_minute`], and the channel is left alone before its upstream refuses. An estimate of the
//! prompt ([`Request::prompt_tokens`]) is taken with the decision; the counts of the [`Outcome`] take its place. Where
//! an answer's headers say that nothing is left, tell [`Ticket::exhausted`].
//!
//! **Who reports what.** A 4xx that is the caller's fault is [`Kind::CallerError`] and blames nobody; so does
//! [`Kind::Cancelled`]. 401, 402 and 403 are [`Kind::Credentials`], 429 is [`Kind::RateLimited`], a model that the
//! channel does not have is [`Kind::Unserved`]. An answer that does not stream needs no `first_token`: its end is taken for it.
//!
//! **Several pools** with channels in common, replaced while requests are under way: see [`Pools`]. A verdict on a
//! channel's health from elsewhere enters with [`Pools::set_admitted`].
//!
//! # Units
//!
//! Moments and lengths of time are [`Micros`]; moments count from an origin of your choice on one clock for all calls.
//! Weights are relative. Identifiers are yours; [`ChannelSpec::key64`] should come from something that survives
//! restarts, because it decides whose home a channel is.
//!
//! # Determinism
//!
//! The same specifications and the same calls with the same `now` and `seed`, one after the other, give the same
//! decisions, on every machine with IEEE 754 arithmetic and the same mathematical library. [`Pool::explain`] runs the
//! decision on a copy of the pool and tells everything that went into it.
//!
//! # Threads and cost
//!
//! A pool is shared by reference. Decisions take no lock that a report holds (they look elsewhere instead), and
//! neither decisions nor reports allocate. Reports lock the state of their own channel while they compute, and never
//! across a call out.
//!
//! # Where things are
//!
//! `decide.rs` is the whole decision; `health.rs`, `estimate.rs`, `limit.rs`, `breaker.rs` and `block.rs` are what is
//! learned, each with its reasons; `report.rs` is what teaches; `slot.rs` and `fleet.rs` are where it is kept.

#![forbid(unsafe_code)]

mod account;
mod atomic_f64;
mod block;
mod breaker;
mod budget;
mod channel_set;
mod decide;
mod decision;
mod estimate;
mod explain;
mod fade;
mod field;
mod fleet;
mod hash;
mod health;
mod lateness;
mod layout;
mod limit;
mod outcome;
mod params;
mod policies;
mod policy;
mod pool;
mod pools;
mod report;
#[cfg(all(test, shuttle))]
mod schedules;
mod share;
mod slot;
mod spec;
mod sync;
mod ticket;
mod time;
mod view;
mod waiting;
mod walk;

pub use channel_set::ChannelSet;
pub use decision::{Decision, NoRoute, Reason, Request};
pub use explain::{Candidate, Chosen, Explain, Limited, Verdict};
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
