use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use foldhash::fast::RandomState;

/// A map whose keys are ids of rows. Nobody outside chooses them, so finding one takes a multiplication and no secret.
pub type ById<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// A map whose keys the operator has chosen or the program itself, and which others only look things up in: whatever they
/// look for, they cannot make two keys meet, so finding one takes a fast hash and no secret one.
pub type Known<K, V> = HashMap<K, V, RandomState>;

/// Hashes the number that an id is.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

// === impl IdHasher ===

impl IdHasher {
    /// An odd number near 2^64 divided by the golden ratio: neighbouring ids come to lie far from each other.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(Self::SPREAD);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    fn finish(&self) -> u64 {
        // Maps look at the lowest bits as well as at the highest.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;
    use crate::ChannelId;

    #[test]
    fn an_id_is_found_among_many() {
        let map: ById<ChannelId, i64> = (0..10_000).map(|id| (ChannelId(id), id)).collect();
        assert!((0..10_000).all(|id| map.get(&ChannelId(id)) == Some(&id)));
        assert_eq!(map.get(&ChannelId(10_000)), None);
    }

    #[test]
    fn neighbouring_ids_differ_in_the_low_bits_and_in_the_high_ones() {
        let build = BuildHasherDefault::<IdHasher>::default();
        let hashes = || (0..1_024).map(|id| build.hash_one(ChannelId(id)));
        let low: HashSet<u64> = hashes().map(|hash| hash & 1_023).collect();
        let high: HashSet<u64> = hashes().map(|hash| hash >> 57).collect();
        assert!(low.len() > 512 && high.len() == 128, "{} and {}", low.len(), high.len());
    }
}
