use gateway_domain::ChannelId;

use crate::{ChannelSet, Micros, SessionKey, Ticket, Verdict};

/// What is known of a request when its channel is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its session, when it has one. Without one, each request is drawn for itself.
    pub session: Option<SessionKey>,
    /// The channel that served the session last. It is taken again while it is well, in its tier.
    pub pinned: Option<ChannelId>,
    /// Whether the answer is a stream: then the first token is worth waiting for with a deadline.
    pub streaming: bool,
    /// About how many tokens the prompt has. Taken from the channel's `tokens_per_minute`, where it has any, until the
    /// outcome tells better; 0 when unknown.
    pub prompt_tokens: u32,
    /// 0 for the first attempt of a request, 1 for its first retry, and so on.
    pub attempt: u8,
    /// Channels never to choose: those this request has tried.
    pub excluded: &'a ChannelSet,
    /// When given, only these channels may be chosen.
    pub filter: Option<&'a ChannelSet>,
}

/// The channel chosen for one attempt.
#[derive(Debug)]
pub struct Decision {
    /// The channel to send to.
    pub channel: ChannelId,
    /// What the attempt's progress and end must be told to. Dropping it says that the attempt was cancelled.
    pub ticket: Ticket,
    /// Why this channel.
    pub reason: Reason,
    /// How long after the decision to ask [`Ticket::confirm_cut`], if no token has come by then. A length of time,
    /// not a moment. `None`: just wait.
    pub first_token_deadline: Option<Micros>,
    /// The attempt is the trial of a channel that failed before.
    pub probe: bool,
    /// No channel was fit; this is the least unfit one.
    pub panic: bool,
    /// The first channel in the session's order, were all of them well; `None` for a request without a session. Told
    /// also when it is the one that was chosen.
    pub home: Option<ChannelId>,
    /// The chosen channel's health, in (0, 1].
    pub health: f64,
    /// How late a first token (of a stream) or an answer (otherwise) must be for a second attempt elsewhere to be
    /// worth it: what five in a hundred of the pool's recent good answers of this kind were, or four times their
    /// median, whichever is less. A length of time from the decision on; `None` while fewer than twenty were seen.
    /// The same with every policy.
    pub hedge_after: Option<Micros>,
}

/// Why a channel was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is the session's home by rendezvous.
    Home,
    /// It served the session last.
    Pinned,
    /// The session's home is not fit now; this is the next in the session's order.
    Spill,
    /// The request has no session; drawn by the policy.
    Keyless,
    /// It failed before and is given a trial.
    Probe,
    /// An earlier attempt failed elsewhere.
    Retry,
    /// No channel is fit; this is the least unfit one.
    Panic,
    /// There is no other channel.
    OnlyOne,
}

/// Why no channel was chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// The pool has no channel with weight (that the filter lets through).
    #[error("no channel serves this")]
    Empty,
    /// Every channel has been tried.
    #[error("every channel has been tried")]
    AllExcluded,
    /// Every channel that remains is at its configured concurrency, or some are and the others are limited.
    #[error("no channel is available")]
    Unavailable {
        /// What keeps each channel of the pool out.
        exclusions: Vec<(ChannelId, Verdict)>,
    },
    /// Every channel that remains is waiting for an upstream rate limit to pass or for its own budget to refill.
    #[error("every channel is rate limited")]
    AllLimited {
        /// How long until the first of them may be asked again. A length of time.
        retry_after: Micros,
    },
}

// === impl Reason ===

impl Reason {
    /// The word for it in headers, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Pinned => "pinned",
            Self::Spill => "spill",
            Self::Keyless => "keyless",
            Self::Probe => "probe",
            Self::Retry => "retry",
            Self::Panic => "panic",
            Self::OnlyOne => "only_one",
        }
    }
}
