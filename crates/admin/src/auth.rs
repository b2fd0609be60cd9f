//! Who may call: one token, compared in constant time, and a limit on guessing it; and who signed in with it.

mod sign_ins;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use gateway_domain::{KeyDigest, UnixMillis};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::ApiError;

pub(crate) use sign_ins::{SESSION_COOKIE, SignIn, SignIns};

/// Wrong tokens that one peer may try in a row; after that one more every [`REFILL_MILLIS`].
const TRIES: i64 = 10;

/// Ten tries per minute.
const REFILL_MILLIS: i64 = 60_000 / TRIES;

/// Peers whose wrong tries are remembered at a time, and peers that had the right token.
const MAX_PEERS: usize = 10_000;

/// For how long a peer that had the right token is not kept waiting by wrong ones.
const KNOWN_MILLIS: u64 = 86_400_000;

/// The SHA-256 of an admin token, as [`crate::Parts`] takes it.
pub fn token_digest(token: &str) -> KeyDigest {
    KeyDigest(Sha256::digest(token.as_bytes()).into())
}

/// The gate before every route that is not public.
#[derive(Debug)]
pub(crate) struct Gate {
    /// `None`: `admin.auth = "none"`, everybody on this machine is the administrator.
    token: Option<KeyDigest>,
    tries: Mutex<Tries>,
    sign_ins: SignIns,
}

/// What let a caller in.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// Nothing was asked for.
    Open,
    /// The admin token.
    Token,
    /// The cookie of the web pages, which browsers send by themselves: whoever relies on it must look at who asks.
    Cookie(SignIn),
}

/// A token bucket per peer. Kept as the moment at which the bucket is full again, so that an entry is one number
/// and a peer that stopped guessing can be dropped without being looked at.
#[derive(Debug, Default)]
struct Tries {
    full_at: HashMap<IpAddr, i64>,
    /// When a peer last had the right token.
    known_at: HashMap<IpAddr, UnixMillis>,
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new(token: Option<KeyDigest>) -> Self {
        Self { token, tries: Mutex::default(), sign_ins: SignIns::default() }
    }

    /// Whether everybody is let in.
    pub(crate) fn is_open(&self) -> bool {
        self.token.is_none()
    }

    /// Lets the caller in, or says why not.
    ///
    /// A peer that used up its tries is refused whatever it brings: were a right token still let in, the limit
    /// would not slow a guesser at all. Except where the right token has come from lately: behind a reverse proxy
    /// guesser and administrator are one peer, and the one must not be able to lock the other out. A call without
    /// any credentials is refused but is no guess. Neither is a cookie that is not good any more; one that is good
    /// cannot have been guessed.
    pub(crate) fn admit(&self, headers: &HeaderMap, peer: IpAddr, now: UnixMillis) -> Result<Way, ApiError> {
        if self.is_open() {
            return Ok(Way::Open);
        }
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let first = given.next();
        // What a proxy before us asks for (`Basic …`) is none of our credentials.
        if !headers.get_all(AUTHORIZATION).iter().any(|value| is_bearer(value.as_bytes()))
            && let Some(sign_in) = self.sign_ins.find(headers, now)
        {
            return Ok(Way::Cookie(sign_in));
        }
        let one = first.filter(|_| given.next().is_none());
        let bearer = one.and_then(|value| bearer(value.as_bytes()));
        self.judge(bearer, first.is_some(), peer, now).map(|()| Way::Token)
    }

    /// Who has signed in at the web pages.
    pub(crate) fn sign_ins(&self) -> &SignIns {
        &self.sign_ins
    }

    /// Whether this is the token. A wrong one counts as a guess.
    pub(crate) fn knows(&self, token: &[u8], peer: IpAddr, now: UnixMillis) -> bool {
        self.judge(Some(token), true, peer, now).is_ok()
    }

    /// Takes a token that a person typed, or says why not. A wrong one counts as a guess.
    pub(crate) fn try_token(&self, token: &[u8], peer: IpAddr, now: UnixMillis) -> Result<(), ApiError> {
        self.judge(Some(token), true, peer, now).map_err(|error| {
            if matches!(error, ApiError::Unauthorized) { ApiError::WrongToken } else { error }
        })
    }

    fn judge(
        &self,
        presented: Option<&[u8]>,
        is_guess: bool,
        peer: IpAddr,
        now: UnixMillis,
    ) -> Result<(), ApiError> {
        let Some(token) = &self.token else { return Ok(()) };
        let peer = network_of(peer);
        let right = presented.is_some_and(|text| !text.is_empty() && is_token(text, token));
        let mut tries = self.tries();
        let wait = tries.wait(peer, now);
        if right && (wait.is_none() || tries.knows(peer, now)) {
            tries.welcome(peer, now);
            return Ok(());
        }
        if let Some(retry_after) = wait {
            return Err(ApiError::TooManyTries { retry_after });
        }
        if is_guess {
            tries.note(peer, now);
        }
        Err(ApiError::Unauthorized)
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Tries ===

impl Tries {
    /// Seconds until the peer may try again; `None`: now.
    fn wait(&self, peer: IpAddr, now: UnixMillis) -> Option<u64> {
        let full_at = self.full_at.get(&peer)?;
        // Clamped, so that a wall clock set back by a day does not lock anybody out for a day.
        let debt = full_at.saturating_sub(now.0).min(TRIES * REFILL_MILLIS);
        let over = debt - (TRIES - 1) * REFILL_MILLIS;
        (over > 0).then(|| u64::try_from(over).unwrap_or(0).div_ceil(1000))
    }

    fn note(&mut self, peer: IpAddr, now: UnixMillis) {
        if self.full_at.len() >= MAX_PEERS && !self.full_at.contains_key(&peer) {
            self.make_room(now);
        }
        let full_at = self.full_at.entry(peer).or_insert(now.0);
        let limit = now.0.saturating_add(TRIES * REFILL_MILLIS);
        *full_at = (*full_at).max(now.0).saturating_add(REFILL_MILLIS).min(limit);
    }

    fn knows(&self, peer: IpAddr, now: UnixMillis) -> bool {
        // Either way round: a clock that was set back makes nobody known for longer.
        self.known_at.get(&peer).is_some_and(|at| at.0.abs_diff(now.0) < KNOWN_MILLIS)
    }

    fn welcome(&mut self, peer: IpAddr, now: UnixMillis) {
        if self.known_at.len() >= MAX_PEERS {
            self.known_at.clear();
        }
        self.known_at.insert(peer, now);
    }

    /// Drops every peer whose bucket is full again, or, when all are still guessing, the one that guessed least.
    fn make_room(&mut self, now: UnixMillis) {
        self.full_at.retain(|_, full_at| *full_at > now.0);
        if self.full_at.len() >= MAX_PEERS
            && let Some(peer) =
                self.full_at.iter().min_by_key(|(_, full_at)| **full_at).map(|(peer, _)| *peer)
        {
            self.full_at.remove(&peer);
        }
    }
}

/// What counts as one peer: an IPv4 address, or an IPv6 /64, which is what one customer gets.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

fn is_bearer(value: &[u8]) -> bool {
    value.split(|byte| *byte == b' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}

/// Compares digests, and those in constant time: neither the token nor its length shows in how long it takes.
fn is_token(text: &[u8], token: &KeyDigest) -> bool {
    let given: [u8; 32] = Sha256::digest(text).into();
    given.ct_eq(&token.0).into()
}

#[cfg(test)]
mod tests;
