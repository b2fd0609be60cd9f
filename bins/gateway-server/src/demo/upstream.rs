use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};

use super::script::{self, Story, Wish};
use super::stream::{Framing, Pace, events};
use crate::clock::unix_now;

/// The largest request it reads.
const LARGEST: usize = 8 << 20;
/// Every so many calls, a moody upstream fails.
const MOOD: u64 = 4;

/// A server that looks like OpenAI's from outside and follows a script.
#[derive(Debug)]
pub(super) struct Upstream {
    name: &'static str,
    address: SocketAddr,
}

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// 60 ms to the first token, and slow ones after it.
    Slow,
    /// Quick, but every fourth call fails before its first byte: by turns 500, 429 and a closed connection.
    Moody,
}

type Answer = Response<Either<Full<Bytes>, Channel<Bytes>>>;

/// The connection is closed instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the script wants no answer")]
struct HangUp;

struct Actor {
    name: &'static str,
    temper: Temper,
    calls: AtomicU64,
}

// === impl Upstream ===

impl Upstream {
    /// Starts one on a free port of loopback, on a thread of its own that ends with the process.
    pub(super) fn start(name: &'static str, temper: Temper) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port on loopback")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let actor = Arc::new(Actor { name, temper, calls: AtomicU64::new(0) });
        let serve = move || {
            runtime.block_on(async move {
                match TcpListener::from_std(listener) {
                    Ok(listener) => actor.serve(listener).await,
                    Err(error) => tracing::error!(%error, name, "a scripted upstream cannot serve"),
                }
            });
        };
        drop(thread::Builder::new().name(format!("upstream-{name}")).spawn(serve)?);
        Ok(Self { name, address })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

// === impl Actor ===

impl Actor {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Without it, small events wait for the reader's acknowledgements.
            let _quick = socket.set_nodelay(true).is_ok();
            let actor = Arc::clone(&self);
            drop(Handle::current().spawn(async move {
                let service = service_fn(move |request| {
                    let actor = Arc::clone(&actor);
                    async move { actor.answer(request).await }
                });
                // An error is a connection that ended, by its reader or by the script.
                let _end =
                    http1::Builder::new().serve_connection(TokioIo::new(socket), service).await.is_ok();
            }));
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, HangUp> {
        let path = request.uri().path().to_owned();
        if request.method() == Method::GET && path == "/v1/models" {
            return Ok(whole(StatusCode::OK, &script::models(unix_now().seconds())));
        }
        if request.method() != Method::POST {
            return Ok(refusal(StatusCode::NOT_FOUND, "there is nothing here", "invalid_request_error"));
        }
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if self.temper == Temper::Moody && number.is_multiple_of(MOOD) {
            return bad_mood(number / MOOD);
        }
        let body = Limited::new(request.into_body(), LARGEST).collect().await.map_err(|_| HangUp)?.to_bytes();
        let Some(wish) = Wish::read(&body) else {
            let message = "the body is no JSON object with a model";
            return Ok(refusal(StatusCode::BAD_REQUEST, message, "invalid_request_error"));
        };
        let streamed = wish.streamed;
        let story = Story::tell(wish, self.name, number, unix_now().seconds());
        let pace = self.temper.pace();
        Ok(match (path.as_str(), streamed) {
            ("/v1/chat/completions", true) => stream(story.chat_events(), Framing::Data, pace),
            ("/v1/responses", true) => stream(story.response_events(), Framing::Named, pace),
            (path, _) => {
                tokio::time::sleep(pace.first).await;
                match path {
                    "/v1/chat/completions" => whole(StatusCode::OK, &story.chat()),
                    "/v1/responses" => whole(StatusCode::OK, &story.whole_response()),
                    "/v1/embeddings" => whole(StatusCode::OK, &story.embeddings()),
                    _ => {
                        refusal(StatusCode::NOT_FOUND, "the script has no such part", "invalid_request_error")
                    }
                }
            }
        })
    }
}

/// Fails, each time in another way.
fn bad_mood(count: u64) -> Result<Answer, HangUp> {
    match count % 3 {
        1 => Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "the script says: fail", "server_error")),
        2 => {
            let mut answer =
                refusal(StatusCode::TOO_MANY_REQUESTS, "the script says: too many", "rate_limit_error");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            Ok(answer)
        }
        _ => Err(HangUp),
    }
}

fn whole(status: StatusCode, body: &Value) -> Answer {
    respond(status, "application/json", Either::Left(Full::new(body.to_string().into())))
}

fn refusal(status: StatusCode, message: &str, kind: &str) -> Answer {
    whole(status, &script::error(message, kind))
}

fn stream(story: Vec<Value>, framing: Framing, pace: Pace) -> Answer {
    respond(StatusCode::OK, "text/event-stream", Either::Right(events(story, framing, pace)))
}

fn respond(status: StatusCode, kind: &'static str, body: Either<Full<Bytes>, Channel<Bytes>>) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

// === impl Temper ===

impl Temper {
    fn pace(self) -> Pace {
        match self {
            Self::Slow => Pace { first: Duration::from_millis(60), gap: Duration::from_millis(40) },
            Self::Moody => Pace { first: Duration::from_millis(15), gap: Duration::from_millis(8) },
        }
    }
}
