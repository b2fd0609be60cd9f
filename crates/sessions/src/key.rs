use std::sync::Arc;

use gateway_domain::UserId;

use crate::{Naming, Source};

/// What makes two calls belong together: the same user, the same public model and, when the client names one, the
/// same conversation.
///
/// The model is part of the key because channels differ in which models they serve: a user who alternates between
/// two models has two sessions, each with its own channel, and neither displaces the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Who calls. Another user's session can never be met, whatever conversation id a client sends.
    pub user: UserId,
    /// The public model name.
    pub model: Arc<str>,
    /// 0 is the user itself; any other value is the hash of a conversation id.
    pub name: u64,
}

// === impl SessionKey ===

impl SessionKey {
    /// The session of all calls of a user for a model.
    pub const fn of_user(user: UserId, model: Arc<str>) -> Self {
        Self { user, model, name: 0 }
    }

    /// The session of a call, and what named it: the first of the names that is not empty, else the user itself.
    ///
    /// The source is no part of the key: an id is the same conversation whichever way it was sent, so a client that
    /// begins to send it differently keeps its session.
    pub fn named(user: UserId, model: Arc<str>, naming: &Naming<'_>) -> (Self, Source) {
        match naming.first() {
            Some((id, source)) => (Self::of_conversation(user, model, id), source),
            None => (Self::of_user(user, model), Source::Key),
        }
    }

    /// The session of one conversation, by whatever id the client gave it: all bytes count, of text or not, and of
    /// however many there are. Nothing is cut, trimmed or decoded, so two ids are one session only if they are equal
    /// (or collide in 64 bits, within one user's conversations for one model).
    pub fn of_conversation(user: UserId, model: Arc<str>, conversation: &[u8]) -> Self {
        let name = Fnv::new().write(conversation).finish().max(1);
        Self { user, model, name }
    }

    /// A number that is the same for the same key on every replica, in every run and every version: routing derives
    /// a session's home channel from it, and a new value would move every session.
    pub fn hash64(&self) -> u64 {
        Fnv::new()
            .write(&self.user.0.to_le_bytes())
            .write(&self.name.to_le_bytes())
            .write(self.model.as_bytes())
            .finish()
    }
}

/// FNV-1a with a final mix. FNV alone leaves the high bits of short inputs nearly constant; routing needs all of them.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn write(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(bytes.iter().fold(self.0, step))
    }

    const fn finish(self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: i64, model: &str) -> SessionKey {
        SessionKey::of_user(UserId(user), model.into())
    }

    #[test]
    fn the_hash_is_the_same_in_every_version() {
        assert_eq!(key(1, "gpt-4o").hash64(), GOLDEN_USER);
        assert_eq!(
            SessionKey::of_conversation(UserId(1), "gpt-4o".into(), b"chat-7").hash64(),
            GOLDEN_CONVERSATION
        );
    }

    const GOLDEN_USER: u64 = 18_145_384_525_206_388_244;
    const GOLDEN_CONVERSATION: u64 = 6_215_411_057_237_327_324;

    #[test]
    fn every_part_of_the_key_changes_the_hash() {
        let plain = key(1, "gpt-4o").hash64();
        assert_ne!(plain, key(2, "gpt-4o").hash64());
        assert_ne!(plain, key(1, "gpt-4").hash64());
        assert_ne!(plain, SessionKey::of_conversation(UserId(1), "gpt-4o".into(), b"").hash64());
    }

    #[test]
    fn neighbouring_users_spread_over_all_bits_of_the_hash() {
        let mut ones = [0_u32; 64];
        for user in 0..1000 {
            let hash = key(user, "m").hash64();
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(hash >> bit & 1 == 1);
            }
        }
        assert!(ones.iter().all(|count| (400..=600).contains(count)), "{ones:?}");
    }

    #[test]
    fn a_conversation_is_never_taken_for_the_user_itself() {
        for id in 0..10_000_u32 {
            let key = SessionKey::of_conversation(UserId(1), "m".into(), &id.to_le_bytes());
            assert_ne!(key.name, 0);
        }
    }
}
