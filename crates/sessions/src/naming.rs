/// The ids that a call carries and that may name its conversation, strongest first. An empty one counts as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Naming<'a> {
    /// The body's `prompt_cache_key`: the client says itself what shares a cache.
    pub prompt_cache_key: Option<&'a str>,
    /// The session header, as it came: header values need not be text.
    pub header: Option<&'a [u8]>,
    /// The session or conversation id in the body's `metadata`.
    pub metadata: Option<&'a str>,
    /// The body's `user`: the client's own user, whose calls belong together more than those of a key.
    pub user: Option<&'a str>,
}

/// What named a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The body's `prompt_cache_key`.
    PromptCacheKey,
    /// The session header.
    Header,
    /// The body's `metadata`.
    Metadata,
    /// The body's `user`.
    User,
    /// Nothing in the call: the user of the API key.
    Key,
}

// === impl Naming ===

impl<'a> Naming<'a> {
    /// The id that counts, and where it stood; `None` when every one is absent or empty.
    pub(crate) fn first(&self) -> Option<(&'a [u8], Source)> {
        let ranked = [
            (self.prompt_cache_key.map(str::as_bytes), Source::PromptCacheKey),
            (self.header, Source::Header),
            (self.metadata.map(str::as_bytes), Source::Metadata),
            (self.user.map(str::as_bytes), Source::User),
        ];
        ranked.into_iter().find_map(|(id, source)| Some((id.filter(|id| !id.is_empty())?, source)))
    }
}

// === impl Source ===

impl Source {
    /// Every source, strongest first.
    pub const ALL: [Self; 5] = [Self::PromptCacheKey, Self::Header, Self::Metadata, Self::User, Self::Key];

    /// The word for it in records, headers and the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PromptCacheKey => "prompt_cache_key",
            Self::Header => "header",
            Self::Metadata => "metadata",
            Self::User => "user",
            Self::Key => "key",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_domain::UserId;

    use super::*;
    use crate::SessionKey;

    fn named(naming: &Naming<'_>) -> (SessionKey, Source) {
        SessionKey::named(UserId(1), Arc::from("gpt-4o"), naming)
    }

    fn conversation(id: &[u8]) -> SessionKey {
        SessionKey::of_conversation(UserId(1), "gpt-4o".into(), id)
    }

    const ALL: Naming<'_> = Naming {
        prompt_cache_key: Some("cache"),
        header: Some(b"header"),
        metadata: Some("metadata"),
        user: Some("user"),
    };

    #[test]
    fn the_strongest_name_counts_and_says_where_it_stood() {
        let mut naming = ALL;
        assert_eq!(named(&naming), (conversation(b"cache"), Source::PromptCacheKey));
        naming.prompt_cache_key = None;
        assert_eq!(named(&naming), (conversation(b"header"), Source::Header));
        naming.header = None;
        assert_eq!(named(&naming), (conversation(b"metadata"), Source::Metadata));
        naming.metadata = None;
        assert_eq!(named(&naming), (conversation(b"user"), Source::User));
        naming.user = None;
        let user = SessionKey::of_user(UserId(1), "gpt-4o".into());
        assert_eq!(named(&naming), (user, Source::Key));
    }

    #[test]
    fn an_empty_name_counts_as_absent() {
        let empty =
            Naming { prompt_cache_key: Some(""), header: Some(b""), metadata: Some(""), user: Some("") };
        assert_eq!(named(&empty).1, Source::Key);
        assert_eq!(named(&Naming { user: Some("ann"), ..empty }).1, Source::User);
        assert_eq!(named(&Naming { user: Some(" "), ..empty }), (conversation(b" "), Source::User));
    }

    #[test]
    fn an_id_is_the_same_conversation_however_it_is_sent() {
        let ways = [
            Naming { prompt_cache_key: Some("chat-7"), ..Naming::default() },
            Naming { header: Some(b"chat-7"), ..Naming::default() },
            Naming { metadata: Some("chat-7"), ..Naming::default() },
            Naming { user: Some("chat-7"), ..Naming::default() },
        ];
        for way in ways {
            assert_eq!(named(&way).0, conversation(b"chat-7"));
        }
    }

    #[test]
    fn a_header_that_is_no_text_or_very_long_names_a_session_by_all_its_bytes() {
        let header = |bytes: &[u8]| named(&Naming { header: Some(bytes), ..Naming::default() }).0;
        assert_ne!(header(b"\xff\xfe"), header(b"\xff\xfd"), "not decoded: both would be U+FFFD twice");
        let mut long = vec![b'x'; 100_000];
        let one = header(&long);
        long[99_999] = b'y';
        assert_ne!(header(&long), one, "not cut: the ids differ in the last byte only");
    }

    #[test]
    fn every_source_has_a_word_of_its_own() {
        let words: std::collections::HashSet<&str> = Source::ALL.into_iter().map(Source::as_str).collect();
        assert_eq!(words.len(), Source::ALL.len());
    }
}
