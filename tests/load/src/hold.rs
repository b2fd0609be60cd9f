//! Many streams at a time, opened one after the other and all held open together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::http1::{read_body, read_head};
use crate::request::Wording;
use crate::say;

/// What to open.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    wording: Wording,
    /// Streams at a time, each on a connection of its own.
    #[arg(long, default_value_t = 2000)]
    streams: usize,
    /// How many are opened in a second.
    #[arg(long, default_value_t = 2000.0)]
    pace: f64,
}

/// Opens all, says `open` once each has brought its first event, and reads them to their ends.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<Value> {
    let events = plan.wording.events.unwrap_or(10);
    let requests: Arc<[Vec<u8>]> = plan.wording.requests().into();
    let (begun, open) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for number in 0..plan.streams {
        let (requests, open) = (Arc::clone(&requests), Arc::clone(&open));
        let turn = Duration::from_secs_f64(f64::from(u32::try_from(number)?) / plan.pace.max(1.0));
        let to = plan.wording.to;
        tasks.spawn(async move {
            tokio::time::sleep_until((begun + turn).into()).await;
            let request = requests.get(number % requests.len().max(1)).map_or(&[][..], Vec::as_slice);
            let answer = stream(to, request, &open).await;
            answer.is_ok_and(|answer| answer.is_whole(events))
        });
    }
    let most = wait_for_all(&open, plan.streams).await;
    say(&format!("open {most}"));
    let mut whole = 0;
    while let Some(ended) = tasks.join_next().await {
        whole += usize::from(ended?);
    }
    Ok(json!({ "streams": plan.streams, "open": most, "whole": whole, "incomplete": plan.streams - whole }))
}

/// The most that were open at a time: all of them, or what had been reached when nothing was opened any more.
async fn wait_for_all(open: &AtomicUsize, wanted: usize) -> usize {
    let (mut most, mut since) = (0, Instant::now());
    while most < wanted && since.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = open.load(Ordering::Relaxed);
        if now > most {
            (most, since) = (now, Instant::now());
        }
    }
    most
}

async fn stream(to: std::net::SocketAddr, request: &[u8], open: &AtomicUsize) -> std::io::Result<Answer> {
    let mut socket = TcpStream::connect(to).await?;
    socket.set_nodelay(true)?;
    socket.write_all(request).await?;
    let mut buffer = Vec::with_capacity(1 << 10);
    let head = read_head(&mut socket, &mut buffer).await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let mut answer = Answer::default();
    let read = read_body(&mut socket, &mut buffer, &head, |piece| {
        if answer.first.is_none() && !piece.is_empty() {
            open.fetch_add(1, Ordering::Relaxed);
        }
        answer.take(piece);
    })
    .await;
    if answer.first.is_some() {
        open.fetch_sub(1, Ordering::Relaxed);
    }
    read.map(|()| answer)
}
