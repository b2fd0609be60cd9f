use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::life::{Life, LifeLine};
use crate::panic;
use crate::readiness::Readiness;

/// Starts the tasks that run as long as the app does, and notices when one ends before.
///
/// Every such task has a name. One that ends or panics while the app serves is logged and makes `/readyz` fail: a
/// gateway without its publisher or prober answers, but does not do what its operator thinks it does.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    life: LifeLine,
    readiness: Arc<Readiness>,
}

// === impl Tasks ===

impl Tasks {
    pub(crate) fn new(runtime: Handle, life: LifeLine, readiness: Arc<Readiness>) -> Self {
        Self { runtime, life, readiness }
    }

    /// Starts a task on the control runtime.
    pub(crate) fn start(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (life, readiness) = (self.life.watch(), Arc::clone(&self.readiness));
        drop(self.runtime.spawn(async move {
            let end = panic::confine(task).await;
            if life.now() >= Life::Draining {
                return;
            }
            readiness.fell(name);
            match end {
                Ok(()) => tracing::error!(task = name, "a task that should not end has ended"),
                Err(panicked) => tracing::error!(task = name, error = %panicked, "a task has panicked"),
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn readiness_after(task: impl Future<Output = ()> + Send + 'static, life: Life) -> bool {
        let (readiness, speaker) = (Arc::new(Readiness::default()), LifeLine::new());
        readiness.configured();
        speaker.advance(life);
        Tasks::new(Handle::current(), speaker, Arc::clone(&readiness)).start("test", task);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        readiness.is_ready()
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_makes_the_gateway_unready() {
        assert!(!readiness_after(async {}, Life::Serving).await);
        assert!(!readiness_after(async { panic!("boom") }, Life::Serving).await);
    }

    #[tokio::test]
    async fn a_task_that_runs_or_ends_with_the_app_is_fine() {
        assert!(readiness_after(std::future::pending(), Life::Serving).await);
        assert!(readiness_after(async {}, Life::Draining).await);
    }
}
