//! The document, the table and the handlers say the same.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::gateway::Gateway;
use crate::openapi::{document, documented, path_parameters};
use crate::route::{Access, Shape};
use crate::schema::Schema;
use crate::surface::{ROUTES, Surface};

#[test]
fn the_tables_paths_do_not_collide_and_each_finds_itself() {
    let surface = Surface::new();
    for route in ROUTES {
        let path = route.path.replace("{id}", "1").replace("{channel_id}", "2").replace("{key_id}", "3");
        let found = surface.find(&path).unwrap();
        assert_eq!(found.template(), route.path);
        assert_eq!(found.method(Some(route.verb)).unwrap().0.path, route.path);
    }
    let all: BTreeSet<_> = ROUTES.iter().map(|route| (route.path, route.verb)).collect();
    assert_eq!(all.len(), ROUTES.len(), "a row is there twice");
}

#[tokio::test]
async fn the_document_holds_every_row_of_the_table_and_nothing_else() {
    let served = Gateway::new().get("/api/openapi.json").await.ok();
    assert_eq!(served, document("1.2.3"));
    let shown: BTreeSet<(String, String)> = served["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |m| (path.clone(), m.clone()))
        })
        .collect();
    let rows: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|route| (documented(route.path), route.verb.as_str().to_ascii_lowercase()))
        .collect();
    assert_eq!(shown, rows);
}

#[test]
fn every_operation_documents_its_answers_its_parameters_and_its_gate() {
    let document = document("1");
    for route in ROUTES {
        let operation = &document["paths"][documented(route.path)][route.verb.as_str().to_ascii_lowercase()];
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{}", route.path);
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key(&route.success.to_string()));
        let asks = route.access == Access::Admin || route.path == "/api/login";
        assert_eq!(responses.contains_key("401"), asks, "{}", route.path);
        for name in path_parameters(route.path) {
            let parameters = operation["parameters"].as_array().unwrap();
            assert!(
                parameters.iter().any(|p| p["name"] == name && p["in"] == "path" && p["required"] == true)
            );
        }
        assert_eq!(operation["requestBody"].is_object(), route.request.is_some(), "{}", route.path);
        assert_eq!(operation["security"].as_array().unwrap().is_empty(), route.access == Access::Public);
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        if let Some(Value::String(to)) = value.get("$ref") {
            found.insert(to.clone());
        }
        let fields = value.as_object().into_iter().flat_map(|fields| fields.values());
        let items = value.as_array().into_iter().flatten();
        fields.chain(items).for_each(|inner| references(inner, found));
    }
    let document = document("1");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn no_two_schemas_share_a_name_and_no_field_is_there_twice() {
    let mut all: HashMap<&str, *const Schema> = HashMap::new();
    let mut seen = Vec::new();
    for route in ROUTES {
        if let Some(schema) = route.request {
            schema.visit(&mut seen);
        }
        if let Shape::One(schema) | Shape::Many(schema) = route.response {
            schema.visit(&mut seen);
            assert!(std::ptr::eq(*all.entry(schema.name).or_insert(schema), schema), "{}", schema.name);
        }
    }
    for schema in seen {
        let names: BTreeSet<&str> = schema.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), schema.fields.len(), "{}", schema.name);
        assert!(schema.fields.iter().all(|field| !field.about.is_empty()), "{}", schema.name);
    }
}

#[tokio::test]
async fn the_contract_of_the_original_is_all_there() {
    let contract = [
        ("POST", "/api/channels", 201),
        ("GET", "/api/channels", 200),
        ("GET", "/api/channels/{id}", 200),
        ("PUT", "/api/channels/{id}", 200),
        ("DELETE", "/api/channels/{id}", 204),
        ("POST", "/api/users", 201),
        ("GET", "/api/users", 200),
        ("GET", "/api/users/{id}", 200),
        ("DELETE", "/api/users/{id}", 204),
        ("GET", "/api/sessions", 200),
        ("DELETE", "/api/sessions/{id}", 204),
        ("POST", "/api/models", 201),
        ("GET", "/api/models", 200),
        ("GET", "/api/models/{id}", 200),
        ("PUT", "/api/models/{id}", 200),
        ("DELETE", "/api/models/{id}", 204),
        ("POST", "/api/models/{id}/channels", 201),
        ("GET", "/api/models/{id}/channels", 200),
        ("DELETE", "/api/models/{id}/channels/{channel_id}", 204),
        ("GET", "/", 200),
    ];
    for (method, path, success) in contract {
        let row = ROUTES.iter().find(|route| route.path == path && route.verb.as_str() == method);
        assert_eq!(row.map(|route| route.success), Some(success), "{method} {path}");
    }
    let fields: [(&Schema, &[&str]); 5] = [
        (
            &crate::channels::CHANNEL,
            &["id", "name", "base_url", "api_key", "weight", "enabled", "created_at", "updated_at"],
        ),
        (&crate::users::USER, &["id", "api_key", "name", "created_at", "updated_at"]),
        (&crate::sessions::SESSION, &["id", "user_id", "channel_id", "last_used_at", "created_at"]),
        (&crate::models::MODEL, &["id", "name", "channels_count", "created_at", "updated_at"]),
        (
            &crate::mappings::MAPPING,
            &["id", "model_id", "channel_id", "backend_model_name", "weight", "created_at"],
        ),
    ];
    for (schema, names) in fields {
        for name in names {
            assert!(schema.field(name).is_some_and(|field| field.required), "{}.{name}", schema.name);
        }
    }
}
