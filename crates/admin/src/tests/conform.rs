//! Holds an answer against the route table: its status must be one that the document promises, and its body must
//! have exactly the fields that the schema says.

use serde_json::Value;

use super::gateway::Reply;
use crate::openapi;
use crate::route::{Route, Shape};
use crate::schema::{Kind, Schema};

#[track_caller]
pub(super) fn check(route: &Route, reply: &Reply) {
    let status = reply.status.as_u16();
    let place = format!("{} {} → {status}", route.verb.as_str(), route.path);
    assert!(
        openapi::statuses(route).iter().any(|(known, _)| *known == status),
        "{place} is not in the document: {reply:?}"
    );
    assert_eq!(reply.header("x-request-id"), Some("req-1"), "{place}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{place}");
    let is_file = matches!(route.response, Shape::Html | Shape::Asset) && status < 400;
    if is_file {
        assert!(status == 304 || reply.header("content-type").is_some(), "{place}");
        return;
    }
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{place}");
    if status != route.success {
        fits(&reply.json(), openapi::error_schema(), &place);
        return;
    }
    match route.response {
        Shape::Events => assert!(reply.text().ends_with("\n\n"), "{place}: {reply:?}"),
        Shape::Nothing => assert!(reply.body.is_empty(), "{place}: {reply:?}"),
        Shape::Html | Shape::Asset => unreachable!("these were files"),
        Shape::Document => assert!(reply.json().is_object(), "{place}"),
        Shape::One(schema) => fits(&reply.json(), schema, &place),
        Shape::Many(schema) => {
            let list = reply.json();
            let list = list.as_array().unwrap_or_else(|| panic!("{place} is no list: {reply:?}"));
            for item in list {
                fits(item, schema, &place);
            }
        }
    }
}

#[track_caller]
fn fits(value: &Value, schema: &Schema, place: &str) {
    let place = format!("{place} {}", schema.name);
    let object = value.as_object().unwrap_or_else(|| panic!("{place}: {value} is no object"));
    for name in object.keys() {
        assert!(schema.field(name).is_some(), "{place}: `{name}` is not in the schema");
    }
    for field in schema.fields {
        let place = format!("{place}.{}", field.name);
        let Some(value) = object.get(field.name) else {
            assert!(!field.required, "{place} is missing in {object:?}");
            continue;
        };
        if let Err(wanted) = field.accepts(value) {
            panic!("{place} {wanted}, but is {value}");
        }
        if let Kind::Object(of) | Kind::Objects(of) = field.kind {
            let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for item in items.iter().filter(|item| !item.is_null()) {
                fits(item, of, &place);
            }
        }
        if let (Kind::Moment, Some(text)) = (field.kind, value.as_str()) {
            assert!(crate::clock::parse_rfc3339(text).is_some(), "{place}: {text} is no moment");
        }
    }
}
