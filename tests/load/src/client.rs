//! The load generator: a closed loop on a fixed number of connections, bounded in time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::answer::Answer;
use crate::http1::{read_body, read_head};
use crate::request::Wording;
use crate::secure;

/// What to send, how much of it, and for how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    wording: Wording,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds before the measurement.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Speak TLS with a server that shows this certificate, PEM.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
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
    /// Events of all good streams of the whole run.
    events: u64,
    /// Streams that ended before their end, or lacked an event.
    incomplete: u64,
    /// Good answers of the whole run, warm-up included: what processor time is divided by.
    completed: u64,
    /// Microseconds until the end of an answer that said to come again later.
    refused: Vec<u64>,
    /// Everything else that was no good answer.
    errors: u64,
}

/// Runs the plan; the report is one JSON object.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<Value> {
    let requests: Arc<[Vec<u8>]> = plan.wording.requests().into();
    let tls = plan.trust.as_deref().map(secure::trusting).transpose()?;
    let start = Instant::now();
    let from = start + Duration::from_secs_f64(plan.warmup);
    let until = from + Duration::from_secs_f64(plan.seconds);
    let mut tasks = JoinSet::new();
    for number in 0..plan.connections {
        let pace = Pace::new(&plan, number, start);
        let turns = Turns { requests: Arc::clone(&requests), next: number };
        tasks.spawn(drive(plan.wording.clone(), tls.clone(), turns, pace, (from, until)));
    }
    let mut all = Seen::default();
    while let Some(seen) = tasks.join_next().await {
        let seen = seen?;
        all.latencies.extend(seen.latencies);
        all.first.extend(seen.first);
        all.events += seen.events;
        all.incomplete += seen.incomplete;
        all.completed += seen.completed;
        all.refused.extend(seen.refused);
        all.errors += seen.errors;
    }
    all.latencies.sort_unstable();
    all.first.sort_unstable();
    all.refused.sort_unstable();
    let count = f64::from(u32::try_from(all.latencies.len())?);
    Ok(json!({
        "requests": all.latencies.len(),
        "per_second": count / plan.seconds,
        "errors": all.errors + all.refused.len() as u64,
        "events": all.events,
        "incomplete": all.incomplete,
        "completed": all.completed,
        "p50_us": percentile(&all.latencies, 50),
        "p99_us": percentile(&all.latencies, 99),
        "first_p50_us": percentile(&all.first, 50),
        "first_p99_us": percentile(&all.first, 99),
        "refused": all.refused.len(),
        "refused_p50_us": percentile(&all.refused, 50),
        "refused_p99_us": percentile(&all.refused, 99),
        "refused_most_us": percentile(&all.refused, 100),
    }))
}

/// Which request a connection sends next.
struct Turns {
    requests: Arc<[Vec<u8>]>,
    next: usize,
}

// === impl Turns ===

impl Turns {
    fn take(&mut self) -> &[u8] {
        let all = self.requests.len().max(1);
        let number = self.next % all;
        // A step that has no divisor in common with most counts, so that a few connections see all requests.
        self.next = self.next.wrapping_add(61);
        self.requests.get(number).map_or(&[], Vec::as_slice)
    }
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

    /// Waits for the next turn, from which latency counts. One that is missed while the answer before it was awaited counts
    /// from when it should have been, so that a stall is not hidden by not sending; that timers are late by up to a
    /// millisecond is nobody's latency.
    async fn turn(&mut self) -> Instant {
        let Some(every) = self.every else { return Instant::now() };
        let intended = self.next;
        self.next += every;
        if intended < Instant::now() {
            return intended;
        }
        tokio::time::sleep_until(intended.into()).await;
        Instant::now()
    }
}

async fn drive(
    wording: Wording,
    tls: Option<TlsConnector>,
    mut turns: Turns,
    mut pace: Pace,
    (from, until): (Instant, Instant),
) -> Seen {
    let mut seen = Seen::default();
    while Instant::now() < until {
        let Ok(mut stream) = TcpStream::connect(wording.to).await else {
            seen.errors += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let talk = Talk { events: wording.events, from, until };
        let talked = match (stream.set_nodelay(true), &tls) {
            (Err(error), _) => Err(error),
            (Ok(()), None) => talk.run(&mut stream, &mut turns, &mut pace, &mut seen).await,
            (Ok(()), Some(tls)) => match tls.connect(wording.to.ip().into(), stream).await {
                Ok(mut stream) => talk.run(&mut stream, &mut turns, &mut pace, &mut seen).await,
                Err(error) => Err(error),
            },
        };
        seen.errors += u64::from(talked.is_err());
    }
    seen
}

/// What one connection does: how long, and what it expects.
struct Talk {
    events: Option<u32>,
    from: Instant,
    until: Instant,
}

// === impl Talk ===

impl Talk {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        turns: &mut Turns,
        pace: &mut Pace,
        seen: &mut Seen,
    ) -> std::io::Result<()> {
        let mut buffer = Vec::with_capacity(4 << 10);
        while Instant::now() < self.until {
            let began = pace.turn().await;
            stream.write_all(turns.take()).await?;
            stream.flush().await?;
            let Some(head) = read_head(stream, &mut buffer).await? else {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            };
            let mut answer = Answer::default();
            read_body(stream, &mut buffer, &head, |piece| answer.take(piece)).await?;
            let end = Instant::now();
            if head.status == 503 && head.come_again {
                seen.refused.push(micros(end - began));
                continue;
            }
            if head.status != 200 {
                seen.errors += 1;
                continue;
            }
            if let Some(events) = self.events {
                seen.events += answer.events;
                seen.incomplete += u64::from(!answer.is_whole(events));
            }
            seen.completed += 1;
            if began >= self.from && end <= self.until {
                seen.latencies.push(micros(end - began));
                seen.first.extend(answer.first.map(|first| micros(first - began)));
            }
        }
        Ok(())
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or(0)
}
