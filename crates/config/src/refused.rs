/// Why one value is refused; the place is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What is wrong. Never repeats a secret.
    pub(crate) message: String,
    /// What to do; may be empty.
    pub(crate) advice: String,
}

// === impl Refused ===

impl Refused {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: String::new() }
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }
}
