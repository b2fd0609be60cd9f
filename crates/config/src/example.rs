use crate::keys::KEYS;
use crate::{Reload, Settings};

/// The example file: every key, explained, in a comment and at its default.
///
/// Explanations begin with `# `, values with `#` alone: take that `#` away to set one.
pub fn example() -> String {
    let defaults = Settings::default();
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (own_section, name) = key.parts();
        if own_section != section {
            section = own_section;
            text.extend(["\n[", section, "]\n"]);
        }
        let value = key.field.show(&defaults).map_or_else(|| key.example.to_owned(), |shown| shown.toml());
        let restart = if key.reload == Reload::Restart { " (restart)" } else { "" };
        text.extend(["# ", key.meaning, restart, "\n#", name, " = ", &value, "\n"]);
    }
    text + TAIL
}

const HEAD: &str = r#"# openai-gateway: every key, at its default.
#
# Take the first # of a line away to set it. All of it can be left out: without any file the gateway runs on
# the built-in defaults, and channels, models and users are made through the admin API.
#
# Times are "30s", "5m", "1h30m", "250ms"; a plain number is seconds (session.idle_timeout: minutes).
# Sizes are "32MiB", "64KiB"; a plain number is bytes.
# Secrets are "env:NAME" (a variable), "file:/path" (a file, relative to this one), or the secret itself.
# Every key can be set by a variable: server.port by GATEWAY_SERVER__PORT, server.tls.cert by
# GATEWAY_SERVER__TLS__CERT. GATEWAY_ADMIN_TOKEN and GATEWAY_MASTER_KEY are short for admin.token and
# database.master_key. A variable wins over this file.
# The file is read again when it changes; keys marked (restart) wait for the next start.
"#;

const TAIL: &str = r#"
# Channels, models and users may be declared here too. What is declared here is changed here only: the admin API
# shows it and refuses to change it.

# A channel: one upstream account.
#[[channels]]
# Its name: unique, shown in headers, logs and metrics.
#name = "openai"
# Where it answers; with an empty path /v1 is appended.
#base_url = "https://api.openai.com"
# The upstream key; leave it out for servers that want none.
#api_key = "env:OPENAI_API_KEY"
# Its share of traffic relative to its neighbours; 0 drains it.
#weight = 10
# A disabled channel gets no traffic.
#enabled = true
# Most calls at a time; without it there is no limit.
#max_concurrency = 100
# Models it serves under their own names; "*" is every model not mapped otherwise.
#models = ["gpt-4o", "*"]
# How its health is asked: "models" (GET /models), "off", "/path" (any 2xx is well), { chat = "model" }
# (a one-token completion), { chat_stream = "model" } (the same as a stream), { embeddings = "model" } or
# { responses = "model" }.
#probe = "models"
# Tier 0 is asked first; the next one only when nobody in the tiers before it will do.
#tier = 0
# What the account takes in a minute, counted by this process; without them there is no limit.
#requests_per_minute = 500
#tokens_per_minute = 200000
# Sends prompt_cache_key upstream where the caller gave none, so that one session's calls find the provider's cache.
#add_cache_key = false
# Times of its own in place of those of [proxy].
#connect_timeout = "3s"
#first_byte_timeout = "1m"
#stream_gap_timeout = "2m"
# An idle connection to it is kept so long: less than what its side, or what stands between, keeps it.
#pool_idle_timeout = "30s"

# A model: a name that clients ask for, and the channels that serve it.
#[[models]]
# The name that clients ask for; unique.
#name = "fast"
# Each with the channel's name, that channel's own name for the model (the same when left out), and a weight
# that multiplies the channel's.
#channels = [{ channel = "openai", model = "gpt-4o-mini", weight = 10 }]
# How its calls are routed, in place of what [proxy] says. cut = false is for models that think before they speak.
#policy = "adaptive"
#slack_percent = 150
#sticky = true
#cut = true
# Sends a late call to a second channel too, at most for so many in a hundred calls: "learned" is later than nearly
# all recent answers, "2s" is a time of your own. Without it never.
#hedge = { after = "learned", max_percent = 5 }

# A user: whoever holds gateway keys.
#[[users]]
# Its name; unique.
#name = "team-a"
# Its key. With several, write keys = ["env:ONE", "env:TWO"] instead.
#key = "env:TEAM_A_KEY"
# A disabled user's keys are refused.
#enabled = true
# The models its keys may use; "*" is all.
#models = ["*"]
# Whether its keys may ask with x-gateway-explain why a call went where it went.
#may_explain = false
"#;

#[cfg(test)]
mod tests;
