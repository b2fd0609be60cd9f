//! Random bodies through the whole gateway, in random pieces: of a request the model's name is changed, of an answer
//! nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gateway_random_wire::{
    Document, Form, Model, cases, document, document_about, form_about, holds, in_pieces, pieces,
};
use gateway_tests::{
    Authority, Call, Campaign, Gateway, H2Front, Raw, Received, Reply, USER_KEY, Upstream, body, in_order,
};
use http::Method;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use tokio::runtime::{Builder, Runtime};

/// The public name of the model; there is more than one way to write it.
const PUBLIC: &str = "m/\u{e9}";
const SPELLINGS: [&str; 3] = ["\"m/\u{e9}\"", "\"m\\/\\u00e9\"", "\"\\u006d/\u{e9}\""];
/// What its channel calls it.
const BACKEND: &str = "another \"name\"/\u{540d}";
const BACKEND_IN_JSON: &str = "\"another \\\"name\\\"/\u{540d}\"";

/// A request and the answer to it.
#[derive(Clone, Debug)]
struct Exchange {
    sent: Sent,
    /// How the client speaks, and the pieces that it sends.
    client: Client,
    up: Vec<usize>,
    given: Given,
    framing: Framing,
    down: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Sent {
    Json(Document),
    Form(Form),
}

#[derive(Clone, Copy, Debug)]
enum Client {
    H1WithLength,
    H1Chunked,
    H2,
}

#[derive(Clone, Debug)]
enum Given {
    Json(String),
    Events(String),
    Bytes(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length,
    Chunks,
    UntilClose,
}

/// An upstream, what it is to say next, and what it was told last.
struct Scene {
    up: Upstream,
    next: Arc<Mutex<Option<Reply>>>,
    told: Arc<Mutex<Bytes>>,
}

// === impl Exchange ===

impl Exchange {
    fn drawn() -> impl Strategy<Value = Self> {
        let json = || {
            document_about(
                (select(&SPELLINGS[..]), Just(PUBLIC.to_owned())).prop_map(|(s, m)| (s.to_owned(), m)),
            )
        };
        let sent = prop_oneof![
            2 => json().prop_map(Sent::Json),
            1 => form_about(Just(PUBLIC.to_owned())).prop_map(Sent::Form),
        ];
        let given = prop_oneof![
            2 => document().prop_map(|answer| Given::Json(answer.text)),
            3 => events().prop_map(Given::Events),
            // At least one byte: an answer of none is no answer, and another test shows what becomes of it.
            1 => vec(any::<u8>(), 1..3_000).prop_map(Given::Bytes),
        ];
        let client = select(vec![Client::H1WithLength, Client::H1Chunked, Client::H2]);
        let framing = select(vec![Framing::Length, Framing::Chunks, Framing::UntilClose]);
        (sent, client, pieces(), given, framing, pieces()).prop_map(
            |(sent, client, up, given, framing, down)| Self { sent, client, up, given, framing, down },
        )
    }

    fn path(&self) -> &'static str {
        match (&self.sent, &self.given) {
            (Sent::Form(_), _) => "/v1/audio/transcriptions",
            (Sent::Json(_), Given::Bytes(_)) => "/v1/audio/speech",
            (Sent::Json(_), Given::Json(_) | Given::Events(_)) => "/v1/chat/completions",
        }
    }

    fn reply(&self) -> Reply {
        let (kind, content) = match &self.given {
            Given::Json(text) => ("application/json", text.clone().into()),
            Given::Events(text) => ("text/event-stream", text.clone().into()),
            // Words of a transcription may be plain text, too.
            Given::Bytes(bytes) => ("application/octet-stream", Bytes::from(bytes.clone())),
        };
        let reply = body(kind, content).cut_into(&self.down);
        match self.framing {
            Framing::Length => reply,
            Framing::Chunks => reply.chunked(),
            Framing::UntilClose => reply.until_close(),
        }
    }

    fn answer(&self) -> &[u8] {
        match &self.given {
            Given::Json(text) | Given::Events(text) => text.as_bytes(),
            Given::Bytes(bytes) => bytes,
        }
    }

    /// What the upstream is to be told.
    fn expected(&self) -> Vec<u8> {
        let (sent, model, name) = match &self.sent {
            Sent::Json(document) => (document.text.as_bytes(), &document.model, BACKEND_IN_JSON),
            Sent::Form(form) => (&form.body[..], &form.model, BACKEND),
        };
        let Some(Model { span, .. }) = model else { return sent.to_vec() };
        [&sent[..span.start], name.as_bytes(), &sent[span.end..]].concat()
    }

