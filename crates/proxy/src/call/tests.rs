//! What goes up is what came but for the name of the model, from the first piece of a body to the last.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gateway_config::Settings;
use gateway_domain::{ManagedBy, User, UserId};
use gateway_random_wire::{Model, cases, document, form, in_pieces, model_name, pieces};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::admit;
use crate::error::ProxyError;
use crate::metrics::Metrics;
use crate::openai::{BackendModel, Lookup, lookup};
use crate::request_body::Gather;
use crate::understand::{Caller, understand};
use crate::upstream::{Timeouts, target_of};

/// A body that comes in pieces, of a length that nobody tells.
struct Coming(VecDeque<Bytes>);

impl Body for Coming {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

impl Gather for Coming {}

/// A channel that calls every model by this name.
fn route_to(backend: &str) -> Route {
    let metrics = Metrics::new(Arc::new(metrics::NoopRecorder));
    let (channel, model) = (Arc::from("a"), Arc::from("m"));
    let second = Duration::from_secs(1);
    Route {
        target: Arc::new(target_of("http://127.0.0.1:1/v1")),
        backend_model: Some(BackendModel::new(Arc::from(backend))),
        timeouts: Timeouts { connect: second, idle: second },
        first_byte: second,
        stream_gap: second,
        channel_metrics: metrics.channel(&channel),
        metrics: metrics.route(&channel, &model),
    }
}

fn settings(spool_above: usize) -> Settings {
    let mut settings = Settings::default();
    settings.proxy.spool_above = spool_above;
    settings
}

/// What one channel gets of a request, sent twice: a body stays good for another try.
async fn sent_up(
    (path, content_type): (&str, &str),
    body: Vec<&[u8]>,
    backend: &str,
    settings: &Settings,
) -> Result<[Bytes; 2], ProxyError> {
    let Lookup::Forward { endpoint, path } = lookup(&Method::POST, path) else { panic!("{path}") };
    let request = Request::post("/")
        .header(AUTHORIZATION, "Bearer sk-user")
        .header(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    let (head, ()) = request.body(()).unwrap().into_parts();
    let user = User {
        id: UserId(1),
        name: "u".into(),
        enabled: true,
        allowed_models: None,
        may_explain: false,
        managed_by: ManagedBy::Api,
    };
    let body = Coming(body.into_iter().map(Bytes::copy_from_slice).collect());
    let received =
        admit::receive(endpoint, &head.headers, body, &user, (settings, &crate::room::room())).await?;
    let caller = Caller { user: Arc::new(user), key: b"sk-user", secret: None, session: None, socket: None };
    let call = understand((endpoint, path), &head, received, caller, &settings.proxy)?;
    let route = route_to(backend);
    let once = call.body_for(&route).collect().await.unwrap().to_bytes();
    let again = call.body_for(&route).collect().await.unwrap().to_bytes();
    Ok([once, again])
}

/// The body with another name where the model stands; as it is where it names none, or this one already.
fn renamed(body: &[u8], model: Option<&Model>, backend: &str, written: &str) -> Vec<u8> {
    match model {
        Some(model) if model.value != backend => {
            [&body[..model.span.start], written.as_bytes(), &body[model.span.end..]].concat()
        }
        _ => body.to_vec(),
    }
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

proptest! {
    #![proptest_config(cases(2_000))]

    /// `PROPTEST_CASES=100000` tries more of them.
    #[test]
    fn of_any_json_only_the_model_is_changed(
        document in document(),
        cuts in pieces(),
        (_, backend) in model_name(),
        path in prop::sample::select(vec![
            "/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations", "/v1/batches",
        ]),
    ) {
        let body = document.text.as_bytes();
        let settings = settings(1 << 20);
        let pieces = in_pieces(body, &cuts);
        let sent = RUNTIME.block_on(sent_up((path, "application/json"), pieces, &backend, &settings));
        let named = document.model.as_ref().filter(|_| path != "/v1/batches");
        match sent {
            Ok(sent) => {
                let written = serde_json::Value::from(&*backend).to_string();
                let expected = renamed(body, named, &backend, &written);
                prop_assert_eq!(&sent[0][..], &expected[..]);
                prop_assert_eq!(&sent[1], &sent[0]);
            }
            Err(error) => {
                prop_assert!(document.model.is_none() && error.to_string().contains("'model'"), "{error}");
            }
        }
    }

    /// The same.
    #[test]
    fn of_any_form_only_the_model_is_changed(
        form in form(),
        cuts in pieces(),
        backend in "[a-zA-Z0-9/._:-]{1,60}",
        in_a_file in prop::bool::weighted(0.1),
    ) {
        let settings = settings(if in_a_file { 16 } else { 1 << 20 });
        let pieces = in_pieces(&form.body, &cuts);
        let sending = sent_up(("/v1/audio/transcriptions", &form.content_type), pieces, &backend, &settings);
        match RUNTIME.block_on(sending) {
            Ok(sent) => {
                let expected = renamed(&form.body, form.model.as_ref(), &backend, &backend);
                prop_assert_eq!(&sent[0][..], &expected[..]);
                prop_assert_eq!(&sent[1], &sent[0]);
            }
            Err(error) => {
                prop_assert!(form.model.is_none() && error.to_string().contains("'model'"), "{error}");
            }
        }
    }
}
