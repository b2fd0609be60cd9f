//! Waiting for what happens soon, without guessing how soon.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen: `GATEWAY_TEST_PATIENCE_MS`, 5,000 when it is not set.
pub fn patience() -> Duration {
    let set = std::env::var("GATEWAY_TEST_PATIENCE_MS").ok().and_then(|text| text.parse().ok());
    Duration::from_millis(set.unwrap_or(5_000))
}

/// Waits until `condition` holds; fails the test when it still does not after [`patience`].
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, async || condition().then_some(())).await;
}

/// Waits until `look` gives something; fails the test when it still does not after [`patience`].
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    look_until(patience(), what, look).await
}

/// The same for what has waiting times of its own in the product, such as the return of a channel: four times the
/// [`patience`].
pub async fn in_good_time<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    look_until(patience() * 4, what, look).await
}

async fn look_until<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?}, but this did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Gives what `future` gives; fails the test when that takes longer than [`patience`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(patience(), what, future).await
}

/// Gives what `future` gives; fails the test when that takes longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(limit, future).await;
    ended.unwrap_or_else(|_elapsed| panic!("waited {limit:?} for {what}"))
}

/// Waits for all of them, which run at the same time on this task, and keeps their order.
pub async fn all<T>(futures: impl IntoIterator<Item: Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut waits = false;
        for (future, value) in running.iter_mut().filter(|(_, value)| value.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(ready) => *value = Some(ready),
                Poll::Pending => waits = true,
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, value)| value).collect()
}
