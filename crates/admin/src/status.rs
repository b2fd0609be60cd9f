//! `/api/status`: whether the gateway is well, on one page.

use std::sync::Arc;

use gateway_domain::Channel;
use serde_json::{Value, json};

use crate::Parts;
use crate::clock::rfc3339;
use crate::config::{RELOAD, reload_json};
use crate::health::HealthOut;
use crate::route::{Answer, Answered, Call};
use crate::routing::is_shown;
use crate::schema::{Field, Schema};

/// `GET /api/status`.
pub(crate) static STATUS: Schema = Schema {
    name: "Status",
    about: "The gateway at a glance.",
    fields: &[
        Field::text("version", "The gateway's version.").required(),
        Field::moment("started_at", "When it started.").required(),
        Field::integer("uptime_seconds", "For how long it has been running.").required(),
        Field::integer("snapshot_version", "The number of the configuration in force.").required(),
        Field::object("counts", &COUNTS, "How many there are.").required(),
        Field::objects("channels", &CHANNEL_STATE, "Every channel's state, by id.").required(),
        Field::integer("active_sessions", "Remembered sessions.").required(),
        Field::object("storage", &STORAGE, "The database and the queue before it.").required(),
        Field::object("last_reload", &RELOAD, "How the last attempt to make a snapshot went.").required(),
        Field::texts("restart_needed", "Keys whose new value only a restart applies.").required(),
    ],
};

static COUNTS: Schema = Schema {
    name: "Counts",
    about: "How many there are.",
    fields: &[
        Field::integer("channels", "Channels.").required(),
        Field::integer("enabled_channels", "Of these, enabled ones.").required(),
        Field::integer("usable_channels", "Of these, those that health lets in.").required(),
        Field::integer("models", "Models.").required(),
        Field::integer("users", "Users.").required(),
        Field::integer("pools", "Routing pools.").required(),
    ],
};

static CHANNEL_STATE: Schema = Schema {
    name: "ChannelState",
    about: "A channel in one line.",
    fields: &[
        Field::integer("id", "Its row.").required(),
        Field::text("name", "Its name.").required(),
        Field::flag("enabled", "Whether it is enabled.").required(),
        Field::object("health", &crate::health::HEALTH, "Its health.").required(),
    ],
};

static STORAGE: Schema = Schema {
    name: "StorageState",
    about: "The database and the queue before it.",
    fields: &[
        Field::flag("ok", "Whether it can be read, and the last write did not fail.").required(),
        Field::integer("queued", "Records that wait to be written.").required(),
        Field::integer("written", "Records written since the start.").required(),
        Field::integer("dropped", "Records lost since the start.").required(),
    ],
};

/// `GET /api/status`. A failing database is an answer here, not an error: this is where one looks when it fails.
pub(crate) fn show(parts: &Parts, call: &Call) -> Answered {
    let snapshot = parts.live.load();
    let reload = parts.reload.load();
    let mut channels: Vec<&Arc<Channel>> = snapshot.channels.values().collect();
    channels.sort_unstable_by_key(|channel| channel.id);
    let enabled = channels.iter().filter(|channel| channel.enabled);
    let usable = enabled.clone().filter(|channel| parts.board.is_usable(channel.id));
    let states: Vec<Value> = channels
        .iter()
        .map(|channel| {
            let health = HealthOut::of(parts, channel.id);
            json!({"id": channel.id.0, "name": *channel.name, "enabled": channel.enabled, "health": health})
        })
        .collect();
    Answer::json(&json!({
        "version": parts.version,
        "started_at": rfc3339(parts.started_at),
        "uptime_seconds": call.now.since(parts.started_at) / 1000,
        "snapshot_version": snapshot.version,
        "counts": {
            "channels": channels.len(),
            "enabled_channels": enabled.count(),
            "usable_channels": usable.count(),
            "models": snapshot.models.len(),
            "users": snapshot.users.len(),
            "pools": parts.pools.load().keys().filter(|name| is_shown(name)).count(),
        },
        "channels": states,
        "active_sessions": parts.sessions.len(),
        "storage": {
            "ok": parts.store.health().is_ok(),
            "queued": parts.recorder.queued(),
            "written": parts.recorder.written(),
            "dropped": parts.recorder.dropped(),
        },
        "last_reload": reload_json(&reload),
        "restart_needed": reload.restart_needed,
    }))
}
