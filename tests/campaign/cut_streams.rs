//! Streams that are cut anywhere: an answer is whole, or it says that it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_tests::{
    Answer, Campaign, Chance, CutStream, Dialect, Fate, Gateway, Spot, Upstream, all, python,
};
use serde_json::{Value, json};

/// How many streams are under way at one time.
const AT_ONCE: usize = 32;

/// All streams of a campaign, and an upstream that plays whichever is asked for.
struct Cuts {
    streams: Arc<[CutStream]>,
    upstream: Upstream,
    gateway: Gateway,
}

// === impl Cuts ===

impl Cuts {
    async fn drawn(seed: u64, count: usize) -> Self {
        let draw = |number| CutStream::draw(&mut Chance::of(seed, number));
        let streams: Arc<[CutStream]> = (0..count).map(draw).collect();
        let played = Arc::clone(&streams);
        let upstream = Upstream::answering(move |request| {
            let asked = request.json();
            let number = asked.pointer("/metadata/stream").and_then(Value::as_str);
            let number: usize = number.and_then(|number| number.parse().ok()).expect("each call is numbered");
            played[number].reply()
        });
        let upstream = upstream.start().await;
        let gateway = Gateway::serving("m", [&upstream]).start().await;
        Self { streams, upstream, gateway }
    }

    async fn ask(&self, number: usize) -> Answer {
        let stream = &self.streams[number];
        let mut body = json!({"model": "m", "stream": true, "metadata": {"stream": number.to_string()}});
        match stream.meant.dialect {
            Dialect::Chat => {
                body["messages"] = json!([{"role": "user", "content": "hi"}]);
                body["n"] = json!(stream.meant.texts.len());
            }
            Dialect::Responses => body["input"] = json!("hi"),
        }
        self.gateway.post(stream.meant.path(), body.to_string()).send().await
    }

    /// What became of one stream; an error says what is wrong with that.
    fn judge(&self, number: usize, answer: &Answer) -> Result<Fate, String> {
        let stream = &self.streams[number];
        let fate = stream.meant.judge(answer).map_err(|why| format!("stream {number} ({stream}): {why}"))?;
        if stream.is_sent_whole() && fate != Fate::Whole {
            return Err(format!("stream {number} ({stream}) was sent whole and became {fate:?}"));
        }
        Ok(fate)
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_at_any_byte_never_ends_as_if_it_were_whole() {
    let campaign = Campaign::begin("cut streams").await;
    let cuts = Cuts::drawn(campaign.seed, campaign.sized(1_000, 10_000)).await;

    let lanes = (0..AT_ONCE).map(|lane| {
        let cuts = &cuts;
        async move {
            let mut fates = Vec::new();
            for number in (lane..cuts.streams.len()).step_by(AT_ONCE) {
                fates.push((number, cuts.judge(number, &cuts.ask(number).await)));
            }
            fates
        }
    });
    let fates: Vec<(usize, Result<Fate, String>)> = all(lanes).await.into_iter().flatten().collect();

    let mut counts = BTreeMap::<String, usize>::new();
    let mut wrong = Vec::new();
    for (number, fate) in fates {
        match fate {
            Ok(fate) => {
                *counts.entry(format!("{:?} → {fate:?}", cuts.streams[number].spot())).or_default() += 1;
            }
            Err(why) => wrong.push(why),
        }
    }
    campaign.says(format_args!("{} wrong of {}; {counts:#?}", wrong.len(), cuts.streams.len()));
    assert!(
        wrong.is_empty(),
        "{} endings lie, the first of them:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    assert_eq!(cuts.upstream.count(), cuts.streams.len(), "every stream was asked for, and none twice");
    for (spot, fate) in [(Spot::Nowhere, Fate::Whole), (Spot::Unclosed, Fate::Closed)] {
        assert!(
            counts.contains_key(&format!("{spot:?} → {fate:?}")),
            "no {fate:?} of {spot:?}: nothing was shown"
        );
    }
}

/// The client that most people use is the judge: it is given all of the text, or it raises.
#[tokio::test]
async fn the_python_sdk_has_the_whole_text_of_a_cut_stream_or_raises() {
    let campaign = Campaign::begin("cut streams, judged by the SDK").await;
    let cuts = Cuts::drawn(campaign.seed, campaign.sized(50, 500)).await;
    let asked: Vec<Value> = cuts
        .streams
        .iter()
        .enumerate()
        .map(|(number, stream)| {
            let dialect = if stream.meant.dialect == Dialect::Chat { "chat" } else { "responses" };
            json!({"number": number, "dialect": dialect, "choices": stream.meant.texts.len()})
        })
        .collect();
    let url = format!("http://{}/v1", cuts.gateway.address());

    let Some(told) = python("cut_streams.py", &[&url, gateway_tests::USER_KEY], &json!(asked)).await else {
        return;
    };

    let told = told.as_array().expect("one verdict for each");
    assert_eq!(told.len(), cuts.streams.len());
    let mut raised = BTreeMap::<&str, usize>::new();
    for (verdict, stream) in told.iter().zip(cuts.streams.iter()) {
        match verdict["raised"].as_str() {
            Some(name) => {
                *raised.entry(name).or_default() += 1;
                assert!(!stream.is_sent_whole(), "{stream}: sent whole, and the SDK raised {verdict}");
            }
            None => assert_eq!(verdict["texts"], json!(stream.meant.texts), "{stream}: taken for whole"),
        }
    }
    let whole = told.len() - raised.values().sum::<usize>();
    campaign.says(format_args!("{whole} of {} whole, raised: {raised:?}", told.len()));
    assert!(whole > 0 && whole < told.len(), "nothing was shown");
}
