use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::{ChannelId, ManagedBy, MappingId, ModelId, Policy, UnixMillis};

/// A public model name: what clients ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its row.
    pub id: ModelId,
    /// The name clients give; unique.
    pub name: Arc<str>,
    /// The channels that serve it.
    pub mappings: Vec<Mapping>,
    /// How its calls are routed where that differs from the rest.
    pub tuning: ModelTuning,
    /// Who may change it.
    pub managed_by: ManagedBy,
    /// When it was made; `created` in OpenAI's model list.
    pub created_at: UnixMillis,
}

/// How a model's calls are routed; what is `None` is as for every model. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelTuning {
    /// How a channel is chosen.
    pub policy: Option<Policy>,
    /// How slow a channel may be before it loses traffic, in percent of the fleet's latency: 100 to 10 000, where
    /// 120 is fast first and 300 weights first.
    pub slack_percent: Option<u32>,
    /// Whether a session stays with its channel.
    pub sticky: Option<bool>,
    /// Whether a slow first token is given up when another channel is much faster. Wrong for models that think
    /// before they speak.
    pub cut: Option<bool>,
    /// A second attempt beside a slow first one; `None` is none.
    pub hedge: Option<Hedge>,
}

/// When a call is sent to a second channel while the first still keeps it waiting. The first answer wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hedge {
    /// How late the first attempt must be.
    pub after: HedgeAfter,
    /// At most this share of the calls is sent twice: 1 to 50 percent.
    pub max_percent: u8,
}

/// How late an attempt must be for a second one beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HedgeAfter {
    /// Later than nearly all recent answers of the same kind.
    #[default]
    Learned,
    /// This late.
    Fixed(Duration),
}

/// One way in which a model is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its row.
    pub id: MappingId,
    /// The channel that serves.
    pub channel: ChannelId,
    /// What that channel calls the model.
    pub backend_model: Arc<str>,
    /// Multiplies the channel's weight for this model; 0 drains.
    pub weight: u32,
}

// === impl ModelTuning ===

impl ModelTuning {
    /// What [`ModelTuning::slack_percent`] may be.
    pub const SLACK_PERCENT: RangeInclusive<u32> = 100..=10_000;
}

// === impl Hedge ===

impl Hedge {
    /// What [`Hedge::max_percent`] may be.
    pub const MAX_PERCENT: RangeInclusive<u8> = 1..=50;

    /// The share of calls that a hedge sends twice at most when nobody says otherwise, in percent.
    pub const DEFAULT_MAX_PERCENT: u8 = 5;
}

impl Default for Hedge {
    fn default() -> Self {
        Self { after: HedgeAfter::Learned, max_percent: Self::DEFAULT_MAX_PERCENT }
    }
}