    /// Sends it, and gives status and body of what came back.
    async fn send(&self, gateway: SocketAddr) -> (u16, Bytes) {
        let (kind, sent) = match &self.sent {
            Sent::Json(document) => ("application/json", document.text.as_bytes()),
            Sent::Form(form) => (&*form.content_type, &form.body[..]),
        };
        if matches!(self.client, Client::H2) {
            let call =
                Call::new(gateway, Method::POST, self.path()).key(USER_KEY).header("content-type", kind);
            let answer = call.body(sent.to_vec()).h2().send().await;
            assert!(!answer.cut, "{self:?}");
            return (answer.status, answer.body);
        }
        let chunked = matches!(self.client, Client::H1Chunked);
        let framing = if chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {}", sent.len())
        };
        let path = self.path();
        let mut raw = Raw::connect(gateway).await;
        raw.send(format!(
            "POST {path} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n"
        ))
        .await;
        for piece in in_pieces(sent, &self.up) {
            if chunked {
                raw.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await;
            } else {
                raw.send(piece).await;
            }
        }
        if chunked {
            raw.send("0\r\n\r\n").await;
        }
        let answer = raw.answer().await.expect("an answer that is whole");
        (answer.status, answer.body)
    }
}

// === impl Scene ===

impl Scene {
    async fn set() -> Self {
        let (next, told) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Bytes::new())));
        let (script, heard) = (Arc::clone(&next), Arc::clone(&told));
        let answering = Upstream::answering(move |request: &Received| {
            *heard.lock().expect("not poisoned") = request.body.clone();
            script.lock().expect("not poisoned").take().expect("it is asked once")
        });
        Self { up: answering.start().await, next, told }
    }

    fn play(&self, runtime: &Runtime, gateway: SocketAddr, exchange: &Exchange) -> TestCaseResult {
        *self.next.lock().expect("not poisoned") = Some(exchange.reply());
        let (status, came) = runtime.block_on(exchange.send(gateway));
        prop_assert_eq!(status, 200, "{}", String::from_utf8_lossy(&came));
        let told = self.told.lock().expect("not poisoned").clone();
        prop_assert!(
            told == exchange.expected(),
            "the upstream was told {:?}",
            String::from_utf8_lossy(&told)
        );
        prop_assert!(came == exchange.answer(), "the client was given {:?}", String::from_utf8_lossy(&came));
        Ok(())
    }
}

/// A stream of random events with random fields around their data, that ends well.
fn events() -> impl Strategy<Value = String> {
    let before = vec(select(vec![": a comment", "id: 7", "event: message", "retry: 3000", "x: y", ""]), 0..3);
    let event = (before, document(), select(vec!["data: ", "data:"]));
    let ends = select(vec!["\n", "\r\n", "\r"]);
    (option::weighted(0.1, Just("\u{feff}")), vec(event, 0..6), ends).prop_map(|(mark, events, end)| {
        let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let mut lines: Vec<String> = Vec::new();
        for (before, document, field) in events {
            lines.extend(before.into_iter().map(str::to_owned));
            lines.extend(document.text.split(['\r', '\n']).map(|line| format!("{field}{line}")));
            lines.push(String::new());
        }
        lines.extend([format!("data: {finish}"), String::new(), "data: [DONE]".to_owned(), String::new()]);
        let text: String = lines.into_iter().map(|line| line + end).collect();
        format!("{}{text}", mark.unwrap_or_default())
    })
}

fn run(name: &'static str, counts: (u32, u32), runtime: &Runtime, scene: &Scene, gateway: SocketAddr) {
    let campaign = runtime.block_on(Campaign::begin(name));
    let config = cases(campaign.sized(counts.0, counts.1));
    let count = config.cases;
    let outcome =
        holds(config, campaign.seed, &Exchange::drawn(), |exchange| scene.play(runtime, gateway, &exchange));
    outcome.unwrap_or_else(|why| panic!("{why}"));
    campaign.says(format_args!(
        "{count} exchanges: what went up differs in the model, what came down in nothing"
    ));
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn whatever_is_said_and_however_it_is_cut_only_the_model_is_changed() {
    let runtime = runtime();
    let scene = runtime.block_on(Scene::set());
    let gateway = Gateway::serving(PUBLIC, [&scene.up]).mapping(PUBLIC, &scene.up, "model", BACKEND);
    let gateway = runtime.block_on(gateway.start());
    run("fidelity", (400, 20_000), &runtime, &scene, gateway.address());
}

#[test]
fn it_is_the_same_before_an_upstream_that_speaks_http_2() {
    let runtime = runtime();
    let authority = Authority::new();
    let scene = runtime.block_on(Scene::set());
    let front = runtime.block_on(H2Front::before(&scene.up, &authority));
    let gateway = Gateway::serving_weighted(PUBLIC, in_order([&scene.up]))
        .mapping(PUBLIC, &scene.up, "model", BACKEND)
        .channel(&scene.up, "base_url", front.base_url())
        .env("SSL_CERT_FILE", &authority.pem_path().display().to_string());
    let Some(gateway) = runtime.block_on(gateway.spawn()) else { return };
    run("fidelity over HTTP/2", (200, 5_000), &runtime, &scene, gateway.address());
    assert!(front.carried() > 0, "HTTP/2 was spoken");
}
