use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::LookupError;
use super::ask::Found;
use super::order::Order;

/// The shortest time that an answer is used: a TTL of 0 is not to make every connection wait.
const MIN_TTL: Duration = Duration::from_secs(1);
/// The longest: what is cached here cannot be flushed, so a change is seen within this time whatever the TTL says.
const MAX_TTL: Duration = Duration::from_mins(5);
/// How long after its TTL the last answer is used when the name servers fail.
pub(super) const STALE_FOR: Duration = Duration::from_mins(5);
/// How long a failed lookup is not repeated.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// How long after a lookup's beginning anybody waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same where an answer that is only too old is at hand.
const PATIENCE_WITH_STALE: Duration = Duration::from_millis(200);
/// A name that nobody has called for so long is forgotten.
const KEPT_FOR: Duration = Duration::from_hours(1);

/// What is known of one name. Time is an argument.
#[derive(Debug)]
pub(super) struct Entry {
    /// Which of the addresses to try first.
    pub(super) order: Order,
    answer: Option<Answer>,
    /// Of the newest lookup, if it failed.
    failure: Option<Failure>,
    asked: Option<Asked>,
    used: Instant,
}

/// What to do for somebody who wants addresses.
#[derive(Debug)]
pub(super) enum Step {
    /// Use these.
    Take(Arc<[IpAddr]>),
    /// Give up.
    Fail(LookupError),
    /// Look again when the lookup is over, or at this time.
    Wait(watch::Receiver<()>, Instant),
}

#[derive(Debug)]
struct Answer {
    addresses: Arc<[IpAddr]>,
    since: Instant,
    /// From here on it is asked for anew, while it is still used.
    renew_from: Instant,
    fresh_until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    why: LookupError,
    at: Instant,
}

#[derive(Debug)]
struct Asked {
    since: Instant,
    over: watch::Receiver<()>,
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(now: Instant) -> Self {
        Self { order: Order::default(), answer: None, failure: None, asked: None, used: now }
    }

    /// What to do now for somebody who has wanted addresses since then. Where a sender comes with it, a lookup is to be
    /// started, which holds it until it is over.
    pub(super) fn next(&mut self, since: Instant, now: Instant) -> (Step, Option<watch::Sender<()>>) {
        self.used = now;
        let usable = self.answer.as_ref().filter(|answer| now < answer.fresh_until + STALE_FOR);
        let Some(answer) = usable else {
            return self.next_without_answer(since, now);
        };
        let (addresses, fresh) = (Arc::clone(&answer.addresses), now < answer.fresh_until);
        let start = if now >= answer.renew_from { self.ask(now) } else { None };
        if !fresh && self.failure.is_none() {
            // Not in use lately: the name servers are given a moment to say that it has changed.
            if let Some(step) = self.wait(now, PATIENCE_WITH_STALE) {
                return (step, start);
            }
        }
        (Step::Take(addresses), start)
    }

    /// Nobody could be reached at these addresses: a lookup is to be started if they are not of this moment.
    pub(super) fn doubt(&mut self, now: Instant) -> Option<watch::Sender<()>> {
        let old = self.answer.as_ref().is_some_and(|answer| now >= answer.since + MIN_TTL);
        if old { self.ask(now) } else { None }
    }

    /// Notes how a lookup ended. Tells if that turned things: from working to failing, or back.
    pub(super) fn settle(
        &mut self,
        found: Result<Found, LookupError>,
        now: Instant,
    ) -> Option<Result<(), LookupError>> {
        self.asked = None;
        let failed_before = self.failure.is_some();
        match found {
            Ok(found) => {
                let ttl = found.ttl.clamp(MIN_TTL, MAX_TTL);
                let fresh_until = now + ttl;
                let renew_from = fresh_until - ttl / 5;
                self.answer =
                    Some(Answer { addresses: found.addresses, since: now, renew_from, fresh_until });
                self.failure = None;
                failed_before.then_some(Ok(()))
            }
            Err(why) => {
                if why.is_answer() {
                    self.answer = None;
                }
                self.failure = Some(Failure { why, at: now });
                (!failed_before).then_some(Err(why))
            }
        }
    }

    /// The lookup is over, settled or not.
    pub(super) fn asked_no_more(&mut self) {
        self.asked = None;
    }

    /// Whether the entry is worth keeping.
    pub(super) fn is_wanted(&self, now: Instant) -> bool {
        self.asked.is_some() || now < self.used + KEPT_FOR
    }

    fn next_without_answer(&mut self, since: Instant, now: Instant) -> (Step, Option<watch::Sender<()>>) {
        let no_file = self.failure.filter(|failure| failure.why == LookupError::NoFile);
        let start = match no_file {
            // It is this one's failure. Others must not hold it up who begin the next lookup.
            Some(failure) if failure.at >= since => return (Step::Fail(failure.why), None),
            // Files may have been closed for its sake since then.
            Some(_) => self.begin(now),
            None => self.ask(now),
        };
        let why = self.failure.map_or(LookupError::Timeout, |failure| failure.why);
        (self.wait(now, PATIENCE).unwrap_or(Step::Fail(why)), start)
    }

    /// Begins a lookup, unless one is under way or failed a moment ago.
    fn ask(&mut self, now: Instant) -> Option<watch::Sender<()>> {
        let failed = self.failure.is_some_and(|failure| now < failure.at + FAILED_FOR);
        if failed { None } else { self.begin(now) }
    }

    /// Begins a lookup, unless one is under way.
    fn begin(&mut self, now: Instant) -> Option<watch::Sender<()>> {
        if self.asked.is_some() {
            return None;
        }
        let (sender, over) = watch::channel(());
        self.asked = Some(Asked { since: now, over });
        Some(sender)
    }

