use std::sync::Arc;

use crate::Record;

/// One difference between the table and its copy in storage.
///
/// A batch from [`Objects::take_changes`](crate::Objects::take_changes) names each id at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Insert the row, or overwrite the row of the same id if it is of the same user. Its channel or user may have
    /// been deleted in the meantime; such a row need not be kept.
    Put(Record),
    /// Delete the row of this id. There may be none.
    Remove(Arc<str>),
}
