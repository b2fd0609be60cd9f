//! What a scripted upstream says: answers in OpenAI's shapes, made of the request alone.

use serde_json::{Value, json};

/// A request as far as the script looks at it.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) model: String,
    pub(super) streamed: bool,
    /// `stream_options.include_usage`.
    pub(super) wants_usage: bool,
    /// The last thing the user said.
    pub(super) said: String,
    /// The inputs of an embeddings request.
    inputs: Vec<String>,
    dimensions: usize,
}

/// An answer that is about to be given.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) wish: Wish,
    /// The answer in the pieces in which it is streamed.
    pub(super) words: Vec<String>,
}

// === impl Wish ===

impl Wish {
    /// Reads a request; `None` when it is no JSON object with a model.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |path| body.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let flag = |path| body.pointer(path).and_then(Value::as_bool).unwrap_or(false);
        let said = text("/input").or_else(|| last_message(body.get("messages").or(body.get("input"))?));
        let inputs = match body.get("input") {
            Some(Value::Array(inputs)) => inputs.iter().map(Value::to_string).collect(),
            Some(input) => vec![input.to_string()],
            None => Vec::new(),
        };
        let dimensions = body.get("dimensions").and_then(Value::as_u64);
        Some(Self {
            model: text("/model")?,
            streamed: flag("/stream"),
            wants_usage: flag("/stream_options/include_usage"),
            said: said.unwrap_or_default(),
            inputs,
            dimensions: dimensions.and_then(|given| usize::try_from(given).ok()).unwrap_or(1536),
        })
    }
}

/// The text of the last message, whether its content is a string or parts.
fn last_message(messages: &Value) -> Option<String> {
    let content = messages.as_array()?.last()?.get("content")?;
    if let Some(text) = content.as_str() {
        return Some(text.to_owned());
    }
    let parts = content.as_array()?.iter().filter_map(|part| part.get("text")?.as_str());
    Some(parts.collect::<Vec<_>>().join(" "))
}

// === impl Story ===

impl Story {
    /// Makes up an answer.
    pub(super) fn tell(wish: Wish, upstream: &str, number: u64, created: i64) -> Self {
        let said: String = wish.said.chars().take(80).collect();
        let text = format!(
            "This is call {number} of the scripted upstream `{upstream}`, answering as {}. You said: \"{said}\". \
             Nothing of this was thought, but every byte came through the gateway.",
            wish.model
        );
        let words = text.split_inclusive(' ').map(str::to_owned).collect();
        Self { id: format!("demo-{upstream}-{number}"), created, wish, words }
    }

    fn text(&self) -> String {
        self.words.concat()
    }

    fn prompt_tokens(&self) -> usize {
        self.wish.said.split_whitespace().count() + 8
    }

    fn usage(&self) -> Value {
        let (prompt, completion) = (self.prompt_tokens(), self.words.len());
        json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
    }