    fn wait(&self, now: Instant, patience: Duration) -> Option<Step> {
        let asked = self.asked.as_ref()?;
        let until = asked.since + patience;
        (now < until).then(|| Step::Wait(asked.over.clone(), until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(100);

    #[expect(clippy::unnecessary_wraps, reason = "it is handed on as the end of a lookup")]
    fn found(last: u8, ttl: Duration) -> Result<Found, LookupError> {
        Ok(Found { addresses: [IpAddr::from([1, 0, 0, last])].into(), ttl })
    }

    fn known(now: Instant, ttl: Duration) -> Entry {
        let mut entry = Entry::new(now);
        assert!(entry.settle(found(1, ttl), now).is_none());
        entry
    }

    /// For somebody who comes now.
    fn next(entry: &mut Entry, now: Instant) -> (Step, Option<watch::Sender<()>>) {
        entry.next(now, now)
    }

    fn takes(entry: &mut Entry, now: Instant) -> Option<IpAddr> {
        match next(entry, now).0 {
            Step::Take(addresses) => addresses.first().copied(),
            Step::Fail(_) | Step::Wait(..) => None,
        }
    }

    #[test]
    fn an_answer_in_use_is_renewed_before_its_time_is_over_and_used_meanwhile() {
        let now = Instant::now();
        let mut entry = known(now, TTL);
        assert!(next(&mut entry, now + TTL / 2).1.is_none());
        let (step, start) = next(&mut entry, now + TTL * 9 / 10);
        assert!(matches!(step, Step::Take(_)) && start.is_some());
        assert!(next(&mut entry, now + TTL * 9 / 10).1.is_none(), "one at a time");
    }

    #[test]
    fn a_ttl_is_held_within_a_second_and_five_minutes() {
        let now = Instant::now();
        let mut entry = known(now, Duration::ZERO);
        assert!(next(&mut entry, now + MIN_TTL / 2).1.is_none());
        let mut entry = known(now, Duration::from_hours(24));
        assert!(next(&mut entry, now + MAX_TTL).1.is_some());
    }

    #[test]
    fn an_idle_name_waits_a_moment_for_news_and_then_takes_what_it_has() {
        let now = Instant::now();
        let mut entry = known(now, TTL);
        let late = now + TTL * 2;
        let (step, start) = next(&mut entry, late);
        assert!(
            matches!(step, Step::Wait(_, until) if until == late + PATIENCE_WITH_STALE) && start.is_some()
        );
        assert!(takes(&mut entry, late + PATIENCE_WITH_STALE).is_some());
        let _: Option<_> = entry.settle(found(2, TTL), late);
        assert_eq!(takes(&mut entry, late), Some(IpAddr::from([1, 0, 0, 2])));
    }

    #[test]
    fn a_failing_name_server_is_not_waited_for_while_there_is_an_old_answer() {
        let now = Instant::now();
        let mut entry = known(now, TTL);
        let late = now + TTL;
        assert_eq!(entry.settle(Err(LookupError::Timeout), late), Some(Err(LookupError::Timeout)));
        assert!(entry.settle(Err(LookupError::Refused), late).is_none(), "told once");
        let (step, start) = next(&mut entry, late + FAILED_FOR);
        assert!(matches!(step, Step::Take(_)) && start.is_some());
        assert!(takes(&mut entry, late + STALE_FOR - FAILED_FOR).is_some());
        assert!(takes(&mut entry, late + STALE_FOR).is_none(), "too old by now");
        assert_eq!(entry.settle(found(1, TTL), late), Some(Ok(())));
    }

    #[test]
    fn a_no_of_the_name_server_takes_the_old_answer_away() {
        let now = Instant::now();
        let mut entry = known(now, TTL);
        let _: Option<_> = entry.settle(Err(LookupError::Absent), now);
        assert!(matches!(next(&mut entry, now).0, Step::Fail(LookupError::Absent)));
    }

    #[test]
    fn nobody_waits_longer_than_two_seconds_for_a_lookup_however_long_it_takes() {
        let now = Instant::now();
        let mut entry = Entry::new(now);
        let start = next(&mut entry, now).1;
        assert!(start.is_some() && matches!(next(&mut entry, now + PATIENCE / 2).0, Step::Wait(..)));
        assert!(matches!(next(&mut entry, now + PATIENCE).0, Step::Fail(LookupError::Timeout)));
    }

    #[test]
    fn a_want_of_files_is_told_to_who_waited_and_whoever_comes_later_asks_again() {
        let now = Instant::now();
        let mut entry = Entry::new(now);
        assert!(next(&mut entry, now).1.is_some());
        let later = now + FAILED_FOR / 10;
        assert_eq!(entry.settle(Err(LookupError::NoFile), later), Some(Err(LookupError::NoFile)));
        let much_later = later + FAILED_FOR / 10;
        assert!(next(&mut entry, much_later).1.is_some());
        let (step, start) = entry.next(now, much_later);
        assert!(matches!(step, Step::Fail(LookupError::NoFile)) && start.is_none());
    }

    #[test]
    fn a_lookup_that_was_dropped_makes_room_for_the_next() {
        let now = Instant::now();
        let mut entry = Entry::new(now);
        assert!(next(&mut entry, now).1.is_some() && next(&mut entry, now).1.is_none());
        entry.asked_no_more();
        assert!(next(&mut entry, now).1.is_some());
    }

    #[test]
    fn a_name_that_nobody_calls_is_forgotten_but_not_while_it_is_looked_up() {
        let now = Instant::now();
        let mut entry = known(now, TTL);
        assert!(entry.is_wanted(now) && !entry.is_wanted(now + KEPT_FOR));
        assert!(next(&mut entry, now + TTL).1.is_some() && entry.is_wanted(now + TTL + KEPT_FOR));
    }
}
