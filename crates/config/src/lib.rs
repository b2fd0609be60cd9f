//! Turns a file and an environment into validated settings, puts them together with the inventory into an immutable
//! [`Snapshot`], and holds the live one.
//!
//! Every key is written down once, in `keys.rs` (those of the lists in `entry_keys.rs`): its name, type, bounds, meaning and place in [`Settings`]. The
//! walk over the file, the environment overlay, the origins, the reference and the example file all read that one
//! table, so none of them can forget a key. Problems are collected, never returned at the first one.
//!
//! **Must never know:** sockets, SQL, the proxy; clocks; the process environment (an [`Environment`] is a value that
//! is handed in). It reads files: the configuration, and what `file:` secrets name.

mod change;
mod check;
mod declare;
mod duration;
mod entry;
mod entry_keys;
mod environment;
mod example;
mod field;
mod file;
mod findings;
mod keys;
mod live;
mod load;
mod lower;
mod objects;
mod origin;
mod original;
mod problem;
mod publish;
mod raw;
mod reference;
mod refused;
#[cfg(test)]
mod scratch;
mod secret;
mod settings;
mod size;
mod snapshot;
mod suggest;
mod times;
mod unknown_paths;

pub use change::{SettingChange, changed_settings, restart_needed};
pub use duration::{text_of_time, time_of_text};
pub use example::example;
pub use live::Live;
pub use load::{Environment, Loaded, Source, load, load_text};
pub use objects::{Isolation, ObjectSettings, UnknownIds};
pub use origin::{Origin, Origins};
pub use problem::{Problem, Problems};
pub use publish::{Cause, PublishError, PublishRequest, Published, Publisher, ReloadStatus};
pub use reference::{KeyReference, Reload, reference};
pub use settings::{
    AdminAuth, AdminSettings, DatabaseSettings, HealthCheckSettings, LogFormat, LogSettings, MetricsSettings,
    ProxySettings, RecordSettings, ServerSettings, SessionSettings, Settings, TlsSettings,
};
pub use snapshot::Snapshot;
pub use times::{ChannelTimes, Misfit};
pub use unknown_paths::UnknownPaths;

pub use gateway_domain::Policy;
