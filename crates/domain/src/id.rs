use std::fmt;

/// Declares a newtype over the row number that storage gives to one kind of thing.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// An upstream account.
    ChannelId,
    /// A public model name.
    ModelId,
    /// One way in which a model is served: model → channel.
    MappingId,
    /// A holder of gateway keys.
    UserId,
    /// One gateway key of a user.
    KeyId,
    /// A remembered user → channel binding.
    SessionId,
}
