//! `/api/config`: what is in force, where each value comes from, and how the last reload went.

use gateway_config::{Cause, Origin, Problem, ReloadStatus};
use serde_json::{Value, json};

use crate::Parts;
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};

/// `GET /api/config`.
pub(crate) static CONFIG: Schema = Schema {
    name: "Configuration",
    about: "The configuration in force.",
    fields: &[
        Field::integer("version", "The number of the snapshot in force.").required(),
        Field::text("file", "The configuration file; null: built-in defaults and environment only.")
            .required()
            .nullable(),
        Field::objects("settings", &SETTING, "Every key, in the order of the reference.").required(),
        Field::object("last_reload", &RELOAD, "How the last attempt to make a snapshot went.").required(),
        Field::texts("restart_needed", "Keys whose new value only a restart applies.").required(),
    ],
};

static SETTING: Schema = Schema {
    name: "Setting",
    about: "One key of the configuration.",
    fields: &[
        Field::text("key", "Its dotted name.").required(),
        Field::text("value", "Its value in force; secrets are masked.").required(),
        Field::word("origin", &["default", "file", "environment"], "Where the value comes from.").required(),
        Field::integer("line", "The line of the file.").required().nullable(),
        Field::text("variable", "The environment variable.").required().nullable(),
    ],
};

/// How a reload went, inside other answers.
pub(crate) static RELOAD: Schema = Schema {
    name: "Reload",
    about: "An attempt to make a snapshot.",
    fields: &[
        Field::moment("at", "When.").required(),
        Field::text("cause", "Why: start, file_changed, signal, api, admin_write.").required(),
        Field::flag("ok", "Whether it succeeded; if not, what was in force stays in force.").required(),
        Field::objects("problems", &PROBLEM, "What was wrong.").required(),
        Field::objects("warnings", &PROBLEM, "What is not wrong but not right either.").required(),
    ],
};

/// A problem, inside other answers.
pub(crate) static PROBLEM: Schema = Schema {
    name: "ConfigurationProblem",
    about: "One thing that is wrong in the configuration.",
    fields: &[
        Field::text("file", "The file it stands in.").required().nullable(),
        Field::integer("line", "The line, from 1.").required().nullable(),
        Field::integer("column", "The column, from 1.").required().nullable(),
        Field::text("variable", "The environment variable it stands in.").required().nullable(),
        Field::text("param", "The dotted key; empty when it is about the whole file.").required(),
        Field::text("message", "What is wrong.").required(),
        Field::text("advice", "What to do; empty when the message says it.").required(),
    ],
};

/// `POST /api/config/reload`.
pub(crate) static RELOADED: Schema = Schema {
    name: "Reloaded",
    about: "A configuration that is in force now.",
    fields: &[
        Field::integer("version", "The number of the snapshot in force.").required(),
        Field::texts("restart_needed", "Changed keys that only a restart applies.").required(),
        Field::objects("warnings", &PROBLEM, "What is not wrong but not right either.").required(),
    ],
};

/// `GET /api/config`.
pub(crate) fn show(parts: &Parts, _call: &Call) -> Answered {
    let status = parts.reload.load();
    let settings: Vec<Value> = status.origins.iter().map(setting_json).collect();
    Answer::json(&json!({
        "version": parts.live.load().version,
        "file": status.file.as_ref().map(|file| file.display().to_string()),
        "settings": settings,
        "last_reload": reload_json(&status),
        "restart_needed": status.restart_needed,
    }))
}

/// `POST /api/config/reload`: reads the file again and puts it in force, or says everything that is wrong with it.
pub(crate) async fn reload(parts: &Parts, _call: &Call) -> Answered {
    let published = parts.publisher.publish(Cause::Api).await.map_err(ApiError::Configuration)?;
    let warnings: Vec<Value> = published.warnings.iter().map(problem_json).collect();
    Answer::json(&json!({
        "version": published.version,
        "restart_needed": published.restart_needed,
        "warnings": warnings,
    }))
}

/// A problem of the configuration, in the words of this API's errors.
pub(crate) fn problem_json(problem: &Problem) -> Value {
    let Problem { file, line, column, variable, key, message, advice } = problem;
    json!({
        "file": file.as_ref().map(|file| file.display().to_string()),
        "line": line,
        "column": column,
        "variable": variable,
        "param": key,
        "message": message,
        "advice": advice,
    })
}

/// How a reload went, as [`RELOAD`] says.
pub(crate) fn reload_json(status: &ReloadStatus) -> Value {
    let all = |problems: &[Problem]| problems.iter().map(problem_json).collect::<Vec<_>>();
    json!({
        "at": rfc3339(status.last_attempt),
        "cause": status.cause.as_str(),
        "ok": status.ok,
        "problems": all(&status.problems),
        "warnings": all(&status.warnings),
    })
}

fn setting_json((key, origin, value): &(String, Origin, String)) -> Value {
    let (from, line, variable) = match origin {
        Origin::Default => ("default", None, None),
        Origin::File { line } => ("file", Some(line), None),
        Origin::Env(name) => ("environment", None, Some(name)),
    };
    json!({"key": key, "value": value, "origin": from, "line": line, "variable": variable})
}
