//! An account that keeps what is made at it, and knows nothing of what is kept elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gateway_tests::{Received, Reply, Upstream, body, json_body, status};
use serde_json::{Value, json};

/// What time it is, in seconds, to all accounts that share it.
#[derive(Clone, Default)]
pub(super) struct Clock(Arc<AtomicI64>);

/// What an account holds: ids that end in its name.
#[derive(Clone)]
struct Shelf {
    tag: &'static str,
    clock: Clock,
    /// Lists the oldest first, whatever it is asked.
    stubborn: bool,
    held: Arc<Mutex<BTreeMap<String, Held>>>,
    made: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Held {
    made_at: i64,
    number: usize,
    object: Value,
}

/// An account of this name.
pub(super) async fn account(tag: &'static str) -> Upstream {
    account_at(tag, &Clock::default()).await
}

/// An account of this name that goes by this clock.
pub(super) async fn account_at(tag: &'static str, clock: &Clock) -> Upstream {
    open(tag, clock, false).await
}

/// An account that lists the oldest first, whatever it is asked.
pub(super) async fn stubborn_account(tag: &'static str, clock: &Clock) -> Upstream {
    open(tag, clock, true).await
}

async fn open(tag: &'static str, clock: &Clock, stubborn: bool) -> Upstream {
    let shelf = Shelf { tag, clock: clock.clone(), stubborn, held: Arc::default(), made: Arc::default() };
    Upstream::answering(move |request| shelf.answer(request)).start().await
}

/// The name of the account that made an id.
pub(super) fn account_of(id: &str) -> &str {
    id.split('_').nth(1).unwrap_or_default()
}

// === impl Clock ===

impl Clock {
    /// Lets seconds pass.
    pub(super) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

// === impl Shelf ===

impl Shelf {
    fn answer(&self, request: &Received) -> Reply {
        let target = request.target();
        let path = target.split('?').next().unwrap_or(target).trim_start_matches("/v1/").to_owned();
        // Two words make up the names of some groups.
        let grouped = ["chat/completions", "fine_tuning/jobs", "audio/voice_consents", "chatkit/threads"];
        let grouped = grouped.iter().fold(path.clone(), |path, name| {
            let behind = path.strip_prefix(name).map(|rest| format!("{}{rest}", name.replace('/', "-")));
            behind.unwrap_or(path)
        });
        let segments: Vec<&str> = grouped.split('/').collect();
        let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let asked = if is_json { request.json() } else { Value::Null };
        // It has no other ids than its own, wherever they stand.
        if named(&asked).iter().any(|id| !self.holds(id) && !self.holds(id.trim_start_matches("of-"))) {
            return status(404);
        }
        match (request.method(), segments.as_slice()) {
            ("POST", ["responses"]) => self.respond(request, &asked),
            ("POST", ["realtime", "calls"]) => {
                let id = self.make("calls")["id"].as_str().unwrap_or_default().to_owned();
                let reply = body("application/sdp", "v=0").with_status(201);
                reply.header("location", &format!("/v1/realtime/calls/{id}"))
            }
            ("POST", ["realtime", "calls", id, _]) if !self.holds(id) => status(404),
            ("POST", ["realtime", "calls", ..]) => json_body(&json!({})),
            ("POST", ["fine_tuning-jobs"]) => {
                let mut job = self.make("fine_tuning-jobs");
                let model = format!("ft:{}:{}", asked["model"].as_str().unwrap_or_default(), job["id"]);
                job["fine_tuned_model"] = model.replace('"', "").into();
                self.change(&job);
                job["fine_tuned_model"] = Value::Null;
                json_body(&job)
            }
            ("GET", ["fine_tuning-jobs", id, "checkpoints"]) if self.holds(id) => {
                let model = format!("ft:m:{id}:ckpt-step-9");
                let checkpoint = json!({"id": "ftckpt_1", "fine_tuned_model_checkpoint": model});
                json_body(&json!({"object": "list", "data": [checkpoint], "has_more": false}))
            }
            ("POST", ["threads", "runs"]) => json_body(&self.make("runs")),
            ("POST", [group]) => json_body(&self.make(group)),
            ("GET", [group]) => self.list(group, target),
            ("DELETE", ["models", _]) => json_body(&json!({"deleted": true})),
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
            (_, [_, id]) => json_body(&self.held.lock().unwrap()[*id].object),
            (_, [_, id, ..]) => json_body(&json!({"id": id, "kept_at": self.tag})),
            _ => status(500),
        }
    }

