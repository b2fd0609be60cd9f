//! The words of the gateway.
//!
//! This crate says what channel, model, user, health, usage and exchange *mean*, and nothing else. Every other
//! crate speaks in these words.
//!
//! **Must never know:** serde, HTTP, tokio, SQL, clocks. Domain types are not serialisable on purpose: a wire
//! format is a promise, and promises are made at the edges (`proxy`, `admin`, `config`, `storage`), by hand.

mod attempts;
mod base_url;
mod channel;
mod exchange;
mod health;
mod id;
mod inventory;
mod key;
mod maps;
mod model;
mod policy;
mod secret;
mod time;
mod usage;
mod user;
mod worded;

pub use attempts::Attempts;
pub use base_url::{BaseUrl, BaseUrlError};
pub use channel::{Channel, ChannelTuning, DEFAULT_WEIGHT, ManagedBy, ProbePlan};
pub use exchange::{Attempt, AttemptOutcome, Exchange, ExchangeOutcome};
pub use health::{HealthReport, HealthStatus, ModelTrouble};
pub use id::{ChannelId, KeyId, MappingId, ModelId, SessionId, UserId};
pub use inventory::{Declaration, Inventory, NewChannel, NewMapping, NewModel, NewUser};
pub use key::{KeyDigest, UserKey};
pub use maps::{ById, IdHasher, Known};
pub use model::{Hedge, HedgeAfter, Mapping, Model, ModelTuning};
pub use policy::Policy;
pub use secret::Secret;
pub use time::UnixMillis;
pub use usage::{Usage, UsageSource};
pub use user::User;
