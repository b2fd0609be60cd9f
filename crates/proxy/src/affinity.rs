//! Calls that name what an upstream has made go to the channel that made it, and belong to the user who asked for it.
//!
//! [`named_by`] reads which objects a call names, [`Directory::place`] finds where it belongs because of them, and
//! [`Directory::learn`] takes down what its answer makes. Bytes are only read, never changed.

mod call;
mod directory;
mod learn;
mod made;
mod named;
mod references;
mod secret;
mod walk;

pub(crate) use call::named_by;
pub(crate) use directory::{Directory, Pull};
pub use directory::{Neighbours, Question, Recall, Recalled, Silent};
pub(crate) use learn::Lesson;
pub(crate) use secret::{Secret, may_be_secret};
#[cfg(feature = "fuzz")]
pub(crate) use walk::strings_in;