    fn respond(&self, request: &Received, asked: &Value) -> Reply {
        let mut response = self.make("responses");
        response["model"] = asked["model"].clone();
        if !request.wants_stream() {
            response["output"] = self.output(&response);
            return json_body(&response);
        }
        let mut completed = response.clone();
        completed["output"] = self.output(&response);
        let events = [
            json!({"type": "response.created", "response": response}),
            json!({"type": "response.output_text.delta", "delta": "hi", "item_id": "msg_1"}),
            json!({"type": "response.completed", "response": completed}),
        ];
        let event =
            |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or(""));
        body("text/event-stream", events.iter().map(event).collect::<String>())
    }

    /// A message, and what ran in a container that was opened for it.
    fn output(&self, response: &Value) -> Value {
        let container = self.make("containers");
        json!([
            {"type": "message", "id": format!("of-{}", response["id"].as_str().unwrap_or_default())},
            {"type": "code_interpreter_call", "id": "ci_1", "container_id": container["id"]},
        ])
    }

    fn make(&self, group: &str) -> Value {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let made_at = self.clock.0.load(Ordering::SeqCst);
        let id = format!("{}_{}_{number}", prefix(group), self.tag);
        let when = if group == "chat-completions" { "created" } else { "created_at" };
        let object = json!({"id": id, "object": group, "status": "completed", "output": [], when: made_at});
        self.held.lock().unwrap().insert(id, Held { made_at, number, object: object.clone() });
        object
    }

    /// Has this object from now on instead of the one of the same id.
    fn change(&self, object: &Value) {
        let mut held = self.held.lock().unwrap();
        held.get_mut(object["id"].as_str().unwrap()).unwrap().object = object.clone();
    }

    /// A page of what it holds, as OpenAI gives it.
    fn list(&self, group: &str, target: &str) -> Reply {
        let asked = |name: &str| target.split(['?', '&']).find_map(|pair| pair.strip_prefix(name));
        let limit = asked("limit=").map_or(20, |limit| limit.parse().unwrap());
        let oldest_first = matches!(group, "chat-completions" | "evals");
        let ascending = self.stubborn || asked("order=").map_or(oldest_first, |order| order == "asc");
        let prefix = format!("{}_", prefix(group));
        let held = self.held.lock().unwrap();
        let mut rest: Vec<(&String, &Held)> = held.iter().filter(|(id, _)| id.starts_with(&prefix)).collect();
        rest.sort_by_key(|(_, held)| (held.made_at, held.number));
        if let Some(before) = asked("before=") {
            let Some(at) = rest.iter().position(|(id, _)| *id == before) else { return status(404) };
            if ascending { rest.truncate(at) } else { drop(rest.drain(..=at)) }
        }
        if !ascending {
            rest.reverse();
        }
        if let Some(after) = asked("after=") {
            let Some(at) = rest.iter().position(|(id, _)| *id == after) else { return status(404) };
            rest.drain(..=at);
        }
        let data: Vec<&Value> = rest.iter().take(limit).map(|(_, held)| &held.object).collect();
        json_body(&json!({
            "object": "list",
            "data": data,
            "first_id": data.first().map(|object| &object["id"]),
            "last_id": data.last().map(|object| &object["id"]),
            "has_more": rest.len() > limit,
            "kept_at": self.tag,
        }))
    }

    fn holds(&self, id: &str) -> bool {
        self.held.lock().unwrap().contains_key(id)
    }
}

fn prefix(group: &str) -> String {
    group.replace(['_', '/'], "-")
}

fn named(asked: &Value) -> Vec<String> {
    let one = ["previous_response_id", "conversation", "input_file_id", "training_file", "assistant_id"];
    let one = one.iter().filter_map(|name| asked[*name].as_str());
    let several = asked["file_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let pieces =
        asked["input"].as_array().into_iter().flatten().filter(|piece| piece["type"] == "item_reference");
    let pieces = pieces.filter_map(|piece| piece["id"].as_str());
    let of_tools = asked["tools"][0]["vector_store_ids"].as_array().into_iter().flatten();
    one.chain(several).chain(pieces).chain(of_tools.filter_map(Value::as_str)).map(str::to_owned).collect()
}
