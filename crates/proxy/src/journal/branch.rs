//! Parts of a call that run beside each other, and are one story in the end.

use std::sync::{Arc, Mutex, PoisonError};

use gateway_domain::{Attempt, Attempts, Exchange};

use super::{Entry, Open};
use crate::commit::Promise;

/// Attempts that belong to another entry's story.
pub(super) type Branches = Arc<Mutex<Vec<Attempt>>>;

// === impl Entry ===

impl Entry {
    /// An entry for a part of the call that runs beside others. Its attempts become this one's when it is
    /// [joined](Self::join), or dropped.
    pub(crate) fn branch(&mut self) -> Self {
        let open = &mut *self.0;
        let attempts = open.branches.get_or_insert_default();
        Self(Box::new(Open {
            journal: Arc::clone(&open.journal),
            exchange: Exchange { attempts: Attempts::new(), ..open.exchange.clone() },
            began: open.began,
            endpoint: Arc::clone(&open.endpoint),
            trying: [None, None],
            tap: None,
            prompt: None,
            streaming: false,
            over: None,
            promise: Promise::default(),
            explanation: None,
            branches: None,
            branch_of: Some(Arc::clone(attempts)),
        }))
    }

    /// Takes in what a branch has to tell.
    pub(crate) fn join(&mut self, mut branch: Self) {
        let (open, other) = (&mut *self.0, &mut *branch.0);
        open.explanation = open.explanation.take().or(other.explanation.take());
        open.exchange.first_byte = open.exchange.first_byte.or(other.exchange.first_byte);
        drop(branch);
        self.0.gather();
    }
}

// === impl Open ===

impl Open {
    /// Tells the attempts of a branch to whose branch it is; false for an entry that is its own story.
    pub(super) fn is_told_to_another(&mut self) -> bool {
        let Some(attempts) = &self.branch_of else { return false };
        let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.extend(std::mem::take(&mut self.exchange.attempts));
        true
    }

    /// Takes over the attempts of its branches.
    pub(super) fn gather(&mut self) {
        if let Some(branches) = &self.branches {
            let mut told = branches.lock().unwrap_or_else(PoisonError::into_inner);
            self.exchange.attempts.extend(told.drain(..));
        }
    }
}
