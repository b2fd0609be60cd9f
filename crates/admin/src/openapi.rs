//! `GET /api/openapi.json`: the route table in the words of `OpenAPI` 3.1.

use serde_json::{Map, Value, json};

use crate::Parts;
use crate::auth::SESSION_COOKIE;
use crate::route::{Access, Answer, Answered, Call, Handler, Route, Shape, Verb};
use crate::schema::{Field, Schema, reference};
use crate::surface::ROUTES;

/// The body of every refusal.
static ERROR: Schema = Schema {
    name: "Error",
    about: "Why a call was not done, in the shape of the OpenAI API.",
    fields: &[Field::object("error", &ERROR_DETAIL, "The error.").required()],
};

static ERROR_DETAIL: Schema = Schema {
    name: "ErrorDetail",
    about: "What went wrong.",
    fields: &[
        Field::text("message", "For people; names everything that is wrong.").required(),
        Field::text("type", "The kind of error.").required(),
        Field::text("param", "The field or parameter that is wrong.").required().nullable(),
        Field::text("code", "For programs.").required(),
        Field::any("current", "When somebody else was faster: the thing as it is now, as its GET shows it."),
        Field::any("problems", "When there is a list of problems: each with param and message."),
    ],
};

/// `GET /api/openapi.json`.
pub(crate) fn show(parts: &Parts, _call: &Call) -> Answered {
    Answer::json(&document(parts.version))
}

/// The whole document.
pub(crate) fn document(version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(documented(route.path)).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(route.verb.as_str().to_ascii_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "OpenAI API Gateway: admin API",
            "version": version,
            "description": "Shows and changes the gateway. Changes are in force when they are answered. Secrets are \
                            masked; a user key is shown once, in the answer that makes it. Single things carry an \
                            ETag; send it back in If-Match to be refused when somebody else was faster. With the \
                            session cookie of the web pages in place of the token, changes must carry x-gateway-ui: 1.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "admin_token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            },
        },
    })
}

fn schemas() -> Map<String, Value> {
    let mut seen: Vec<&'static Schema> = Vec::new();
    ERROR.visit(&mut seen);
    for route in ROUTES {
        if let Some(request) = route.request {
            request.visit(&mut seen);
        }
        if let Shape::One(schema) | Shape::Many(schema) = route.response {
            schema.visit(&mut seen);
        }
    }
    seen.into_iter().map(|schema| (schema.name.to_owned(), schema.document())).collect()
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": parameters(route),
        "responses": responses(route),
        "security": match route.access {
            Access::Public => json!([]),
            Access::Admin => json!([{"admin_token": []}, {"session": []}]),
        },
    });
    if let (Some(request), Some(fields)) = (route.request, operation.as_object_mut()) {
        let required = request.fields.iter().any(|field| field.required);
        let mut content = content(&reference(request));
        if let (true, Some(kinds)) = (route.takes_text, content.as_object_mut()) {
            kinds.insert("text/plain".to_owned(), json!({"schema": {"type": "string"}}));
        }
        fields.insert("requestBody".to_owned(), json!({"required": required, "content": content}));
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = path_parameters(route.path).map(|name| {
        let kind = if matches!(name, "request_id" | "folder" | "file") { "string" } else { "integer" };
        json!({"name": name, "in": "path", "required": true, "schema": {"type": kind}})
    });
    let in_query = route.query.iter().map(|(name, about)| {
        json!({"name": name, "in": "query", "description": about, "schema": {"type": "string"}})
    });
    let if_match = takes_if_match(route).then(|| {
        json!({"name": "If-Match", "in": "header", "schema": {"type": "string"},
            "description": "The ETag of the version to change; absent: whichever there is."})
    });
    in_path.chain(in_query).chain(if_match).collect()
}

/// The names in braces.
pub(crate) fn path_parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    let name = |part: &'static str| part.strip_prefix('{')?.strip_suffix('}');
    path.split('/').filter_map(name).map(|name| name.strip_prefix('*').unwrap_or(name))
}

/// A path as `OpenAPI` spells it, which has no sign for "and everything below".
pub(crate) fn documented(path: &str) -> String {
    path.replace("{*", "{")
}

fn takes_if_match(route: &Route) -> bool {
    matches!(route.handler, Handler::Write(_))
        && matches!(route.verb, Verb::Put | Verb::Patch | Verb::Delete)
        && !route.path.contains("{key_id}")
}

/// Every status that a route can answer with.
pub(crate) fn statuses(route: &Route) -> Vec<(u16, &'static str)> {
    let mut all = vec![(route.success, "Done."), (405, "This path has no such method.")];
    let mut may = |condition: bool, status: u16, about: &'static str| {
        if condition {
            all.push((status, about));
        }
    };
    let closed = route.access == Access::Admin;
    let takes = route.request.is_some();
    let tries = matches!(route.handler, Handler::Door(_)) && takes;
    let has_query = !route.query.is_empty();
    let stores = matches!(route.handler, Handler::Write(_));
    let waits = stores || matches!(route.handler, Handler::Read(_)) || route.path.ends_with("/reload");
    let listens = matches!(route.response, Shape::Events);
    let names = path_parameters(route.path).next().is_some();
    let is_file = matches!(route.response, Shape::Html | Shape::Asset);
    let changes = matches!(route.verb, Verb::Put | Verb::Patch | Verb::Delete);
    may(is_file, 304, "The caller has it already.");
    may(closed || tries, 401, "The admin token is missing or wrong.");
    may(closed || tries, 429, "Too many wrong tokens from this address; retry-after says when.");
    may(true, 403, "The Host is not allowed, or the call comes from another site's page.");
    may(true, 413, "The body is larger than 1 MiB.");
    may(takes || has_query || names, 400, "The path, the query or the body has the wrong shape.");
    may(names || route.path.ends_with("/explain"), 404, "There is no such thing.");
    may(route.verb.writes(), 415, "The body is not declared as JSON, or is compressed.");
    let clash = "The name or key is taken, the thing is managed by the file, or it has another version.";
    may(stores && (changes || takes), 409, clash);
    may(
        takes || has_query || route.path.ends_with("/reload"),
        422,
        "A value will not do; every problem is listed.",
    );
    may(
        listens,
        503,
        "As many listen as may (retry-after says when to try again), or the gateway is stopping.",
    );
    may(waits && !listens, 503, "The database is busy or failing, or the gateway is stopping.");
    may(stores, 507, "The disk is full.");
    all.sort_unstable_by_key(|(status, _)| *status);
    all
}

fn responses(route: &Route) -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, about) in statuses(route) {
        let mut response = json!({"description": about});
        let body = if status == route.success { success(route) } else { Some(content(&reference(&ERROR))) };
        if let (Some(body), Some(fields)) = (body, response.as_object_mut()) {
            fields.insert("content".to_owned(), body);
        }
        responses.insert(status.to_string(), response);
    }
    responses
}

fn success(route: &Route) -> Option<Value> {
    match route.response {
        Shape::Nothing => None,
        Shape::One(schema) => Some(content(&reference(schema))),
        Shape::Many(schema) => Some(content(&json!({"type": "array", "items": reference(schema)}))),
        Shape::Document => Some(content(&json!({"type": "object"}))),
        Shape::Events => Some(json!({"text/event-stream": {"schema": {"type": "string"}}})),
        Shape::Html => Some(json!({"text/html": {"schema": {"type": "string"}}})),
        Shape::Asset => Some(json!({"*/*": {}})),
    }
}

fn content(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

/// The shape of refusals, for the tests that hold answers against it.
#[cfg(test)]
pub(crate) fn error_schema() -> &'static Schema {
    &ERROR
}
