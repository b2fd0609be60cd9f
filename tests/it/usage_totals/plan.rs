//! What happens in one exchange: what is asked, what each attempt is answered, and when the client leaves.

use gateway_tests::{Chance, Reply, body, hang, json_body, status};
use serde_json::{Value, json};

use super::spelling::{Spelling, Tokens};

/// More than the gateway keeps of a document.
const LONG: usize = (1 << 20) + 5_000;

/// One exchange.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) question: String,
    /// For the first attempt, and so on; the last one holds for all that follow.
    answers: Vec<Answering>,
    pub(super) leaves: Leaves,
}

/// What one attempt is answered.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    pub(super) reply: Reply,
    /// What it says of tokens with what of it is sent, if that is an answer.
    pub(super) says: Option<Tokens>,
    /// How many events bring a part of the answer, where the gateway has to count.
    pub(super) parts: u64,
}

/// When the client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// When it has everything.
    Never,
    /// As soon as an upstream has its question.
    AtOnce,
    /// When it has so many bytes of the answer, which is all that the upstream sends before it falls silent.
    After(usize),
}

/// An event of a stream, and what is known of tokens once it has passed.
struct Event {
    text: String,
    says: Option<Tokens>,
    is_part: bool,
}

// === impl Plan ===

impl Plan {
    /// The plan for exchange `number`: the same for the client and the upstreams, who each draw it.
    pub(super) fn of(seed: u64, number: usize) -> Self {
        let chance = &mut Chance::of(seed, number);
        match chance.below(20) {
            0 => Self::json(chance, "/v1/chat/completions", Spelling::Completion, json!({"choices": []})),
            1 => {
                Self::json(chance, "/v1/embeddings", Spelling::Prompt, json!({"object": "list", "data": []}))
            }
            2 => Self::json(chance, "/v1/responses", Spelling::Response, json!({"object": "response"})),
            3 => Self::json(chance, "/v1/images/generations", Spelling::Plain, json!({"created": 1})),
            4 => Self::json(
                chance,
                "/v1/responses/compact",
                Spelling::Response,
                json!({"object": "response.compaction"}),
            ),
            5 => Self::json(chance, "/v1/completions", Spelling::Completion, json!({"choices": []})),
            6 => Self::transcription(chance),
            7 => Self::without_usage(chance),
            8 => Self::after_an_error(chance),
            9 => Self::refused(chance),
            10 => Self::streamed(chance, "/v1/responses", response_events),
            11 => Self::streamed(chance, "/v1/images/generations", image_events),
            12 => Self::streamed(chance, "/v1/audio/speech", speech_events),
            13 => Self::streamed(chance, "/v1/threads/runs", run_events),
            14 => Self::streamed(chance, "/v1/chat/completions", chat_events_that_always_tell),
            15 => Self::streamed(chance, "/v1/chat/completions", chat_events_that_never_tell),
            _ => Self::streamed(chance, "/v1/chat/completions", chat_events),
        }
    }

    /// How attempt `number` is answered.
    pub(super) fn answer(&self, number: usize) -> Answering {
        self.answers.get(number).or(self.answers.last()).expect("there is one at least").clone()
    }

    fn asking(path: &'static str, stream: bool, answers: Vec<Answering>) -> Self {
        let question = json!({"model": "m", "stream": stream, "input": "hi", "messages": [], "prompt": "hi"});
        Self {
            path,
            content_type: "application/json",
            question: question.to_string(),
            answers,
            leaves: Leaves::Never,
        }
    }

    /// A document, now and then a very long one.
    fn json(chance: &mut Chance, path: &'static str, spelling: Spelling, mut document: Value) -> Self {
        let tokens = spelling.draw(chance);
        document["usage"] = spelling.usage(tokens);
        if chance.percent(5) {
            let key = if chance.percent(50) { "a" } else { "z" };
            document[key] = json!("/+\\".repeat(LONG / 3));
        }
        let mut reply = json_body(&document);
        if chance.percent(30) {
            reply = reply.chunks_of(chance.between(1_000, 50_000));
        }
        if chance.percent(5) {
            // Nobody can look into this.
            let parts = 0;
            let reply = body("application/json", "\u{1f}\u{8b}").header("content-encoding", "gzip");
            return Self::asking(path, false, vec![Answering { reply, says: None, parts }]);
        }
        if chance.percent(5) {
            let mut plan = Self::asking(path, false, vec![Answering::silent(hang())]);
            plan.leaves = Leaves::AtOnce;
            return plan;
        }
        Self::asking(path, false, vec![Answering::saying(reply, tokens)])
    }

