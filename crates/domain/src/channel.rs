use std::sync::Arc;

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
    /// Who may change it.
    pub managed_by: ManagedBy,
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
