use std::sync::Arc;
use std::time::Duration;

use crate::worded::worded;
use crate::{Attempts, ChannelId, KeyId, UnixMillis, Usage, UserId};

/// The finished story of one client request.
///
/// Holds no prompt, no answer text and no key: it may be stored, logged and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// `x-request-id`.
    pub request_id: Arc<str>,
    /// When the request's head had arrived.
    pub started_at: UnixMillis,
    /// Who asked, when the key was recognised.
    pub user: Option<UserId>,
    /// With which key.
    pub key: Option<KeyId>,
    /// The endpoint's template, e.g. `/v1/chat/completions`; `other` for paths that no row of the table knows.
    pub endpoint: &'static str,
    /// The public model name, when it is one the gateway knows.
    pub model: Option<Arc<str>>,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// The tries, in order.
    pub attempts: Attempts,
    /// How it ended.
    pub outcome: ExchangeOutcome,
    /// The status the client got; 499 when it left before one was sent.
    pub status: u16,
    /// From the request's head to the first byte of the answer's body.
    pub first_byte: Option<Duration>,
    /// From the request's head to the end.
    pub total: Duration,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body that went to the client.
    pub bytes_out: u64,
    /// Its tokens, and who counted them: those of the attempt that answered.
    pub usage: Usage,
    /// Which key named the session (`prompt_cache_key`, `header`, `metadata`, `user`, `key`); empty when none was
    /// made.
    pub session_source: &'static str,
}

/// One try at one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The channel that was tried.
    pub channel: ChannelId,
    /// Its name at that time.
    pub channel_name: Arc<str>,
    /// Why routing chose it, in one word (`home`, `spill`, `probe`, `retry`, …).
    pub reason: &'static str,
    /// The status that the channel gave, when it gave one.
    pub status: Option<u16>,
    /// From sending to the first byte of the answer's body.
    pub first_byte: Option<Duration>,
    /// From sending to its end.
    pub total: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The session's home, when it was another channel than the one that was tried.
    pub home: Option<ChannelId>,
    /// How well the channel was held to be when it was chosen, from 0 to 1.
    pub health: f32,
    /// Whether it ran beside another attempt of the same call that was slow.
    pub hedge: bool,
}

worded! {
    /// How one try ended. The words are used as metric labels and in logs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum AttemptOutcome {
        /// A whole, good answer.
        Ok = "ok",
        /// The upstream refused what the client asked (400, 404, 413, 422 …): the client's own fault.
        CallerError = "caller_error",
        /// 429.
        RateLimited = "rate_limited",
        /// 401 or 403: the channel's key is refused.
        Credentials = "credentials",
        /// The account's money or quota is gone; waiting a moment does not help.
        Quota = "quota",
        /// The channel does not have this model; blames neither it nor the client.
        Unserved = "unserved",
        /// 5xx.
        ServerError = "server_error",
        /// No connection: refused, reset, DNS, TLS, connect timeout.
        Connect = "connect",
        /// No first byte, or no next one, in time.
        Timeout = "timeout",
        /// Closed or reset before the answer was whole.
        Broken = "broken",
        /// An answer that is none: HTML, an empty body, broken framing, a redirect.
        BadAnswer = "bad_answer",
        /// The client left, or the gateway stopped.
        Cancelled = "cancelled",
        /// Given up by the gateway: its first token was late, and another channel was much faster.
        Cut = "cut",
        /// Another attempt of the same call answered first.
        Superseded = "superseded",
    }
}

worded! {
    /// How the exchange ended, as the client saw it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ExchangeOutcome {
        /// A whole, good answer.
        Ok = "ok",
        /// An error answer that is the client's own fault (4xx).
        ClientError = "client_error",
        /// An error answer because no channel could serve.
        UpstreamError = "upstream_error",
        /// An error answer because the gateway itself failed.
        GatewayError = "gateway_error",
        /// The answer began and broke off.
        Interrupted = "interrupted",
        /// The client left first.
        ClientGone = "client_gone",
    }
}

// === impl AttemptOutcome ===

impl AttemptOutcome {
    /// Whether the channel is to blame. The client's own errors and its leaving never count against a channel, nor do
    /// attempts that the gateway itself gave up.
    pub const fn blames_channel(self) -> bool {
        match self {
            Self::Ok
            | Self::CallerError
            | Self::RateLimited
            | Self::Unserved
            | Self::Cancelled
            | Self::Cut
            | Self::Superseded => false,
            Self::Credentials
            | Self::Quota
            | Self::ServerError
            | Self::Connect
            | Self::Timeout
            | Self::Broken
            | Self::BadAnswer => true,
        }
    }
}