    fn transcription(chance: &mut Chance) -> Self {
        let spelling = Spelling::Transcript;
        let tokens = spelling.draw(chance);
        let answer = match chance.below(3) {
            0 => {
                let document = json!({"text": "x", "usage": {"type": "duration", "seconds": 7}});
                Answering::silent(json_body(&document))
            }
            1 => Answering::silent(body("text/plain", "x")),
            _ => {
                let document = json!({"text": "x", "usage": spelling.usage(tokens)});
                Answering::saying(json_body(&document), tokens)
            }
        };
        let mut plan = Self::asking("/v1/audio/transcriptions", false, vec![answer]);
        plan.content_type = "multipart/form-data; boundary=b";
        let part = |name: &str, value: &str| {
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        plan.question =
            format!("{}{}--b--\r\n", part("file\"; filename=\"x.wav", "RIFF"), part("model", "m"));
        plan
    }

    /// What has no usage, whatever it looks like.
    fn without_usage(chance: &mut Chance) -> Self {
        let path = chance.one_of(&["/v1/moderations", "/v1/responses/input_tokens"]);
        let document = json!({"object": "response.input_tokens", "input_tokens": 12,
                              "usage": Spelling::Response.usage([Some(1); 6])});
        Self::asking(path, false, vec![Answering::silent(json_body(&document))])
    }

    /// A failure that another attempt mends.
    fn after_an_error(chance: &mut Chance) -> Self {
        let usage = Spelling::Completion;
        let failing = json!({"error": {"message": "x"}, "usage": usage.usage([Some(1); 6])});
        let code = chance.one_of(&[500, 503]);
        let tokens = usage.draw(chance);
        let document = json!({"choices": [], "usage": usage.usage(tokens)});
        let answers = vec![
            Answering::silent(json_body(&failing).with_status(code)),
            Answering::saying(json_body(&document), tokens),
        ];
        Self::asking("/v1/chat/completions", false, answers)
    }

    /// The client's own fault.
    fn refused(chance: &mut Chance) -> Self {
        let code = chance.one_of(&[400, 404, 422]);
        Self::asking("/v1/chat/completions", false, vec![Answering::silent(status(code))])
    }

    /// A stream that is whole, or is cut at a byte, or whose client leaves.
    fn streamed(chance: &mut Chance, path: &'static str, events: impl Fn(&mut Chance) -> Vec<Event>) -> Self {
        let events = events(chance);
        let lengths: Vec<usize> = events.iter().map(|event| event.text.len()).collect();
        let all: usize = lengths.iter().sum();
        let begins = events.iter().position(|event| event.is_part).expect("a stream has parts");
        let sent = |events: usize| lengths.iter().take(events).sum::<usize>();
        let whole = Answering::events(&events, all, chance);
        if chance.percent(30) {
            let at = chance.below(all);
            let mut cut = Answering::events(&events, at, chance);
            cut.reply = cut.reply.cut_off();
            // What broke off before it said anything is asked for again.
            let answers =
                if at < sent(begins + 1) { vec![Answering::silent(cut.reply), whole] } else { vec![cut] };
            return Self::asking(path, true, answers);
        }
        if chance.percent(30) {
            let at = sent(chance.between(begins + 1, events.len()));
            let mut left = Answering::events(&events, at, chance);
            left.reply = left.reply.hanging();
            let mut plan = Self::asking(path, true, vec![left]);
            plan.leaves = Leaves::After(at);
            return plan;
        }
        Self::asking(path, true, vec![whole])
    }
}

// === impl Answering ===

impl Answering {
    fn saying(reply: Reply, tokens: Tokens) -> Self {
        Self { reply, says: Some(tokens), parts: 0 }
    }

    fn silent(reply: Reply) -> Self {
        Self { reply, says: None, parts: 0 }
    }

