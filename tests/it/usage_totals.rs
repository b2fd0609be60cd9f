//! What upstreams say that calls have used is what the records say, to the token: for all kinds of answers, whole or
//! not, whoever left or failed.

mod plan;
mod spelling;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use gateway_tests::{Call, Gateway, Received, Reply, Upstream, all, eventually, until};
use http::Method;
use serde_json::Value;

use self::plan::{Answering, Leaves, Plan};
use self::spelling::{KINDS, Tokens};

const EXCHANGES: usize = 2_000;
/// How many clients are busy at one time.
const AT_ONCE: usize = 16;

/// What both upstreams have answered.
#[derive(Debug)]
struct Told {
    seed: u64,
    /// Of each exchange that came through: the attempts, and what the last of them was answered.
    last: Mutex<HashMap<usize, (usize, Answering)>>,
}

// === impl Told ===

impl Told {
    fn answer(&self, request: &Received) -> Reply {
        let number = request.header("x-exchange").and_then(|number| number.parse().ok()).expect("a number");
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = last.get(&number).map_or(0, |(attempts, _)| *attempts);
        let answering = Plan::of(self.seed, number).answer(attempts);
        last.insert(number, (attempts + 1, answering.clone()));
        answering.reply
    }

    fn has(&self, number: usize) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&number)
    }

    /// What the upstream said that exchange `number` has used, and the parts that it sent.
    fn of(&self, number: usize) -> (Option<Tokens>, u64) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(&number).map_or((None, 0), |(_, answering)| (answering.says, answering.parts))
    }
}

/// Has one exchange, as its client.
async fn have(gw: &Gateway, told: &Told, number: usize) {
    let plan = Plan::of(told.seed, number);
    let call: Call = gw.call(Method::POST, plan.path).header("content-type", plan.content_type);
    let call = call.header("x-exchange", &number.to_string()).body(plan.question);
    let call = call.header("x-request-id", &id_of(number)).header("x-session-id", &(number % 9).to_string());
    match plan.leaves {
        Leaves::Never => drop(call.send().await),
        Leaves::AtOnce => tokio::select! {
            opened = call.open() => panic!("an answer without an upstream's: {}", opened.status),
            () = eventually("the question is asked", || told.has(number)) => {}
        },
        Leaves::After(bytes) => {
            let mut opened = call.open().await;
            while opened.so_far().len() < bytes {
                assert!(opened.frame().await.is_some(), "exchange {number} ended early: {}", opened.so_far());
            }
            opened.leave();
        }
    }
}

fn id_of(number: usize) -> String {
    format!("totals-{number}")
}

fn tokens_of(record: &Value) -> Tokens {
    KINDS.map(|kind| record["usage"][kind].as_u64())
}

fn add(total: &mut [u64; KINDS.len()], tokens: Tokens) {
    for (sum, tokens) in total.iter_mut().zip(tokens) {
        *sum += tokens.unwrap_or(0);
    }
}

#[tokio::test]
async fn the_records_add_up_to_what_the_upstreams_have_said() {
    let given = std::env::var("GATEWAY_CAMPAIGN_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one("usage totals"));
    eprintln!("GATEWAY_CAMPAIGN_SEED={seed}");
    let told = Arc::new(Told { seed, last: Mutex::default() });
    let upstream = || {
        let told = Arc::clone(&told);
        Upstream::answering(move |request| told.answer(request))
    };
    let (first, second) = (upstream().start().await, upstream().start().await);
    // Streams that are cut are the upstreams' fault; here they shall not lose their traffic for it.
    let gw = Gateway::serving("m", [&first, &second]).set("health_check.unhealthy_after", 1000);
    let gw = gw.set("proxy.cut", false).start().await;

    all((0..AT_ONCE).map(|lane| {
        let (gw, told) = (&gw, &told);
        async move {
            for number in (lane..EXCHANGES).step_by(AT_ONCE) {
                have(gw, told, number).await;
            }
        }
    }))
    .await;

    let admin = gw.admin();
    let records = until("every exchange has its record", async || {
        let records = admin.exchanges().await;
        (records.len() >= EXCHANGES).then_some(records)
    })
    .await;
    let by_id: HashMap<&str, &Value> =
        records.iter().filter_map(|record| Some((record["request_id"].as_str()?, record))).collect();
    assert_eq!((records.len(), by_id.len()), (EXCHANGES, EXCHANGES), "one record for each");
    let (mut said, mut kept) = ([0; KINDS.len()], [0; KINDS.len()]);
    let mut sources = BTreeMap::<(String, String), usize>::new();
    for number in 0..EXCHANGES {
        let record = by_id[id_of(number).as_str()];
        let source = record["usage"]["source"].as_str().unwrap_or_default();
        let (says, parts) = told.of(number);
        if let Some(tokens) = says {
            assert_eq!((source, tokens_of(record)), ("upstream", tokens), "{record}");
            add(&mut said, tokens);
        } else {
            assert_ne!(source, "upstream", "nobody said so: {record}");
            let counted = record["usage"]["completion_tokens"].as_u64();
            let parts = Some(parts).filter(|parts| source == "counted" && *parts > 0);
            assert_eq!(counted, parts, "{record}");
        }
        if source == "upstream" {
            add(&mut kept, tokens_of(record));
        }
        let outcome = record["outcome"].as_str().unwrap_or_default().to_owned();
        *sources.entry((source.to_owned(), outcome)).or_default() += 1;
    }
    eprintln!("{sources:?}; tokens: {kept:?}");
    assert_eq!(kept, said);
    let metrics = gw.metrics().await;
    for (kind, sum) in
        ["prompt", "completion", "cached", "reasoning", "audio_in", "audio_out"].iter().zip(said)
    {
        let counted = metrics.count("gateway_tokens_total", &[("kind", kind), ("source", "upstream")]);
        assert_eq!(u64::try_from(counted), Ok(sum), "{kind}");
    }
    for (source, outcome) in [
        ("upstream", "ok"),
        ("upstream", "interrupted"),
        ("upstream", "client_gone"),
        ("counted", "ok"),
        ("counted", "interrupted"),
        ("counted", "client_gone"),
        ("none", "ok"),
        ("none", "client_gone"),
        ("none", "client_error"),
    ] {
        let shown = sources.contains_key(&(source.to_owned(), outcome.to_owned()));
        assert!(shown, "no {source} of {outcome}: nothing was shown");
    }
}