    /// A whole chat completion.
    pub(super) fn chat(&self) -> Value {
        let message = json!({ "role": "assistant", "content": self.text(), "refusal": null });
        json!({
            "id": format!("chatcmpl-{}", self.id),
            "object": "chat.completion",
            "created": self.created,
            "model": self.wish.model,
            "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" }],
            "usage": self.usage(),
        })
    }

    fn chunk(&self, choices: &Value, usage: &Value) -> Value {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.id),
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.wish.model,
            "choices": choices,
        });
        if self.wish.wants_usage {
            merge(&mut chunk, json!({ "usage": usage }));
        }
        chunk
    }

    /// The events of a streamed chat completion, without the end mark.
    pub(super) fn chat_events(&self) -> Vec<Value> {
        let delta = |delta: Value, reason: Value| {
            self.chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": reason }]), &Value::Null)
        };
        let mut events = vec![delta(json!({ "role": "assistant", "content": "" }), Value::Null)];
        events.extend(self.words.iter().map(|word| delta(json!({ "content": word }), Value::Null)));
        events.push(delta(json!({}), json!("stop")));
        if self.wish.wants_usage {
            events.push(self.chunk(&json!([]), &self.usage()));
        }
        events
    }

    /// A whole answer of the responses API; `text: None` is one that has not begun.
    pub(super) fn response(&self, text: Option<&str>) -> Value {
        let (input, output) = (self.prompt_tokens(), self.words.len());
        let usage = json!({
            "input_tokens": input,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": output,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": input + output,
        });
        json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "created_at": self.created,
            "status": if text.is_some() { "completed" } else { "in_progress" },
            "model": self.wish.model,
            "output": text.map(|text| vec![self.item(Some(text))]).unwrap_or_default(),
            "usage": if text.is_some() { usage } else { Value::Null },
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "parallel_tool_calls": true,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
        })
    }

    fn item(&self, text: Option<&str>) -> Value {
        json!({
            "id": format!("msg_{}", self.id),
            "type": "message",
            "role": "assistant",
            "status": if text.is_some() { "completed" } else { "in_progress" },
            "content": text.map(|text| vec![part(text)]).unwrap_or_default(),
        })
    }

    /// The events of a streamed answer of the responses API.
    pub(super) fn response_events(&self) -> Vec<Value> {
        let text = self.text();
        let at = |kind: &str, more: Value| {
            let mut event = json!({ "type": kind, "output_index": 0 });
            merge(&mut event, more);
            event
        };
        let inside = |kind: &str, more: Value| {
            let mut event = at(kind, json!({ "content_index": 0, "item_id": format!("msg_{}", self.id) }));
            merge(&mut event, more);
            event
        };
        let mut events = vec![
            json!({ "type": "response.created", "response": self.response(None) }),
            json!({ "type": "response.in_progress", "response": self.response(None) }),
            at("response.output_item.added", json!({ "item": self.item(None) })),
            inside("response.content_part.added", json!({ "part": part("") })),
        ];
        let delta =
            |word: &String| inside("response.output_text.delta", json!({ "delta": word, "logprobs": [] }));
        events.extend(self.words.iter().map(delta));
        events.extend([
            inside("response.output_text.done", json!({ "text": text, "logprobs": [] })),
            inside("response.content_part.done", json!({ "part": part(&text) })),
            at("response.output_item.done", json!({ "item": self.item(Some(&text)) })),
            json!({ "type": "response.completed", "response": self.response(Some(&text)) }),
        ]);
        for (number, event) in events.iter_mut().enumerate() {
            merge(event, json!({ "sequence_number": number }));
        }
        events
    }

    /// A whole answer of the responses API.
    pub(super) fn whole_response(&self) -> Value {
        self.response(Some(&self.text()))
    }

    /// One vector per input, the same for the same input.
    pub(super) fn embeddings(&self) -> Value {
        let data: Vec<_> = self
            .wish
            .inputs
            .iter()
            .enumerate()
            .map(|(index, input)| {
                let vector = vector(input, self.wish.dimensions.clamp(1, 4096));
                json!({ "object": "embedding", "index": index, "embedding": vector })
            })
            .collect();
        let tokens: usize = self.wish.inputs.iter().map(|input| input.split_whitespace().count()).sum();
        json!({
            "object": "list",
            "data": data,
            "model": self.wish.model,
            "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
        })
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn merge(event: &mut Value, more: Value) {
    if let (Value::Object(event), Value::Object(more)) = (event, more) {
        event.extend(more);
    }
}

/// The models a channel says it has.
pub(super) fn models(created: i64) -> Value {
    let model = |id: &&str| json!({ "id": id, "object": "model", "created": created, "owned_by": "demo" });
    json!({ "object": "list", "data": super::MODELS.iter().map(model).collect::<Vec<_>>() })
}

/// An error in OpenAI's shape.
pub(super) fn error(message: &str, kind: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": null } })
}

/// A unit vector that depends on the text and on nothing else.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let raw: Vec<f32> = (0..dimensions)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The top 16 bits, from -1 to 1.
            f32::from(u16::try_from(state >> 48).unwrap_or(0)) / 32_767.5 - 1.0
        })
        .collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|x| x / length).collect()
}