    /// The first `bytes` of these events, in chunks of any size.
    fn events(events: &[Event], bytes: usize, chance: &mut Chance) -> Self {
        let (mut text, mut says, mut parts) = (String::new(), None, 0);
        for event in events {
            text.push_str(&event.text);
            if text.len() <= bytes {
                says = event.says.or(says);
                parts += u64::from(event.is_part);
            }
        }
        text.truncate(bytes);
        let reply = body("text/event-stream", text).chunks_of(chance.between(1, 400));
        Self { reply, says, parts }
    }
}

fn part(data: &Value) -> Event {
    Event { text: format!("data: {data}\n\n"), says: None, is_part: true }
}

fn named(name: &str, data: &Value) -> Event {
    let text = format!("event: {name}\ndata: {data}\n\n");
    Event { text, says: None, is_part: name.rsplit('.').next() == Some("delta") }
}

fn other(data: impl std::fmt::Display) -> Event {
    Event { text: format!("data: {data}\n\n"), says: None, is_part: false }
}

fn telling(event: Event, tokens: Tokens) -> Event {
    Event { says: Some(tokens), ..event }
}

fn chat_parts(chance: &mut Chance) -> Vec<Event> {
    let delta = |word: usize| {
        part(&json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": format!("w{word} ")},
                                  "finish_reason": null}]}))
    };
    (0..chance.between(1, 12)).map(delta).collect()
}

fn chat_end() -> [Event; 2] {
    [other(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})), other("[DONE]")]
}

fn chat_events(chance: &mut Chance) -> Vec<Event> {
    let tokens = Spelling::Completion.draw(chance);
    let mut events = chat_parts(chance);
    let [finish, done] = chat_end();
    let usage = other(json!({"choices": [], "usage": Spelling::Completion.usage(tokens)}));
    events.extend([finish, telling(usage, tokens), done]);
    events
}

/// As some servers do when they are asked for continuous usage.
fn chat_events_that_always_tell(chance: &mut Chance) -> Vec<Event> {
    let mut events = Vec::new();
    for word in 0..chance.between(1, 8) {
        let tokens = Spelling::Completion.draw(chance);
        let data = json!({"choices": [{"index": 0, "delta": {"content": format!("w{word}")}}],
                          "usage": Spelling::Completion.usage(tokens)});
        events.push(telling(part(&data), tokens));
    }
    events.extend(chat_end());
    events
}

/// As OpenAI does unless it is asked for usage.
fn chat_events_that_never_tell(chance: &mut Chance) -> Vec<Event> {
    let mut events = chat_parts(chance);
    events.extend(chat_end());
    events
}

fn response_events(chance: &mut Chance) -> Vec<Event> {
    let tokens = Spelling::Response.draw(chance);
    let mut events =
        vec![named("response.created", &json!({"type": "response.created", "response": {"usage": null}}))];
    for word in 0..chance.between(1, 9) {
        let delta = json!({"type": "response.output_text.delta", "delta": format!("w{word}")});
        events.push(named("response.output_text.delta", &delta));
    }
    let how = chance.one_of(&["response.completed", "response.incomplete"]);
    let end = json!({"type": how, "response": {"output": [], "usage": Spelling::Response.usage(tokens)}});
    events.push(telling(named(how, &end), tokens));
    events
}

fn image_events(chance: &mut Chance) -> Vec<Event> {
    let tokens = Spelling::Plain.draw(chance);
    let partial = "image_generation.partial_image";
    let end = json!({"type": "image_generation.completed", "b64_json": "QUFB", "usage": Spelling::Plain.usage(tokens)});
    let first = Event { is_part: true, ..named(partial, &json!({"type": partial, "b64_json": "QUFB"})) };
    vec![first, telling(named("image_generation.completed", &end), tokens)]
}

fn speech_events(chance: &mut Chance) -> Vec<Event> {
    let tokens = Spelling::Plain.draw(chance);
    let delta = || part(&json!({"type": "speech.audio.delta", "audio": "QUFB"}));
    let end = json!({"type": "speech.audio.done", "usage": Spelling::Plain.usage(tokens)});
    vec![delta(), delta(), telling(other(end), tokens)]
}

fn run_events(chance: &mut Chance) -> Vec<Event> {
    let tokens = Spelling::Run.draw(chance);
    let step = json!({"object": "thread.run.step", "usage": Spelling::Run.usage([Some(5); 6])});
    let run = json!({"object": "thread.run", "usage": Spelling::Run.usage(tokens)});
    vec![
        named("thread.message.delta", &json!({"object": "thread.message.delta"})),
        named("thread.run.step.completed", &step),
        telling(named("thread.run.completed", &run), tokens),
        Event { text: "event: done\ndata: [DONE]\n\n".to_owned(), says: None, is_part: false },
    ]
}
