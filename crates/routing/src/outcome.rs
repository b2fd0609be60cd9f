use crate::Micros;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What happened.
    pub kind: Kind,
    /// The upstream's `Retry-After`, as a length of time. Heeded with 429, 503 and 529.
    pub retry_after: Option<Micros>,
    /// Tokens of the prompt, when the upstream counted them. They and the answer's settle what was taken from the
    /// channel's `tokens_per_minute`.
    pub prompt_tokens: u32,
    /// Of these, how many came from the upstream's cache.
    pub cached_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
}

/// What happened to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A whole, good answer.
    Ok,
    /// A 5xx.
    ServerError(u16),
    /// No connection: refused, reset, DNS, TLS, connect timeout.
    Connect,
    /// The hard limit passed without a first byte, or without a next one.
    Timeout,
    /// The stream ended before its end.
    BrokenStream,
    /// An answer that is none: HTML, an empty body, broken framing.
    BadAnswer,
    /// 429.
    RateLimited,
    /// A 4xx that is the caller's own fault. Says nothing of the channel.
    CallerError(u16),
    /// 401, 402 or 403: the channel's key is refused or its money is gone.
    Credentials,
    /// The channel does not serve this model: it is left alone in this pool for a minute, and neither it nor the
    /// caller is to blame.
    Unserved,
    /// We gave up waiting for the first token after [`Ticket::confirm_cut`](crate::Ticket::confirm_cut) agreed.
    Cut,
    /// The client left, or the ticket was dropped. Says at most how long nothing had come.
    Cancelled,
}

// === impl Outcome ===

impl Outcome {
    /// An outcome that tells nothing but its kind.
    pub const fn of(kind: Kind) -> Self {
        Self { kind, retry_after: None, prompt_tokens: 0, cached_tokens: 0, output_tokens: 0 }
    }
}
