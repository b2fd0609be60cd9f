//! Names the session of a call and remembers which channel served it last.
//!
//! A session is a memory, not a promise: *this user's calls for this model (or this conversation of theirs) were last
//! served by that channel*. Routing may follow it or not. Because there is exactly one session per
//! [`SessionKey`], and being served elsewhere merely overwrites the channel, no order of models, channels and
//! outages can leave a user without a way in.
//!
//! A call's key is made by [`SessionKey::named`] from what the client sent; [`Sessions::place_of`] says where its session
//! is, and [`Sessions::remember`] takes down where it was served.
//!
//! The table lives in memory and is the truth; storage is a copy of it that follows by [`Sessions::take_changes`].
//!
//! **Must never know:** async, I/O, clocks, HTTP, SQL. Time is an argument.

mod change;
mod key;
mod naming;
mod redraw;
mod shard;
mod table;

pub use change::Change;
pub use key::SessionKey;
pub use naming::{Naming, Source};
pub use table::{DEFAULT_MAX_SESSIONS, Place, Session, Sessions};
