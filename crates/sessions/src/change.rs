use gateway_domain::SessionId;

use crate::Session;

/// One difference between the table and its copy in storage.
///
/// A batch from [`Sessions::take_changes`](crate::Sessions::take_changes) names each session at most once, and all
/// removals stand before all puts: a key whose session was replaced by a new one is free before it is taken again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Insert the row, or overwrite the row of the same id. Its channel or user may have been deleted in the
    /// meantime; such a row need not be kept.
    Put(Session),
    /// Delete the row. Deleting a row that is already gone (a cascade was quicker) is fine.
    Remove(SessionId),
}
