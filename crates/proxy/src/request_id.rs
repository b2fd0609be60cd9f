use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header by which one request is known to client, gateway and log. Upstreams have names of their own for it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client.
const MAX_LEN: usize = 128;

/// What names one client request everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

// === impl RequestId ===

impl RequestId {
    /// The client's own id when it gave one that is well-formed (1 to 128 letters, digits, `-`, `_`, `.`, `:`),
    /// else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(REQUEST_ID).iter();
        match (given.next(), given.next()) {
            (Some(only), None) => only.to_str().ok().filter(|text| well_formed(text)).map(|t| Self(t.into())),
            _ => None,
        }
        .unwrap_or_else(Self::fresh)
    }

    /// A new id: `req_` and 128 bits of chance, which it is very unlikely that any process ever repeats.
    pub fn fresh() -> Self {
        let mut text = *b"req_00000000000000000000000000000000";
        let (_, digits) = text.split_at_mut(4);
        for (half, bits) in digits.chunks_exact_mut(16).zip([seed(), seed()]) {
            let (low, high) = half.split_at_mut(8);
            low.copy_from_slice(&eight_digits(bits & 0xffff_ffff));
            high.copy_from_slice(&eight_digits(bits >> 32));
        }
        Self(std::str::from_utf8(&text).unwrap_or("req_").into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id's text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The id as a header value.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hexadecimal digits of 32 bits, the lowest first, all at once: formatting machinery would cost more than everything
/// else about an id, in every request.
const fn eight_digits(bits: u64) -> [u8; 8] {
    const ONES: u64 = u64::MAX / 255;
    // Each half byte into a byte of its own.
    let mut bytes = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bytes = (bytes | bytes << 8) & 0x00ff_00ff_00ff_00ff;
    bytes = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // One where it is ten or more: then it is a letter, which stands this much further up than the digits.
    let letters = ((bytes + 6 * ONES) >> 4) & ONES;
    (bytes + 0x30 * ONES + 0x27 * letters).to_le_bytes()
}

fn well_formed(text: &str) -> bool {
    (1..=MAX_LEN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

/// Chance for ids and routing: in each thread a `SplitMix64` sequence (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014) of its own, with its own start and its own odd step, so that two threads share no counter and
/// do not run into each other's sequence.
///
/// Unpredictable enough to spread load, not a secret.
pub fn seed() -> u64 {
    thread_local! {
        static SEQUENCE: Cell<(u64, u64)> = Cell::new((random(), random() | 1));
    }
    let (last, step) = SEQUENCE.get();
    let mut z = last.wrapping_add(step);
    SEQUENCE.set((z, step));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A place to start from; where the system has no chance to give, the one that the thread's hash tables have.
fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|v| (REQUEST_ID, HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn a_well_formed_id_of_the_client_is_kept() {
        assert_eq!(RequestId::of(&given(&["trace-1_2.3:4"])).as_str(), "trace-1_2.3:4");
    }

    #[test]
    fn anything_else_gets_a_new_one() {
        let long: &'static str = "x".repeat(129).leak();
        for values in [&[][..], &[""], &["a b"], &["a\tb"], &["a", "b"], &["\u{1b}[2J"], &[long]] {
            if values.iter().any(|v| HeaderValue::from_str(v).is_err()) {
                continue;
            }
            let id = RequestId::of(&given(values));
            assert!(id.as_str().starts_with("req_") && id.as_str().len() == 36, "{id}");
        }
    }

    #[test]
    fn digits_are_those_that_formatting_writes() {
        for bits in [0, 9, 10, 0x0123_4567, 0x89ab_cdef, 0xffff_ffff] {
            let mut lowest_last = eight_digits(bits);
            lowest_last.reverse();
            assert_eq!(std::str::from_utf8(&lowest_last), Ok(format!("{bits:08x}").as_str()));
        }
    }

    #[test]
    fn ids_do_not_repeat_on_any_thread() {
        let some = || (0..2_500).map(|_| RequestId::fresh().to_string()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(some)).collect();
        let mut ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10_000);
    }
}
