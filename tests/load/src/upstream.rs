//! The scripted upstream: answers as fast as it can, or streams at a fixed pace.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::http1::{read_body, read_head};
use crate::say;

const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench-backend","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp_bench"}"#;

pub(crate) async fn serve(listen: SocketAddr, chunks: u32, gap: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    say(&listener.local_addr()?.to_string());
    let mut connections = JoinSet::new();
    let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                connections.spawn(answer_all(stream, chunks, gap));
            }
            Some(_) = connections.join_next() => {}
            _ = stop.recv() => return Ok(()),
        }
    }
}

/// Answers on one connection until it is closed; a broken connection is the other side's business.
async fn answer_all(mut stream: TcpStream, chunks: u32, gap: Duration) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(16 << 10);
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    while let Some(head) = read_head(&mut stream, &mut buffer).await? {
        let mut streamed = false;
        read_body(&mut stream, &mut buffer, &head, |piece| {
            streamed |= memchr::memmem::find(piece, b"\"stream\":true").is_some();
        })
        .await?;
        if streamed {
            stream_answer(&mut stream, chunks, gap).await?;
        } else {
            stream.write_all(whole.as_bytes()).await?;
        }
    }
    Ok(())
}

async fn stream_answer(stream: &mut TcpStream, chunks: u32, gap: Duration) -> std::io::Result<()> {
    stream
        .write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await?;
    let mut out = Vec::with_capacity(1024);
    for number in 0..chunks {
        if !gap.is_zero() && number > 0 {
            tokio::time::sleep(gap).await;
        }
        let last = number + 1 == chunks;
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
    }
    Ok(())
}
