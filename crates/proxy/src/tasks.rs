//! The tasks that a worker starts beside its requests. There are three, and all end by themselves.

use std::time::Duration;

/// Drives one upstream connection until it is closed. Its errors reach the request that uses it; there is nobody else
/// to tell.
pub(crate) fn drive<C>(connection: C)
where
    C: Future<Output = Result<(), hyper::Error>> + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this is the place where the worker's tasks are started")]
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    drop(task);
}

/// Calls `sweep` now and then until it says that nothing is left to look after; else it says for how long whatever may
/// be kept least is kept, as `idle` does for the first time.
pub(crate) fn sweep(idle: Duration, mut sweep: impl FnMut() -> Option<Duration> + Send + 'static) {
    let pause = |idle: Duration| idle.clamp(Duration::from_millis(100), Duration::from_secs(1));
    #[expect(clippy::disallowed_methods, reason = "this is the place where the worker's tasks are started")]
    let task = tokio::spawn(async move {
        let mut idle = Some(idle);
        while let Some(kept) = idle {
            tokio::time::sleep(pause(kept)).await;
            idle = sweep();
        }
    });
    drop(task);
}

/// Looks up a name to the end, for whoever may ask for it next, though who asked first may leave. The lookup bounds
/// its own time.
pub(crate) fn look_up(lookup: impl Future<Output = ()> + Send + 'static) {
    #[expect(clippy::disallowed_methods, reason = "this is the place where the worker's tasks are started")]
    let task = tokio::spawn(lookup);
    drop(task);
}
