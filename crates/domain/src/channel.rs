use std::sync::Arc;
use std::time::Duration;

use crate::{BaseUrl, ChannelId, Secret};

/// The weight of a channel or mapping that names none, as in the original gateway.
pub const DEFAULT_WEIGHT: u32 = 10;

/// An upstream account: where it answers, the key it takes, and how much of the traffic it should get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its row.
    pub id: ChannelId,
    /// Its name: unique, shown in headers, logs and metrics.
    pub name: Arc<str>,
    /// Where it answers.
    pub base_url: BaseUrl,
    /// The upstream key; empty for servers that want none.
    pub api_key: Secret<String>,
    /// Its share of traffic relative to its neighbours; 0 drains it.
    pub weight: u32,
    /// A disabled channel gets no traffic at all.
    pub enabled: bool,
    /// Serves every model name that is not mapped otherwise, under the name that the client gave (`models = ["*"]`).
    pub serves_any_model: bool,
    /// At most this many calls at a time; `None` is no limit.
    pub max_concurrency: Option<u32>,
    /// How its health is asked.
    pub probe: ProbePlan,
    /// What is rarely set: its tier, its limits, its times.
    pub tuning: ChannelTuning,
    /// Who may change it.
    pub managed_by: ManagedBy,
}

/// What an operator may say of a channel beyond its address, its key and its weight. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelTuning {
    /// When it is asked: the channels of tier 0 first, those of the next tier only when nobody in this one will do.
    pub tier: u8,
    /// Calls that the account takes in a minute, counted by this process; `None` is no limit.
    pub requests_per_minute: Option<u32>,
    /// Tokens, of requests and answers together, that the account takes in a minute, counted by this process;
    /// `None` is no limit.
    pub tokens_per_minute: Option<u32>,
    /// Sends `prompt_cache_key` upstream where the caller gave none, so that the calls of one session find the
    /// provider's cache.
    pub add_cache_key: bool,
    /// The longest time for a connection, in place of the gateway's.
    pub connect_timeout: Option<Duration>,
    /// The longest wait for the first byte of a streamed answer, in place of the gateway's.
    pub first_byte_timeout: Option<Duration>,
    /// The longest silence inside a streamed answer, in place of the gateway's.
    pub stream_gap_timeout: Option<Duration>,
    /// How long an idle connection to it is kept, in place of the gateway's: less than what its own side, or whatever
    /// stands between, keeps it.
    pub pool_idle_timeout: Option<Duration>,
}

/// How a channel is asked whether it is well.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ProbePlan {
    /// `GET {base}/models` with the channel's key: costs nothing, proves address and key.
    #[default]
    Models,
    /// `GET {base}{path}` with the channel's key; any 2xx is well. The path begins with a slash.
    Path(String),
    /// A one-token chat completion with this upstream model: costs a little, proves the most.
    Chat {
        /// The upstream's name for the model.
        model: String,
    },
    /// The same, streamed: proves that the channel's streams begin and end as they should.
    ChatStream {
        /// The upstream's name for the model.
        model: String,
    },
    /// The embedding of one word with this upstream model, for channels that serve nothing else.
    Embeddings {
        /// The upstream's name for the model.
        model: String,
    },
    /// A response of a few tokens (`/v1/responses`) with this upstream model.
    Responses {
        /// The upstream's name for the model.
        model: String,
    },
    /// Never asked; judged by traffic alone.
    Off,
}

/// Where a row comes from, and so who may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ManagedBy {
    /// Made through the admin API, and changed there.
    #[default]
    Api,
    /// Declared in the configuration file, and changed there only.
    File,
}

// === impl ChannelTuning ===

impl ChannelTuning {
    /// The largest limit per minute.
    pub const MOST_PER_MINUTE: u32 = 1_000_000_000;
}

// === impl ProbePlan ===

impl ProbePlan {
    /// The word for its shape on every surface.
    pub const fn shape(&self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Path(_) => "path",
            Self::Chat { .. } => "chat",
            Self::ChatStream { .. } => "chat_stream",
            Self::Embeddings { .. } => "embeddings",
            Self::Responses { .. } => "responses",
            Self::Off => "off",
        }
    }

    /// The upstream's name of the model that it asks for, if it asks for one.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Chat { model }
            | Self::ChatStream { model }
            | Self::Embeddings { model }
            | Self::Responses { model } => Some(model),
            Self::Models | Self::Path(_) | Self::Off => None,
        }
    }

    /// A plan that asks for this model, of one of the shapes that ask for one.
    pub fn of_shape(shape: &str, model: String) -> Option<Self> {
        match shape {
            "chat" => Some(Self::Chat { model }),
            "chat_stream" => Some(Self::ChatStream { model }),
            "embeddings" => Some(Self::Embeddings { model }),
            "responses" => Some(Self::Responses { model }),
            _ => None,
        }
    }
}
