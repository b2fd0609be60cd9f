//! An account that keeps what is made at it, and knows nothing of what is kept elsewhere.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use gateway_tests::{Received, Reply, Upstream, body, json_body, status};
use serde_json::{Value, json};

/// What an account holds: ids that end in its name.
#[derive(Clone)]
struct Shelf {
    tag: &'static str,
    held: Arc<Mutex<BTreeSet<String>>>,
}

/// An account of this name.
pub(super) async fn account(tag: &'static str) -> Upstream {
    let shelf = Shelf { tag, held: Arc::default() };
    Upstream::answering(move |request| shelf.answer(request)).start().await
}

/// The name of the account that made an id.
pub(super) fn account_of(id: &str) -> &str {
    id.split('_').nth(1).unwrap_or_default()
}

// === impl Shelf ===

impl Shelf {
    fn answer(&self, request: &Received) -> Reply {
        let target = request.target();
        let path = target.split('?').next().unwrap_or(target).trim_start_matches("/v1/").to_owned();
        let segments: Vec<&str> = path.split('/').collect();
        let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let asked = if is_json { request.json() } else { Value::Null };
        // It has no other ids than its own, wherever they stand.
        if named(&asked).iter().any(|id| !self.holds(id)) {
            return status(404);
        }
        match (request.method(), segments.as_slice()) {
            ("POST", ["responses"]) => self.respond(request, &asked),
            ("POST", [group]) => json_body(&self.make(group)),
            ("GET", [group]) => self.list(group, target),
            (_, [_, id, ..]) if !self.holds(id) => status(404),
            ("DELETE", [_, id]) => {
                self.held.lock().unwrap().remove(*id);
                json_body(&json!({"id": id, "deleted": true}))
            }
            ("POST", ["uploads", id, "complete"]) => {
                json_body(&json!({"id": id, "file": self.make("files")}))
            }
            ("GET", ["batches", id]) => {
                let output = self.make("files");
                json_body(&json!({"id": id, "object": "batch", "output_file_id": output["id"]}))
            }
            ("GET", ["files", id, "content"]) => body("application/octet-stream", format!("of {id}")),
            (_, [_, id, ..]) => json_body(&json!({"id": id, "kept_at": self.tag})),
            _ => status(500),
        }
    }

    fn respond(&self, request: &Received, asked: &Value) -> Reply {
        let mut response = self.make("responses");
        response["model"] = asked["model"].clone();
        if !request.wants_stream() {
            return json_body(&response);
        }
        let events = [
            json!({"type": "response.created", "response": response}),
            json!({"type": "response.output_text.delta", "delta": "hi", "item_id": "msg_1"}),
            json!({"type": "response.completed", "response": response}),
        ];
        let event =
            |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or(""));
        body("text/event-stream", events.iter().map(event).collect::<String>())
    }

    fn make(&self, group: &str) -> Value {
        let mut held = self.held.lock().unwrap();
        let id = format!("{}_{}_{}", group.replace('_', "-"), self.tag, held.len());
        held.insert(id.clone());
        json!({"id": id, "object": group, "status": "completed", "output": []})
    }

    /// A page of what it holds, the oldest first.
    fn list(&self, group: &str, target: &str) -> Reply {
        let asked = |name: &str| target.split(['?', '&']).find_map(|pair| pair.strip_prefix(name));
        let limit = asked("limit=").map_or(100, |limit| limit.parse().unwrap());
        let prefix = format!("{}_", group.replace('_', "-"));
        let held = self.held.lock().unwrap();
        let mut rest: Vec<&String> = held.iter().filter(|id| id.starts_with(&prefix)).collect();
        rest.sort_by_key(|id| (id.len(), id.as_str()));
        if let Some(after) = asked("after=") {
            let end = rest.iter().position(|id| *id == after).map_or(rest.len(), |at| at + 1);
            rest.drain(..end);
        }
        let data: Vec<Value> = rest.iter().take(limit).map(|id| json!({"id": id})).collect();
        json_body(&json!({"object": "list", "data": data, "has_more": rest.len() > limit}))
    }

    fn holds(&self, id: &str) -> bool {
        self.held.lock().unwrap().contains(id)
    }
}

fn named(asked: &Value) -> Vec<String> {
    let one = ["previous_response_id", "conversation", "input_file_id", "training_file", "assistant_id"];
    let one = one.iter().filter_map(|name| asked[*name].as_str());
    let several = asked["file_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let of_tools = asked["tools"][0]["vector_store_ids"].as_array().into_iter().flatten();
    one.chain(several).chain(of_tools.filter_map(Value::as_str)).map(str::to_owned).collect()
}
