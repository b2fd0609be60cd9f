use std::fmt;

/// Where an effective value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// The line, from 1.
        line: u32,
    },
    /// An environment variable, by its name.
    Env(String),
}

/// Every key, where its value comes from, and the value itself; secrets are masked. In the order of the reference.
pub type Origins = Vec<(String, Origin, String)>;

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line } => write!(f, "file, line {line}"),
            Self::Env(name) => write!(f, "{name}"),
        }
    }
}
