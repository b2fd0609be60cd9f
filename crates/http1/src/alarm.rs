use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for a task that has many reasons to wake up, looks at this one each time, and hardly ever finds that it has rung.
///
/// Tokio's own [`Sleep`] registers the task anew with each look, in four atomic steps, which on the way of an event are more
/// than the event's. Here the task is registered once; after that a look is a comparison and a load.
#[derive(Debug)]
pub struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// Who is woken when it rings.
    told: Option<Waker>,
}

// === impl Alarm ===

impl Alarm {
    /// Rings at this moment.
    #[must_use]
    pub fn at(when: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(when)), told: None }
    }

    /// When it rings, or has rung.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.sleep.deadline()
    }

    /// Lets it ring at another moment, whether it has rung or not.
    pub fn set(&mut self, when: Instant) {
        self.sleep.as_mut().reset(when);
        self.told = None;
    }

    /// Forgets the task that has looked: what nobody looks at keeps none of its memory.
    pub fn forget(&mut self) {
        self.told = None;
    }

    /// Ready once it has rung, as often as it is asked; until then the task is woken when it rings.
    ///
    /// Asked outside the task's budget: a task that always has something to do hears it, too.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_told = self.told.as_ref().is_some_and(|told| told.will_wake(cx.waker()));
        if is_told && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        let rung = pin!(unconstrained(self.sleep.as_mut())).poll(cx);
        self.told = rung.is_pending().then(|| cx.waker().clone());
        rung
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Task {
        fn looks(self: &Arc<Self>, alarm: &mut Alarm) -> bool {
            alarm.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self)))).is_ready()
        }

        fn wakings(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    async fn pass(time: Duration) {
        // Timers ring at whole milliseconds.
        tokio::time::advance(time + Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_once_for_a_task_that_has_looked_many_times_and_goes_on_saying_so() {
        let (task, mut alarm) = (Arc::<Task>::default(), Alarm::at(Instant::now() + MINUTE));
        assert!((0..3).all(|_| !task.looks(&mut alarm)));
        pass(MINUTE).await;
        assert_eq!(task.wakings(), 1);
        assert!(task.looks(&mut alarm) && task.looks(&mut alarm));
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_the_task_that_has_looked_last() {
        let (first, second) = (Arc::<Task>::default(), Arc::<Task>::default());
        let mut alarm = Alarm::at(Instant::now() + MINUTE);
        assert!(!first.looks(&mut alarm) && !second.looks(&mut alarm));
        pass(MINUTE).await;
        assert_eq!((first.wakings(), second.wakings()), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn set_again_it_rings_then_whether_it_has_rung_or_not() {
        let (task, mut alarm) = (Arc::<Task>::default(), Alarm::at(Instant::now() + MINUTE));
        assert!(!task.looks(&mut alarm));
        for _ in 0..3 {
            alarm.set(Instant::now() + 2 * MINUTE);
            assert!(!task.looks(&mut alarm));
            pass(MINUTE).await;
            assert!(!task.looks(&mut alarm));
            let before = task.wakings();
            pass(MINUTE).await;
            assert_eq!(task.wakings(), before + 1);
            assert!(task.looks(&mut alarm));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_without_budget_is_told_all_the_same() {
        let mut alarm = Alarm::at(Instant::now() + MINUTE);
        let task = Arc::<Task>::default();
        while pin!(tokio::task::coop::consume_budget())
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
        {}
        assert!(!task.looks(&mut alarm));
        assert_eq!(task.wakings(), 0, "it is not put off");
        tokio::task::yield_now().await;
        pass(MINUTE).await;
        assert_eq!(task.wakings(), 1);
    }
}
