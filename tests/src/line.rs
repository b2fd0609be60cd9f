//! A client that keeps its connection, for tests that send much.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::client::{Call, Connection, NoAnswer, arrives, rest_of};

/// A connection that carries one call after the other, and is made anew when the gateway has closed it.
#[derive(Debug, Default)]
pub struct Line {
    open: Option<(SendRequest<Full<Bytes>>, Connection)>,
}

// === impl Line ===

impl Line {
    /// A line that is not connected yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The answer, cut or whole, or why there is none. Never tries twice: what fails here would fail a client.
    pub async fn send(&mut self, call: Call) -> Result<Answer, NoAnswer> {
        let mut sender = match self.open.take() {
            Some((sender, connection)) if !sender.is_closed() => (sender, connection),
            _ => Self::connect(call.address).await?,
        };
        sender.0.ready().await.map_err(NoAnswer::Broken)?;
        let response = arrives("the head of an answer", sender.0.send_request(call.into_request())).await;
        let response = response.map_err(NoAnswer::Broken)?;
        let (head, body) = response.into_parts();
        let answer = rest_of(head.status.as_u16(), head.version, head.headers, body, Vec::new()).await;
        if !answer.cut {
            self.open = Some(sender);
        }
        Ok(answer)
    }

    async fn connect(address: SocketAddr) -> Result<(SendRequest<Full<Bytes>>, Connection), NoAnswer> {
        let socket = TcpStream::connect(address).await.map_err(NoAnswer::Connect)?;
        let _delay = socket.set_nodelay(true);
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
        let (sender, connection) = handshake.map_err(NoAnswer::Broken)?;
        Ok((sender, Connection::drive(connection)))
    }
}
