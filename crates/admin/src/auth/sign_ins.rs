//! Who has signed in at the web pages. Kept in memory alone: with a restart, and so with another admin token, all are
//! asked again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gateway_domain::UnixMillis;
use http::HeaderMap;
use http::header::COOKIE;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// The name of the cookie that bears a sign-in.
pub(crate) const SESSION_COOKIE: &str = "gateway_session";

/// After so long without a call a sign-in is over: 12 hours.
const IDLE_MILLIS: u64 = 12 * 3_600_000;

/// Sign-ins at a time. One more costs the one that has been unused for the longest time.
const MAX_SIGN_INS: usize = 1000;

/// The sign-ins that are good now. What a cookie holds is 256 random bits; only its digest is kept, so that a look into
/// this memory lets nobody in.
#[derive(Debug, Default)]
pub(crate) struct SignIns {
    known: Mutex<HashMap<[u8; 32], Arc<Use>>>,
}

/// When a sign-in was used last.
#[derive(Debug)]
struct Use(AtomicI64);

/// A sign-in that let somebody in. What lasts longer than one answer asks now and then whether it is still good.
#[derive(Clone, Debug)]
pub(crate) struct SignIn(Weak<Use>);

// === impl SignIn ===

impl SignIn {
    /// Whether it was ended, by its owner or for want of room, or has been unused for too long.
    pub(crate) fn is_over(&self, now: UnixMillis) -> bool {
        self.0.upgrade().is_none_or(|last| !last.is_fresh(now))
    }
}

// === impl Use ===

impl Use {
    fn at(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }

    /// Either way round: a clock that was set back makes no sign-in last longer.
    fn is_fresh(&self, now: UnixMillis) -> bool {
        self.at().0.abs_diff(now.0) < IDLE_MILLIS
    }
}

// === impl SignIns ===

impl SignIns {
    /// Begins one, and gives the value of its cookie.
    pub(crate) fn begin(&self, now: UnixMillis) -> Result<String, ApiError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|_| ApiError::Internal("the system gave no random numbers"))?;
        let value = bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes everything");
            text
        });
        let mut known = self.known();
        known.retain(|_, last| last.is_fresh(now));
        if known.len() >= MAX_SIGN_INS
            && let Some(oldest) = known.iter().min_by_key(|(_, last)| last.at()).map(|(digest, _)| *digest)
        {
            known.remove(&oldest);
        }
        known.insert(digest_of(&value), Arc::new(Use(now.0.into())));
        Ok(value)
    }

    /// Whether the caller has signed in. Asking is using: the sign-in is prolonged.
    pub(crate) fn know(&self, headers: &HeaderMap, now: UnixMillis) -> bool {
        self.find(headers, now).is_some()
    }

    /// What the caller has signed in with; prolonged, too.
    pub(crate) fn find(&self, headers: &HeaderMap, now: UnixMillis) -> Option<SignIn> {
        let known = self.known();
        given(headers).find_map(|value| {
            let last = known.get(&digest_of(value)).filter(|last| last.is_fresh(now))?;
            last.0.store(now.0, Ordering::Relaxed);
            Some(SignIn(Arc::downgrade(last)))
        })
    }

    /// Ends what the caller has signed in to.
    pub(crate) fn end(&self, headers: &HeaderMap) {
        let mut known = self.known();
        for value in given(headers) {
            known.remove(&digest_of(value));
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Use>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest_of(value: &str) -> [u8; 32] {
    Sha256::digest(value.as_bytes()).into()
}

/// The values of our cookie. There may be several: another gateway on this host, at another port, shares its cookies
/// with this one.
fn given(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_769_853_600_000);

    fn bearing(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, format!("theme=dark; {SESSION_COOKIE}={value}").parse().unwrap());
        headers
    }

    fn later(millis: u64) -> UnixMillis {
        UnixMillis(NOW.0 + i64::try_from(millis).unwrap())
    }

    #[test]
    fn a_value_is_long_random_and_not_kept() {
        let sign_ins = SignIns::default();
        let values = [sign_ins.begin(NOW).unwrap(), sign_ins.begin(NOW).unwrap()];
        assert_ne!(values[0], values[1]);
        for value in values {
            assert_eq!(value.len(), 64);
            assert!(value.bytes().all(|b| b.is_ascii_hexdigit()), "{value}");
            assert!(!format!("{sign_ins:?}").contains(&value));
            assert!(sign_ins.know(&bearing(&value), NOW));
            assert!(!sign_ins.know(&bearing(&value.to_uppercase().replace('A', "B")), NOW));
        }
    }

    #[test]
    fn use_prolongs_it_and_twelve_idle_hours_end_it() {
        let sign_ins = SignIns::default();
        let headers = bearing(&sign_ins.begin(NOW).unwrap());
        assert!(sign_ins.know(&headers, later(IDLE_MILLIS - 1)));
        assert!(sign_ins.know(&headers, later(2 * IDLE_MILLIS - 2)));
        assert!(!sign_ins.know(&headers, later(3 * IDLE_MILLIS)));
    }

    #[test]
    fn of_several_cookies_of_the_name_one_is_enough() {
        let sign_ins = SignIns::default();
        let value = sign_ins.begin(NOW).unwrap();
        assert!(sign_ins.know(&bearing(&format!("another; {SESSION_COOKIE}={value}")), NOW));
        assert!(!sign_ins.know(&bearing("another"), NOW));
        assert!(!sign_ins.know(&HeaderMap::new(), NOW));
    }

    #[test]
    fn one_too_many_costs_the_one_that_was_unused_longest() {
        let sign_ins = SignIns::default();
        let values: Vec<String> =
            (0..MAX_SIGN_INS).map(|number| sign_ins.begin(later(number as u64)).unwrap()).collect();
        let now = later(MAX_SIGN_INS as u64);
        assert!(sign_ins.know(&bearing(&values[0]), now));
        let newest = sign_ins.begin(now).unwrap();
        assert_eq!(sign_ins.known().len(), MAX_SIGN_INS);
        assert!(!sign_ins.know(&bearing(&values[1]), now));
        for value in [&values[0], &values[2], &newest] {
            assert!(sign_ins.know(&bearing(value), now));
        }
    }
}
