//! One try to open a WebSocket at a channel.

use std::sync::Arc;

use gateway_domain::AttemptOutcome;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use tokio::time::timeout_at;

use super::{Answer, Content, Failure, Limits, Pace, Repeat, asked_of, refusal};
use crate::call::Call;
use crate::error::ProxyError;
use crate::headers;
use crate::plane::Route;
use crate::socket::{Client, Ear, Opened};
use crate::upstream::{Outgoing, SendError, Switched, Upstreams};
use crate::websocket::{KEY_BYTES, accept_for, encode_key, protocols};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const TO_UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");

/// Asks the upstream for a WebSocket and waits until it is one.
pub(super) async fn open(
    upstreams: &Upstreams,
    call: &Call,
    client: &Client,
    route: &Arc<Route>,
    limits: Limits,
    pace: &Pace,
) -> Result<Answer, Failure> {
    let mut random = [0; KEY_BYTES];
    getrandom::fill(&mut random).map_err(|_| Failure::internal("no chance to be had for a key"))?;
    let key = encode_key(random);
    let request = asked_of(call, route).into_request(&route.target, Version::HTTP_11);
    let mut request = request.map_err(|_| SendError::Target)?;
    ask_for_socket(&mut request, &key)?;
    let switching = upstreams.switch(&route.target, request, route.timeouts);
    let switched = timeout_at(limits.first_byte, switching)
        .await
        .map_err(|_| limits.out_of_time())?
        .map_err(Failure::from)?;
    let (head, upstream) = match switched {
        Switched::To(head, upstream) => (head, upstream),
        Switched::Not(response) if response.status().is_success() => {
            let status = response.status();
            return Err(no_socket("answered without opening a WebSocket").with_status(status));
        }
        Switched::Not(response) => {
            let channel_key = route.target.channel().api_key.expose();
            let (mapped, asks) = (route.backend_model.is_some(), call.endpoint.asks());
            let refused = refusal::read(response, channel_key, limits.first_byte, mapped, asks).await;
            return Err(refused.of_call(call));
        }
    };
    check(&head.headers, &key, call)?;
    pace.first_byte();
    let channel_key = route.target.channel().api_key.expose();
    let pupil = client.pupil_at(call, route.target.channel().id);
    let opened = Opened { client: client.clone(), upstream, ear: Ear::new(pupil) };
    Ok(Answer {
        route: Arc::clone(route),
        status: StatusCode::SWITCHING_PROTOCOLS,
        headers: client_headers(head.headers, channel_key, client),
        content: Content::Socket(Box::new(opened)),
        exhausted: None,
    })
}

fn ask_for_socket(request: &mut Request<Outgoing>, key: &str) -> Result<(), Failure> {
    let key = HeaderValue::from_str(key).map_err(|_| Failure::internal("a key that no header can have"))?;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, TO_UPGRADE);
    headers.insert(UPGRADE, WEBSOCKET);
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, key);
    Ok(())
}

/// Whether the upstream has switched to what it was asked for.
fn check(answer: &HeaderMap, key: &str, call: &Call) -> Result<(), Failure> {
    let fits = |flaw: &str| no_socket(flaw).with_status(StatusCode::SWITCHING_PROTOCOLS);
    let is_socket =
        answer.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !is_socket {
        return Err(fits("switched to something else than a WebSocket"));
    }
    if answer.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|value| *value != *accept_for(key.as_bytes())) {
        return Err(fits("its sec-websocket-accept does not fit the key"));
    }
    if answer.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(fits("switched extensions on that nobody had offered"));
    }
    let chosen = protocols(answer).next();
    if chosen.is_some_and(|chosen| !protocols(&call.headers.to_map()).any(|offered| offered == chosen)) {
        return Err(fits("chose a subprotocol that nobody had offered"));
    }
    Ok(())
}

/// An answer that opens nothing: it has not been asked for anything else, so another channel may be.
fn no_socket(flaw: &str) -> Failure {
    let (error, outcome) = (ProxyError::InvalidAnswer, AttemptOutcome::BadAnswer);
    Failure::blamed(error, outcome, Repeat::NotExecuted, flaw.to_owned())
}

/// The upstream's headers, with what opens the client's own end in place of what has opened the upstream's.
fn client_headers(mut headers: HeaderMap, channel_key: &str, client: &Client) -> HeaderMap {
    let chosen = headers.get(SEC_WEBSOCKET_PROTOCOL).cloned();
    headers::for_client(&mut headers, channel_key);
    headers.insert(CONNECTION, TO_UPGRADE);
    headers.insert(UPGRADE, WEBSOCKET);
    headers.insert(SEC_WEBSOCKET_ACCEPT, client.accept());
    if let Some(chosen) = chosen {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    headers
}
