//! One request that asks for another protocol than HTTP. hyper carries it: it knows how to give a connection away.

use http::{Request, Response, StatusCode};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use super::http1::{Socket, Wire};
use super::{AnswerBody, ConnectError, Outgoing, Progress, SendError};
use crate::tasks;

/// How many headers an answer may have.
const MAX_HEADERS: usize = 128;
/// How large the head of an answer may be.
const MAX_HEAD: usize = 32 << 10;

/// What has become of a connection on which another protocol was asked for.
#[derive(Debug)]
pub(crate) enum Switched {
    /// It speaks that now. The head of the answer that said so, and the connection.
    To(http::response::Parts, Upgraded),
    /// The upstream answered something else.
    Not(Response<AnswerBody>),
}

/// Sends the request over a connection that is for it alone.
pub(super) async fn over(wire: Wire, request: Request<Outgoing>) -> Result<Switched, SendError> {
    match wire.socket {
        Socket::Plain(tcp) => ask(TokioIo::new(tcp), request).await,
        Socket::Tls(tls) => ask(TokioIo::new(*tls), request).await,
    }
}

async fn ask<I>(io: I, request: Request<Outgoing>) -> Result<Switched, SendError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    let handshake = builder.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD).handshake(io).await;
    let (mut sender, connection) =
        handshake.map_err(|error| SendError::Connect(ConnectError::Http(error)))?;
    tasks::drive(connection.with_upgrades());
    let mut response = sender.send_request(request).await.map_err(failed)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Switched::Not(response.map(AnswerBody::alone)));
    }
    let switched = hyper::upgrade::on(&mut response).await.map_err(failed)?;
    // Not before: whoever drops it closes the connection.
    drop(sender);
    Ok(Switched::To(response.into_parts().0, switched))
}

fn failed(error: hyper::Error) -> SendError {
    if error.is_user() {
        SendError::Body(error.into())
    } else if error.is_parse() {
        SendError::Protocol(error.into())
    } else {
        SendError::Closed { error: error.into(), progress: Progress::Answered }
    }
}
