//! Channels that die, fail or are put out, under a load that does not stop for it.

use std::time::Duration;

use gateway_tests::{
    Answer, Campaign, Gateway, Line, NoAnswer, Pace, Upstream, chat, in_good_time, ms, sse, status, user_keys,
};

const PER_SECOND: u32 = 500;

/// What became of the calls of a load.
#[derive(Debug, Default)]
struct Outcomes {
    calls: usize,
    /// Streams that had begun when their channel died: they ended with an error event, as they must.
    interrupted: usize,
    failed: Vec<String>,
}

// === impl Outcomes ===

impl Outcomes {
    /// Counts one answer to a call that was to be told `text`.
    fn of(said: Result<Answer, NoAnswer>, text: &str) -> Self {
        let mut outcome = Self { calls: 1, ..Self::default() };
        match said {
            Err(why) => outcome.failed.push(format!("{why:?}")),
            Ok(answer) => {
                let streamed = answer.header("content-type").starts_with("text/event-stream");
                let whole = answer.status == 200 && !answer.cut && answer.text() == text;
                if streamed && answer.cut && answer.data().len() > 1 {
                    answer.assert_interrupted("upstream_stream_interrupted");
                    outcome.interrupted = 1;
                } else if !whole || streamed && !answer.is_done() {
                    outcome.failed.push(format!("{}: {}", answer.status, answer.body_text()));
                }
            }
        }
        outcome
    }

    fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::default(), |mut sum, one| {
            sum.calls += one.calls;
            sum.interrupted += one.interrupted;
            sum.failed.extend(one.failed);
            sum
        })
    }

    /// Calls that a client could have had an answer to, and how many of a million it had.
    fn per_million(&self) -> usize {
        let judged = self.calls - self.interrupted;
        (judged - self.failed.len()) * 1_000_000 / judged.max(1)
    }
}

async fn answering() -> Upstream {
    let answering = Upstream::answering(|request| {
        if request.wants_stream() {
            sse(["a", "b", "c"]).pause(ms(20)).into()
        } else {
            chat("abc").after(ms(20))
        }
    });
    answering.start().await
}

/// One call, every third of them for a stream, on behalf of one of a hundred users.
async fn call(gw: &Gateway, line: &mut Line, keys: &[String], number: usize) -> Outcomes {
    let call = gw.chat("m").say("hi").key(&keys[number % keys.len()]);
    let call = if number.is_multiple_of(3) { call.stream() } else { call };
    Outcomes::of(line.send(call.call()).await, "abc")
}

#[tokio::test]
async fn one_of_two_channels_dies_under_load_and_comes_back() {
    let campaign = Campaign::begin("one of two channels dies").await;
    let (keys, newcomers) = (user_keys("dying", 100), user_keys("returning", 800));
    let (one, other) = (answering().await, answering().await);
    let gw = Gateway::serving("m", [&one, &other]).users(&keys).users(&newcomers).start().await;
    let seconds = campaign.sized(4, 60);
    let phase = Duration::from_secs(seconds) / 4;
    let pace = Pace { per_second: PER_SECOND, connections: 64 };
    let count = usize::try_from(u64::from(PER_SECOND) * seconds).expect("a small number");

    let load = pace.keep(count, async |line, number| call(&gw, line, &keys, number).await);
    let fault = async {
        tokio::time::sleep(phase).await;
        // On a machine that stalls, one of them may look slow and be spared: the one that is used is to die.
        let dying = if one.count() > other.count() { &one } else { &other };
        dying.die().await;
        tokio::time::sleep(phase * 2).await;
        dying.revive();
        dying
    };
    let (outcomes, revived) = tokio::join!(load, fault);

    let sum = Outcomes::sum(outcomes);
    campaign.says(format_args!(
        "{} calls at {PER_SECOND}/s, {} streams interrupted, {} failed: {} of a million",
        sum.calls,
        sum.interrupted,
        sum.failed.len(),
        sum.per_million()
    ));
    assert!(sum.per_million() >= 999_900, "{} failed: {:?}", sum.failed.len(), sum.failed.first());
    // Who went over to the other channel stays there, for the sake of what it remembers of him; newcomers do not.
    let mut newcomers = newcomers.chunks(20);
    let slowly = Pace { per_second: 40, ..pace };
    in_good_time("the dead one has its share of newcomers", async || {
        let keys = newcomers.next().expect("enough newcomers");
        let asked = revived.count();
        let more = slowly.keep(20, async |line, number| call(&gw, line, keys, number).await).await;
        assert!(more.iter().all(|outcome| outcome.failed.is_empty()), "{more:?}");
        (revived.count() >= asked + 4).then_some(())
    })
    .await;
}

/// Two of four are broken and put out; then the others fail as well, and the first are well again. Nobody waits for
/// the time of their return: when all are out, all are asked.
#[tokio::test]
async fn with_half_of_the_channels_put_out_the_others_serve_and_with_all_of_them_the_well_ones() {
    let campaign = Campaign::begin("half of all channels are out").await;
    let (a, b, c, d) = (answering().await, answering().await, answering().await, answering().await);
    let keys = user_keys("panic", 100);
    let gw = Gateway::serving("m", [&a, &b, &c, &d]).users(&keys).start().await;
    let pace = Pace { per_second: PER_SECOND, connections: 64 };
    let count = campaign.sized(500, 10_000);
    let load = async |count| {
        Outcomes::sum(pace.keep(count, async |line, number| call(&gw, line, &keys, number).await).await)
    };

    a.set_always(status(503));
    b.set_always(status(503));
    let half = load(count).await;
    let asked_in_vain = a.count() + b.count();
    campaign.says(format_args!(
        "half out: {} calls, {} failed, {asked_in_vain} attempts in vain",
        half.calls,
        half.failed.len()
    ));
    assert!(half.per_million() >= 999_900, "{:?}", half.failed);
    assert!(asked_in_vain < half.calls / 4, "they are out, and asked {asked_in_vain} times");

    for upstream in [&c, &d] {
        upstream.set_always(status(503));
    }
    let none = load(count).await;
    campaign.says(format_args!("all out: {} calls, {} failed", none.calls, none.failed.len()));
    for upstream in [&a, &b] {
        upstream.set_always(chat("abc"));
    }
    let first = gw.chat("m").say("hi").key(&keys[0]).send().await;
    let record = gw.admin().exchange(first.request_id()).await.record;
    assert_eq!(record.pointer("/attempts/0/reason"), Some(&"panic".into()), "{record}");
    let back = load(count).await;
    campaign.says(format_args!("half well again: {} calls, {} failed", back.calls, back.failed.len()));
    // What was spent in vain has left nothing for retries, so at first whoever meets a channel that fails has failed.
    assert!(back.per_million() >= 500_000, "{:?}", back.failed.first());
    in_good_time("nobody meets a channel that fails", async || {
        (load(500).await.per_million() == 1_000_000).then_some(())
    })
    .await;
}
