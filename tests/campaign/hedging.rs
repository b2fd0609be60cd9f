//! A second channel is asked when the first is late: what it gains, and what it costs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gateway_tests::{
    Campaign, Durations, Gateway, Pace, Received, Reply, Upstream, chat, eventually, ms, sse, user_keys,
};
use serde_json::{Value, json};

/// How soon a first token comes that is not late.
const ORDINARY: Duration = ms(20);

/// How long the gateway waits for a first token before it asks another channel.
const AFTER: Duration = ms(150);

/// Who is late for whom: exactly every twentieth first attempt, and every twentieth of the others.
#[derive(Clone, Debug)]
struct Lateness {
    late: Duration,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How often each call was asked for.
    times: HashMap<usize, usize>,
    /// How many of all attempts were not the first of their call.
    extra: usize,
}

/// One streamed call, as its client sees it.
#[derive(Debug)]
struct Told {
    request_id: String,
    first_token: Duration,
    /// When that was.
    at: Instant,
}

/// What a load has shown.
#[derive(Debug)]
struct Measured {
    calls: Vec<Told>,
    first_tokens: Durations,
    extra: usize,
    /// Calls that nobody was late for, and that were late all the same: the machine stalls.
    stalled: usize,
}

// === impl Lateness ===

impl Lateness {
    fn new(late: Duration) -> Self {
        Self { late, seen: Arc::default() }
    }

    fn is_late(number: usize) -> bool {
        number % 20 == 7
    }

    /// How long this attempt of this call waits for its first token.
    fn of(&self, number: usize) -> Duration {
        let mut seen = self.seen.lock().expect("not poisoned");
        let times = seen.times.entry(number).or_default();
        *times += 1;
        let late = if *times == 1 {
            Self::is_late(number)
        } else {
            seen.extra += 1;
            seen.extra.is_multiple_of(20)
        };
        if late { self.late } else { ORDINARY }
    }

    /// How often this call was asked for.
    fn times(&self, number: usize) -> usize {
        self.seen.lock().expect("not poisoned").times.get(&number).copied().unwrap_or(0)
    }

    fn extra(&self) -> usize {
        self.seen.lock().expect("not poisoned").extra
    }

    /// An upstream that is late by this. Some are silent before the head of their answer, some behind it.
    async fn upstream(&self) -> Upstream {
        let lateness = self.clone();
        let answering = Upstream::answering(move |request| {
            let number = number_of(request);
            let wait = lateness.of(number);
            if !request.wants_stream() {
                chat("ab").after(wait)
            } else if number.is_multiple_of(2) {
                Reply::from(sse(["a", "b"])).after(wait)
            } else {
                Reply::from(sse(["a", "b"])).silent_behind_its_head(wait)
            }
        });
        answering.start().await
    }
}

// === impl Measured ===

impl Measured {
    /// Calls whose first attempt was this late, and that did not have to wait for it.
    fn helped(&self, late: Duration) -> impl Iterator<Item = &Told> {
        let calls = self.calls.iter().enumerate();
        calls
            .filter(move |(number, told)| Lateness::is_late(*number) && told.first_token < late)
            .map(|(_, told)| told)
    }
}

fn number_of(request: &Received) -> usize {
    let body = request.json();
    let number = body.pointer("/metadata/number").and_then(Value::as_str);
    number.and_then(|number| number.parse().ok()).expect("each call is numbered")
}

/// Two channels, and a model that hedges or not. Nothing else gives up on late tokens.
async fn gateway(channels: [&Upstream; 2], keys: &[String], hedges: bool) -> Gateway {
    let builder = Gateway::serving("m", channels).users(keys).config(|table| {
        let models = table.get_mut("models").and_then(toml::Value::as_array_mut);
        let model = models.and_then(|models| models.first_mut()?.as_table_mut()).expect("a model");
        model.insert("cut".to_owned(), false.into());
        if hedges {
            let after = format!("{}ms", AFTER.as_millis());
            let hedge = toml::toml! { after = after  max_percent = 5 };
            model.insert("hedge".to_owned(), hedge.into());
        }
    });
    builder.start().await
}

/// Streams at an even pace.
async fn load(gw: &Gateway, keys: &[String], count: usize, lateness: &Lateness) -> Measured {
    let pace = Pace { per_second: 150, connections: 96 };
    let calls = pace.keep(count, async |_, number| {
        let call = gw.chat("m").say("hi").key(&keys[number % keys.len()]).stream();
        let call = call.with("metadata", json!({"number": number.to_string()}));
        let began = Instant::now();
        let mut stream = call.open().await;
        stream.read_until("\"a\"").await;
        let at = Instant::now();
        let request_id = stream.header("x-request-id").to_owned();
        stream.rest().await.assert_text("ab");
        Told { request_id, first_token: at - began, at }
    });
    let calls = calls.await;
    let stalls = |(number, told): &(usize, &Told)| !Lateness::is_late(*number) && told.first_token >= AFTER;
    Measured {
        first_tokens: calls.iter().map(|told| told.first_token).collect(),
        extra: lateness.extra(),
        stalled: calls.iter().enumerate().filter(stalls).count(),
        calls,
    }
}

