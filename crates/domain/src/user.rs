use std::sync::Arc;

use crate::{ManagedBy, UserId};

/// A holder of gateway keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its row.
    pub id: UserId,
    /// For people; need not be unique.
    pub name: Arc<str>,
    /// A disabled user's keys are refused.
    pub enabled: bool,
    /// The models its keys may use; `None` is all of them.
    pub allowed_models: Option<Vec<Arc<str>>>,
    /// Whether its keys may ask why a call went where it went (`x-gateway-explain`).
    pub may_explain: bool,
    /// Who may change it.
    pub managed_by: ManagedBy,
}

// === impl User ===

impl User {
    /// Whether the user's keys may use this public model name.
    pub fn may_use(&self, model: &str) -> bool {
        self.allowed_models.as_ref().is_none_or(|allowed| allowed.iter().any(|name| &**name == model))
    }
}
