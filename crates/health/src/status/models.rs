use std::sync::Arc;

use gateway_domain::{ModelTrouble, UnixMillis};

use crate::Scope;

/// How many failing models are kept of one channel. Those that fail least give way.
const MOST: usize = 32;

/// A model whose calls failed so often in a row is in trouble.
const TROUBLE: u32 = 3;

/// How long a failure counts as a sign that a model fails now, in milliseconds.
const LATELY: u64 = 30_000;

/// How long a served call proves that the channel is well, in milliseconds.
const PROVEN: u64 = 10_000;

/// After this time without a word, nobody can say any more that a model fails, in milliseconds.
const FORGOTTEN: u64 = 600_000;

/// The models whose last call failed, and the last call that did not.
#[derive(Clone, Debug, Default)]
pub(super) struct Models {
    failing: Vec<Failing>,
    served: Option<Served>,
}

/// The last call that was served.
#[derive(Clone, Debug)]
struct Served {
    at: UnixMillis,
    model: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Failing {
    model: Arc<str>,
    since: UnixMillis,
    last: UnixMillis,
    failures: u32,
    why: String,
}

// === impl Models ===

impl Models {
    /// Lets time pass.
    pub(super) fn tick(&mut self, now: UnixMillis) {
        self.failing.retain_mut(|failing| {
            // A clock that was set back must not keep a failure recent until it is where it was.
            failing.since = failing.since.min(now);
            failing.last = failing.last.min(now);
            now.since(failing.last) < FORGOTTEN
        });
        if let Some(served) = &mut self.served {
            served.at = served.at.min(now);
        }
    }

    /// A call was served.
    pub(super) fn good(&mut self, scope: Scope<'_>, now: UnixMillis) {
        let model = match scope {
            Scope::Channel => None,
            Scope::Model(model) => Some(model),
        };
        if let Some(model) = model {
            self.failing.retain(|failing| failing.model != *model);
        }
        match &mut self.served {
            // Nearly always it is the same again.
            Some(served) if served.model.as_ref() == model => served.at = now,
            served => *served = Some(Served { at: now, model: model.cloned() }),
        }
    }

    /// A call of this model failed.
    pub(super) fn bad(&mut self, model: &Arc<str>, why: String, now: UnixMillis) {
        if let Some(failing) = self.failing.iter_mut().find(|failing| failing.model == *model) {
            failing.failures = failing.failures.saturating_add(1);
            failing.last = now;
            failing.why = why;
            return;
        }
        if self.failing.len() >= MOST {
            let least =
                self.failing.iter().enumerate().min_by_key(|(_, failing)| (failing.failures, failing.last));
            if let Some((place, _)) = least {
                self.failing.swap_remove(place);
            }
        }
        let model = Arc::clone(model);
        self.failing.push(Failing { model, since: now, last: now, failures: 1, why });
    }

    /// The models in trouble, the worst first.
    pub(super) fn in_trouble(&self) -> Vec<ModelTrouble> {
        let mut troubles: Vec<_> =
            self.failing.iter().filter(|failing| failing.is_in_trouble()).map(Failing::report).collect();
        troubles.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.model.cmp(&b.model)));
        troubles
    }

    /// Whether this model and another are in trouble, and nothing speaks for the channel.
    pub(super) fn are_several_down(&self, model: &str, now: UnixMillis) -> bool {
        let down = || {
            self.failing.iter().filter(|failing| failing.is_in_trouble() && now.since(failing.last) < LATELY)
        };
        let Some(this) = down().find(|failing| *failing.model == *model) else { return false };
        let others = down().filter(|failing| *failing.model != *model);
        let Some(other_since) = others.map(|failing| failing.since).max() else { return false };
        let later = this.since.max(other_since);
        self.served.as_ref().is_none_or(|served| served.at < later && now.since(served.at) >= PROVEN)
    }

    /// Whether the last call that was served asked for another model, just now.
    pub(super) fn was_another_served(&self, model: &str, now: UnixMillis) -> bool {
        self.served.as_ref().is_some_and(|served| {
            now.since(served.at) < PROVEN && served.model.as_deref().is_some_and(|served| served != model)
        })
    }
}

// === impl Failing ===

impl Failing {
    const fn is_in_trouble(&self) -> bool {
        self.failures >= TROUBLE
    }

    fn report(&self) -> ModelTrouble {
        ModelTrouble {
            model: Arc::clone(&self.model),
            since: self.since,
            failures: self.failures,
            last_error: self.why.clone(),
        }
    }
}
