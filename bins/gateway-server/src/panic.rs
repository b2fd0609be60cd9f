use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Something panicked; this is what it said.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {0}")]
pub(crate) struct Panicked(pub(crate) String);

/// Runs a future; a panic inside becomes an error and goes no further.
///
/// Asserting unwind safety is right here because nothing of the future is used after its panic, and what it shares
/// with others are atomics, arc-swaps and locks that do not poison their neighbours' data.
pub(crate) async fn confine<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| match confine_now(|| future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Runs a function; a panic inside becomes an error and goes no further.
pub(crate) fn confine_now<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| Panicked(text_of(&*payload)))
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn one_unless(boom: bool) -> u8 {
        tokio::task::yield_now().await;
        assert!(!boom, "boom at {}", "noon");
        1
    }

    #[tokio::test]
    async fn a_panic_becomes_an_error_with_its_text() {
        assert_eq!(confine(one_unless(false)).await, Ok(1));
        assert_eq!(confine(one_unless(true)).await, Err(Panicked("boom at noon".to_owned())));
    }
}
