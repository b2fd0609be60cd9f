use std::time::Duration;

/// `[objects]`: files, responses, batches and whatever else lives at the account that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectSettings {
    /// What becomes of a call that names an object that the gateway has no record of.
    pub unknown_ids: UnknownIds,
    /// Whether users may use their own objects only.
    pub isolation: Isolation,
    /// How long the channel of a stored response is remembered; zero: until the response is deleted.
    pub keep_responses: Duration,
}

/// What becomes of a call that names an object that the gateway has no record of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownIds {
    /// It goes where it would go without: the object may have been made before the gateway came.
    #[default]
    Pass,
    /// It is refused: there are no objects but those that were made through the gateway.
    Refuse,
}

/// Whether users may use their own objects only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Another user's object does not exist.
    #[default]
    On,
    /// Whoever knows an id may use it: all users are one tenant.
    Off,
}

// === impl ObjectSettings ===

impl Default for ObjectSettings {
    fn default() -> Self {
        Self {
            unknown_ids: UnknownIds::default(),
            isolation: Isolation::default(),
            // As long as OpenAI keeps a response.
            keep_responses: Duration::from_hours(24 * 30),
        }
    }
}

// === impl UnknownIds ===

impl UnknownIds {
    /// Every way, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Pass, Self::Refuse];

    /// Their words, in the same order.
    pub(crate) const WORDS: [&str; 2] = [Self::Pass.as_str(), Self::Refuse.as_str()];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Refuse => "refuse",
        }
    }
}

// === impl Isolation ===

impl Isolation {
    /// Every way, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::On, Self::Off];

    /// Their words, in the same order.
    pub(crate) const WORDS: [&str; 2] = [Self::On.as_str(), Self::Off.as_str()];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}
