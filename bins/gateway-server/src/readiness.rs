use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether new calls should be sent here, and if not, why.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    configured: AtomicBool,
    database_fails: AtomicBool,
    draining: AtomicBool,
    fallen: Mutex<Vec<&'static str>>,
}

/// One thing that readiness looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it is well.
    pub(crate) ok: bool,
    /// More, for people.
    pub(crate) detail: String,
}

// === impl Readiness ===

impl Readiness {
    /// A snapshot is live.
    pub(crate) fn configured(&self) {
        self.configured.store(true, Ordering::Relaxed);
    }

    /// Whether the database answered when it was last asked.
    pub(crate) fn database(&self, ok: bool) {
        self.database_fails.store(!ok, Ordering::Relaxed);
    }

    /// The gateway is on its way out.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// A task or thread that should run as long as the gateway ended.
    pub(crate) fn fell(&self, name: &'static str) {
        if let Ok(mut fallen) = self.fallen.lock() {
            fallen.push(name);
        }
    }

    /// Everything that is looked at; ready when all of it is well.
    pub(crate) fn checks(&self) -> [Check; 4] {
        let draining = self.draining.load(Ordering::Relaxed);
        let database_fails = self.database_fails.load(Ordering::Relaxed);
        let fallen = self.fallen.lock().map(|fallen| fallen.join(", ")).unwrap_or_default();
        let check = |name, ok: bool, bad: &str| Check {
            name,
            ok,
            detail: if ok { "ok".to_owned() } else { bad.to_owned() },
        };
        [
            check("configuration", self.configured.load(Ordering::Relaxed), "no snapshot is live"),
            check("database", !database_fails, "the database does not answer"),
            check("tasks", fallen.is_empty(), &format!("ended unexpectedly: {fallen}")),
            check("accepting", !draining, "the gateway is stopping"),
        ]
    }

    /// Whether all of it is well.
    #[cfg(test)]
    pub(crate) fn is_ready(&self) -> bool {
        self.checks().iter().all(|check| check.ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Readiness {
        let readiness = Readiness::default();
        readiness.configured();
        readiness
    }

    #[test]
    fn nothing_is_ready_before_a_snapshot_is_live() {
        assert!(!Readiness::default().is_ready());
        assert!(ready().is_ready());
    }

    #[test]
    fn a_drain_and_a_fallen_task_end_readiness_for_good() {
        let (one, other) = (ready(), ready());
        one.drain();
        other.fell("prober");
        assert!(!one.is_ready() && !other.is_ready());
        assert!(other.checks().iter().any(|check| check.detail.contains("prober")));
    }

    #[test]
    fn a_database_that_comes_back_makes_ready_again() {
        let readiness = ready();
        readiness.database(false);
        assert!(!readiness.is_ready());
        readiness.database(true);
        assert!(readiness.is_ready());
    }
}
