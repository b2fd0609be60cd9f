//! The load generator: a closed loop on a fixed number of connections, bounded in time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http1::{read_body, read_head};

/// What to send, how much of it, and for how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// The server.
    #[arg(long)]
    to: SocketAddr,
    /// The bearer key.
    #[arg(long, default_value = "")]
    key: String,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds before the measurement.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Bytes of the prompt.
    #[arg(long, default_value_t = 800)]
    prompt: usize,
    /// Ask for streams.
    #[arg(long)]
    stream: bool,
    /// Whole requests per second over all connections, evenly spaced; 0 is as fast as possible.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
}

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    /// Microseconds from sending (or from when it should have been sent) to the end of the answer.
    latencies: Vec<u64>,
    /// Microseconds until the first piece of a stream's body.
    first: Vec<u64>,
    pieces: u64,
    /// Good answers of the whole run, warm-up included: what processor time is divided by.
    completed: u64,
    errors: u64,
}

/// Runs the plan; the report is one JSON object.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<Value> {
    let request = request(&plan);
    let start = Instant::now();
    let from = start + Duration::from_secs_f64(plan.warmup);
    let until = from + Duration::from_secs_f64(plan.seconds);
    let mut tasks = JoinSet::new();
    for number in 0..plan.connections {
        let pace = Pace::new(&plan, number, start);
        tasks.spawn(drive(plan.to, request.clone(), pace, from, until));
    }
    let mut all = Seen::default();
    while let Some(seen) = tasks.join_next().await {
        let seen = seen?;
        all.latencies.extend(seen.latencies);
        all.first.extend(seen.first);
        all.pieces += seen.pieces;
        all.completed += seen.completed;
        all.errors += seen.errors;
    }
    all.latencies.sort_unstable();
    all.first.sort_unstable();
    let count = f64::from(u32::try_from(all.latencies.len())?);
    Ok(json!({
        "requests": all.latencies.len(),
        "per_second": count / plan.seconds,
        "errors": all.errors,
        "pieces": all.pieces,
        "completed": all.completed,
        "p50_us": percentile(&all.latencies, 50),
        "p99_us": percentile(&all.latencies, 99),
        "first_p50_us": percentile(&all.first, 50),
        "first_p99_us": percentile(&all.first, 99),
    }))
}

fn request(plan: &Plan) -> Vec<u8> {
    let body = format!(
        "{{\"model\":\"bench\",\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}],\"temperature\":0.70{}}}",
        "x".repeat(plan.prompt),
        if plan.stream { ",\"stream\":true" } else { "" }
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\naccept: application/json\r\nuser-agent: gateway-load\r\n\
         content-length: {}\r\n\r\n{body}",
        plan.to,
        plan.key,
        body.len()
    )
    .into_bytes()
}

/// When one connection sends.
struct Pace {
    next: Instant,
    every: Option<Duration>,
}

// === impl Pace ===

impl Pace {
    fn new(plan: &Plan, number: usize, start: Instant) -> Self {
        let every = (plan.rate > 0.0).then(|| {
            let connections = f64::from(u32::try_from(plan.connections).unwrap_or(1));
            Duration::from_secs_f64(connections / plan.rate)
        });
        let number = u32::try_from(number).unwrap_or(0);
        let share = u32::try_from(plan.connections).unwrap_or(1).max(1);
        Self { next: start + every.map_or(Duration::ZERO, |every| every * number / share), every }
    }

    /// Waits for the next turn; latency counts from here, so that a stall is not hidden by not sending.
    async fn turn(&mut self) -> Instant {
        let Some(every) = self.every else { return Instant::now() };
        let intended = self.next;
        self.next += every;
        tokio::time::sleep_until(intended.into()).await;
        intended
    }
}

async fn drive(to: SocketAddr, request: Vec<u8>, mut pace: Pace, from: Instant, until: Instant) -> Seen {
    let mut seen = Seen::default();
    while Instant::now() < until {
        let Ok(mut stream) = TcpStream::connect(to).await else {
            seen.errors += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if stream.set_nodelay(true).is_err()
            || talk(&mut stream, &request, &mut pace, from, until, &mut seen).await.is_err()
        {
            seen.errors += 1;
        }
    }
    seen
}

async fn talk(
    stream: &mut TcpStream,
    request: &[u8],
    pace: &mut Pace,
    from: Instant,
    until: Instant,
    seen: &mut Seen,
) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(64 << 10);
    while Instant::now() < until {
        let began = pace.turn().await;
        stream.write_all(request).await?;
        let Some(head) = read_head(stream, &mut buffer).await? else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let mut first = None;
        let mut pieces = 0;
        read_body(stream, &mut buffer, &head, |piece| {
            if !piece.is_empty() {
                first.get_or_insert_with(Instant::now);
                pieces += 1;
            }
        })
        .await?;
        let end = Instant::now();
        if head.status != 200 {
            seen.errors += 1;
            continue;
        }
        seen.completed += 1;
        if began >= from && end <= until {
            seen.latencies.push(micros(end - began));
            seen.first.extend(first.map(|first| micros(first - began)));
            seen.pieces += pieces;
        }
    }
    Ok(())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or(0)
}
