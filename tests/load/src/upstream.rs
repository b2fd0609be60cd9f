//! The scripted upstream: answers as fast as it can, or streams as its caller asks.
//!
//! A request says what stream it wants in its prompt, `[[events=100 gap_ms=10]]`: a prompt goes through every gateway.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::http1::{read_body, read_head};
use crate::say;

const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench-backend","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp_bench"}"#;

/// How many connections may wait to be accepted: all that come to a target come here, too.
const BACKLOG: u32 = 16_384;

/// The stream that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Script {
    events: u32,
    gap: Duration,
}

// === impl Script ===

impl Script {
    /// What stands in a prompt; without it, a hundred events without a gap.
    fn read(prompt: &[u8]) -> Self {
        let number = |name: &[u8]| {
            let rest = prompt.get(memmem::find(prompt, name)? + name.len()..)?;
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            std::str::from_utf8(rest.get(..digits)?).ok()?.parse::<u32>().ok()
        };
        Self {
            events: number(b"[[events=").unwrap_or(100),
            gap: Duration::from_millis(number(b" gap_ms=").unwrap_or(0).into()),
        }
    }
}

pub(crate) async fn serve(listen: SocketAddr, tls: Option<TlsAcceptor>) -> anyhow::Result<()> {
    let listener = bind(listen)?;
    say(&listener.local_addr()?.to_string());
    let mut connections = JoinSet::new();
    let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                match &tls {
                    None => connections.spawn(answer_all(stream)),
                    Some(tls) => {
                        let handshake = tls.accept(stream);
                        connections.spawn(async { answer_all(handshake.await?).await })
                    }
                };
            }
            Some(_) = connections.join_next() => {}
            _ = stop.recv() => return Ok(()),
        }
    }
}

fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Answers on one connection until it is closed; a broken connection is the other side's business.
async fn answer_all<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(2 << 10);
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    while let Some(head) = read_head(&mut stream, &mut buffer).await? {
        let (mut streamed, mut script) = (false, None);
        read_body(&mut stream, &mut buffer, &head, |piece| {
            // The wish stands at the beginning of the prompt, and whether to stream at the end of the body.
            script.get_or_insert_with(|| Script::read(piece.get(..512).unwrap_or(piece)));
            let end = piece.get(piece.len().saturating_sub(512)..).unwrap_or_default();
            streamed |= memmem::find(end, b"\"stream\":true").is_some();
        })
        .await?;
        match script {
            Some(script) if streamed => stream_answer(&mut stream, script).await?,
            Some(_) | None => stream.write_all(whole.as_bytes()).await?,
        }
        stream.flush().await?;
    }
    Ok(())
}

async fn stream_answer<S: AsyncWrite + Unpin>(stream: &mut S, script: Script) -> std::io::Result<()> {
    stream
        .write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await?;
    let mut out = Vec::with_capacity(512);
    for number in 0..script.events {
        if !script.gap.is_zero() && number > 0 {
            tokio::time::sleep(script.gap).await;
        }
        let last = number + 1 == script.events;
        let finish = if last { "\"stop\"" } else { "null" };
        let done = if last { "data: [DONE]\n\n" } else { "" };
        let event = format!(
            "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
             \"model\":\"bench-backend\",\"system_fingerprint\":\"fp_bench\",\"choices\":[{{\"index\":0,\"delta\":\
             {{\"content\":\" word\"}},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n{done}"
        );
        out.clear();
        write!(out, "{:x}\r\n{event}\r\n", event.len())?;
        if last {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        stream.write_all(&out).await?;
        stream.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_says_what_stream_it_wants() {
        let script = Script::read(br#"{"messages":[{"content":"[[events=7 gap_ms=1000]]xxx"}]}"#);
        assert_eq!(script, Script { events: 7, gap: Duration::from_secs(1) });
        assert_eq!(Script::read(b"{}"), Script { events: 100, gap: Duration::ZERO });
    }
}
