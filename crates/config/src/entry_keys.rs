//! Every key of the lists, once.

/// A key of the entries of `[[channels]]`, `[[models]]` and `[[users]]`.
#[derive(Debug)]
pub(crate) struct EntryKey {
    /// Its name within the entry.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) kind: &'static str,
    /// As it is written in TOML; empty: there is none.
    pub(crate) default: &'static str,
    /// What it means, in one line.
    pub(crate) meaning: &'static str,
}

const fn entry(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> EntryKey {
    EntryKey { name, kind, default, meaning }
}

/// The keys of a list's entries.
pub(crate) static LISTS: &[(&str, &[EntryKey])] =
    &[("channels", CHANNEL), ("models", MODEL), ("models.channels", MAPPING), ("users", USER)];

const TIME: &str = "time (\"30s\", or seconds)";

pub(crate) static CHANNEL: &[EntryKey] = &[
    entry("name", "string, required", "", "Its name: unique, shown in headers, logs and metrics."),
    entry("base_url", "URL, required", "", "Where it answers; with an empty path /v1 is appended."),
    entry("api_key", "secret", "\"\"", "The upstream key; empty for servers that want none."),
    entry(
        "weight",
        "number from 0 to 1000000",
        "10",
        "Its share of traffic relative to its neighbours; 0 drains it.",
    ),
    entry("enabled", "true or false", "true", "A disabled channel gets no traffic."),
    entry("max_concurrency", "number from 1", "", "Most calls at a time; without it there is no limit."),
    entry(
        "models",
        "list of strings",
        "[]",
        "Models it serves under their own names; \"*\" is every model not mapped otherwise.",
    ),
    entry(
        "probe",
        "\"models\" | \"off\" | \"/path\" | { chat = \"model\" } | { chat_stream = … } | { embeddings = … } | { responses = … }",
        "\"models\"",
        "How its health is asked.",
    ),
    entry(
        "tier",
        "number from 0 to 255",
        "0",
        "Tier 0 is asked first; the next one only when nobody in the tiers before it will do.",
    ),
    entry(
        "requests_per_minute",
        "number from 1 to 1000000000",
        "",
        "Calls that the account takes in a minute, counted by this process; without it there is no limit.",
    ),
    entry(
        "tokens_per_minute",
        "number from 1 to 1000000000",
        "",
        "Tokens that the account takes in a minute, counted by this process; without it there is no limit.",
    ),
    entry(
        "add_cache_key",
        "true or false",
        "false",
        "Sends prompt_cache_key upstream where the caller gave none.",
    ),
    entry("connect_timeout", TIME, "proxy.connect_timeout", "Longest time for a connection to it."),
    entry(
        "first_byte_timeout",
        TIME,
        "proxy.first_byte_timeout",
        "Longest wait for the first byte of its streamed answers.",
    ),
    entry(
        "stream_gap_timeout",
        TIME,
        "proxy.stream_gap_timeout",
        "Longest silence inside its streamed answers.",
    ),
    entry(
        "pool_idle_timeout",
        TIME,
        "proxy.pool_idle_timeout",
        "How long an idle connection to it is kept; where channels share an origin, as the last one that used it says.",
    ),
];

pub(crate) static MODEL: &[EntryKey] = &[
    entry("name", "string, required", "", "The name that clients ask for; unique."),
    entry("channels", "list of tables, required", "", "The channels that serve it."),
    entry(
        "policy",
        "adaptive | weighted_score | weighted | least_inflight | round_robin",
        "proxy.policy",
        "How a channel is chosen.",
    ),
    entry(
        "slack_percent",
        "number from 100 to 10000",
        "proxy.slack_percent",
        "How slow a channel may be before it loses traffic, in percent of the others' latency.",
    ),
    entry("sticky", "true or false", "proxy.sticky", "Whether a session stays with its channel."),
    entry(
        "cut",
        "true or false",
        "proxy.cut",
        "Whether a slow first token is given up when another channel is much faster; false for models that think.",
    ),
    entry(
        "hedge",
        "\"learned\" | time | { after = \"learned\" | time, max_percent = number from 1 to 50 }",
        "",
        "When a late call is sent to a second channel too, and for how many in a hundred calls; without it never.",
    ),
];

pub(crate) static MAPPING: &[EntryKey] = &[
    entry("channel", "string, required", "", "The name of a declared channel."),
    entry("model", "string", "the model's name", "What that channel calls the model."),
    entry(
        "weight",
        "number from 0 to 1000000",
        "10",
        "Multiplies the channel's weight for this model; 0 drains.",
    ),
];

pub(crate) static USER: &[EntryKey] = &[
    entry("name", "string, required", "", "Recognises the user; unique among the declared ones."),
    entry("key", "secret", "", "Its gateway key; this or keys."),
    entry("keys", "list of secrets", "", "Its gateway keys, when it has several."),
    entry("enabled", "true or false", "true", "A disabled user's keys are refused."),
    entry("models", "list of strings", "[\"*\"]", "The models its keys may use; \"*\" is all."),
    entry(
        "may_explain",
        "true or false",
        "false",
        "Whether its keys may ask with x-gateway-explain why a call went where it went.",
    ),
];
