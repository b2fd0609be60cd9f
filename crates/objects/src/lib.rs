//! Remembers which channel made an object and whose it is.
//!
//! Files, responses, batches and their like live at one upstream account: a call that names one can be served there
//! only, and only the user that made it may name it. A [`Record`] says both of one id. [`Objects::note`] takes it down
//! when an answer has made the object, [`Objects::of`] finds it when a call names it.
//!
//! Memory is bounded and holds what was made or named last; storage has all of it, and follows by
//! [`Objects::take_changes`]. An id that is not found here may therefore still be known there.
//!
//! **Must never know:** async, I/O, clocks, HTTP, SQL, and what kinds of objects there are. Time is an argument.

mod change;
mod places;
mod shard;
mod table;

pub use change::Change;
pub use table::{DEFAULT_MAX_OBJECTS, Objects, Record};
