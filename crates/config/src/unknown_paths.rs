/// What becomes of paths below `/v1` that the gateway does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPaths {
    /// They are not found.
    Refuse,
    /// They are carried to the channel of the model that a JSON body names, or to the default channel.
    Pass,
}

// === impl UnknownPaths ===

impl UnknownPaths {
    /// Both, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Pass];

    /// Their words, in the same order.
    pub(crate) const WORDS: [&str; 2] = [Self::Refuse.as_str(), Self::Pass.as_str()];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Pass => "pass",
        }
    }
}