#[tokio::test]
async fn a_second_channel_takes_the_wait_for_late_first_tokens_away() {
    let campaign = Campaign::begin("hedging").await;
    let late = Duration::from_secs(campaign.sized(3, 10));
    let count = campaign.sized(600, 3_000);
    let keys = user_keys("hedging", 100);

    let lateness = Lateness::new(late);
    let (one, other) = (lateness.upstream().await, lateness.upstream().await);
    let gw = gateway([&one, &other], &keys, false).await;
    let without = load(&gw, &keys, count, &lateness).await;
    campaign.says(format_args!("without: first token {}, {} extra", without.first_tokens, without.extra));
    assert_eq!(without.extra, 0, "nothing is tried twice without a hedge");
    assert!(without.first_tokens.percentile(99) >= late, "nobody was late: nothing can be shown");
    drop(gw);

    for round in 1..=3 {
        let lateness = Lateness::new(late);
        let (one, other) = (lateness.upstream().await, lateness.upstream().await);
        let gw = gateway([&one, &other], &keys, true).await;
        let with = load(&gw, &keys, count, &lateness).await;
        campaign.says(format_args!(
            "with: first token {}, {} extra of {count}, {} stalled",
            with.first_tokens, with.extra, with.stalled
        ));
        assert!(with.extra * 100 <= count * 6, "{} extra attempts for {count} calls", with.extra);
        assert!(with.extra * 100 >= count * 2, "only {} of {} late ones were helped", with.extra, count / 20);
        losers_are_let_go(&campaign, [&one, &other], &with, late).await;
        both_are_recorded(&gw, &with, late).await;
        if with.first_tokens.percentile(99) * 5 <= without.first_tokens.percentile(99) {
            return;
        }
        // A machine that stalls makes every first token late, and spends what was meant for the late ones.
        assert!(with.stalled * 100 > count, "the wait is not five times shorter, and the machine is calm");
        campaign.says(format_args!("measured again after round {round}: the machine stalls"));
    }
    panic!("not once in three rounds on a machine that stalls");
}

/// Of two attempts one is left, and its upstream learns of it as soon as the other has answered.
async fn losers_are_let_go(campaign: &Campaign, channels: [&Upstream; 2], with: &Measured, late: Duration) {
    let left = || {
        channels.iter().flat_map(|channel| channel.departed()).map(|left| (number_of(&left.request), left.at))
    };
    // Where nobody was late, the loser may have said all it had before it was left.
    let of_late_ones = || left().filter(|(number, _)| Lateness::is_late(*number)).collect::<Vec<_>>();
    let helped = with.helped(late).count();
    eventually("the losers are let go", || of_late_ones().len() >= helped).await;
    let took = of_late_ones().into_iter().map(|(number, at)| {
        let told = with.calls.get(number).expect("a call of this load");
        at.saturating_duration_since(told.at)
    });
    let took: Durations = took.collect();
    campaign.says(format_args!("losers let go after the first token: {took}"));
    assert!(took.percentile(99) <= campaign.sized(ms(2_000), ms(100)), "{took}");
}

async fn both_are_recorded(gw: &Gateway, with: &Measured, late: Duration) {
    for told in with.helped(late).take(10) {
        let record = gw.admin().exchange(&told.request_id).await;
        let mut outcomes: Vec<String> = record.attempts().into_iter().map(|(_, outcome)| outcome).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["ok", "superseded"], "{}", record.record);
        let attempts = record.record["attempts"].as_array().expect("two");
        assert_eq!(
            attempts.iter().filter(|attempt| attempt["hedge"] == true).count(),
            1,
            "{}",
            record.record
        );
    }
}

/// Doing such a call twice would leave two things behind.
#[tokio::test]
async fn a_call_that_leaves_something_behind_is_never_made_twice() {
    let _campaign = Campaign::begin("hedging of what must not be done twice").await;
    let lateness = Lateness::new(AFTER * 4);
    let (one, other) = (lateness.upstream().await, lateness.upstream().await);
    let gw = gateway([&one, &other], &[], true).await;
    let fields = [
        ("/v1/chat/completions", "store", json!(true)),
        ("/v1/responses", "store", json!(true)),
        ("/v1/responses", "previous_response_id", json!("resp_1")),
        ("/v1/responses", "background", json!(true)),
    ];
    // Enough calls that would do, so that the budget is no reason to leave the others alone.
    for number in 1_000..1_100 {
        let body = json!({"model": "m", "messages": [], "metadata": {"number": (number * 20).to_string()}});
        assert_eq!(gw.post("/v1/chat/completions", body.to_string()).send().await.status, 200);
    }
    let hedged = json!({"model": "m", "messages": [], "metadata": {"number": "7"}});
    assert_eq!(gw.post("/v1/chat/completions", hedged.to_string()).send().await.status, 200);
    assert_eq!(lateness.times(7), 2, "any other call is hedged");

    for (place, (path, field, value)) in fields.into_iter().enumerate() {
        let number = 107 + place * 20;
        let mut body =
            json!({"model": "m", "messages": [], "input": "hi", "metadata": {"number": number.to_string()}});
        body[field] = value;
        assert_eq!(gw.post(path, body.to_string()).send().await.status, 200);
        assert_eq!(lateness.times(number), 1, "{path} with {field} was asked for twice");
    }
}
