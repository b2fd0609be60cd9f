//! F31 to F35: channels that fail for a while, or half of the time, or all at once; and what their return looks like.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gateway_tests::{
    Gateway, Line, Upstream, all, chat, close, in_good_time, in_order, ms, reset, status, user_keys,
};

use super::{impatient, nothing_is_left};

/// What clients saw.
#[derive(Debug, Default)]
struct Seen {
    good: AtomicUsize,
    bad: AtomicUsize,
}

/// Calls with one key after the other, on this many connections at a time, until `over`.
async fn call_until(gw: &Gateway, lanes: usize, keys: &[String], seen: &Seen, over: impl Fn() -> bool) {
    let lanes = keys.chunks(keys.len() / lanes).map(|keys| async {
        let mut line = Line::new();
        for key in keys.iter().cycle() {
            if over() {
                break;
            }
            let answer = line.send(gw.chat("m").say("hi").key(key).call()).await;
            let good = answer.is_ok_and(|answer| answer.status == 200);
            let count = if good { &seen.good } else { &seen.bad };
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    all(lanes).await;
}

// --- F31: up and down ---

#[tokio::test]
async fn a_flapping_channel_beside_a_healthy_one_is_hardly_noticed_and_seldom_asked() {
    const HALF: Duration = Duration::from_secs(1);
    let began = Instant::now();
    let failures = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&failures);
    let flapping = Upstream::answering(move |_| {
        if (began.elapsed().as_millis() / HALF.as_millis()).is_multiple_of(2) {
            return chat("flapping").after(ms(5));
        }
        counted.fetch_add(1, Ordering::Relaxed);
        reset()
    });
    let flapping = flapping.start().await;
    let steady = Upstream::answering(|_| chat("steady").after(ms(5))).start().await;
    let keys = user_keys("flap", 8);
    let gw = Gateway::serving("m", [&flapping, &steady]).users(&keys).start().await;

    let seen = Seen::default();
    call_until(&gw, 8, &keys, &seen, || began.elapsed() > HALF * 8).await;

    let (good, bad) = (seen.good.into_inner(), seen.bad.into_inner());
    assert!(good > 100, "only {good} calls in eight seconds");
    assert!(bad * 1000 <= good, "{bad} of {} calls failed", good + bad);
    // Four times it went down: then four failures and whatever was on its way eject it, and tries are few.
    let failures = failures.load(Ordering::Relaxed);
    assert!(failures <= 4 * (4 + 8 + 8), "it was asked {failures} times while it was down");
}

// --- F32: half of the answers ---

#[tokio::test]
async fn a_channel_that_fails_every_second_call_loses_its_traffic_and_no_client_sees_it() {
    let number = AtomicU64::new(0);
    let half = Upstream::answering(move |_| match number.fetch_add(1, Ordering::Relaxed) % 4 {
        0 => status(500),
        1 => close(),
        _ => chat("half").after(ms(2)),
    });
    let (half, well) = (half.start().await, Upstream::answering(|_| chat("well").after(ms(2))).start().await);
    let keys = user_keys("half", 8);
    let gw = Gateway::serving("m", [&half, &well]).users(&keys).start().await;

    let seen = Seen::default();
    let total = |seen: &Seen| seen.good.load(Ordering::Relaxed) + seen.bad.load(Ordering::Relaxed);
    call_until(&gw, 8, &keys, &seen, || total(&seen) >= 600).await;
    let (asked, answered) = (half.count(), total(&seen));
    call_until(&gw, 8, &keys, &seen, || total(&seen) >= 1_200).await;

    let (later, of) = (half.count() - asked, total(&seen) - answered);
    assert!(later * 4 < of, "{later} of {of} later calls still went to the channel that fails");
    assert_eq!(seen.bad.into_inner(), 0, "of {answered} and {of} calls");
}

// --- F33: all of them ---

#[tokio::test]
async fn with_all_channels_down_every_answer_comes_at_once_and_the_first_that_is_back_is_found() {
    let ups = [
        Upstream::answering(|_| reset()).start().await,
        Upstream::answering(|_| reset()).start().await,
        Upstream::answering(|_| reset()).start().await,
    ];
    let keys = user_keys("down", 40);
    let gw = impatient(&[&ups[0], &ups[1], &ups[2]]).users(&keys).start().await;

    let mut reasons = Vec::new();
    for key in &keys {
        let answer = gw.chat("m").say("hi").key(key).send().await;
        answer.assert_error_shape();
        assert!(matches!(answer.status, 502 | 503), "{}", answer.body_text());
        assert!(answer.attempts() <= 3);
        if answer.status == 503 {
            assert_eq!(answer.error_code(), "no_channel_available");
            assert!(!answer.header("retry-after").is_empty());
        }
        let record = gw.admin().exchange(answer.request_id()).await.record;
        reasons.push(record["attempts"][0]["reason"].as_str().unwrap_or_default().to_owned());
    }
    // All are out by now, and the least bad one is tried all the same.
    assert!(reasons.iter().any(|reason| reason == "panic"), "{reasons:?}");

    ups[1].set_always(chat("back"));
    in_good_time("a channel that is back is found", async || {
        let answer = gw.chat("m").say("hi").send().await;
        (answer.status == 200).then_some(())
    })
    .await;
    for _ in 0..10 {
        gw.chat("m").say("hi").send().await.assert_text("back");
    }
    nothing_is_left(&gw, &[&ups[0], &ups[1], &ups[2]]).await;
}

#[tokio::test]
async fn calls_do_not_pile_up_while_all_channels_are_down() {
    let (one, two) = (Upstream::refusing(), Upstream::refusing());
    let keys = user_keys("pile", 200);
    // Not impatient: two hundred calls at once may take a slow machine longer than a fraction of a second.
    let gw = Gateway::serving_weighted("m", in_order([&one, &two]));
    let gw = gw.set("proxy.pool_idle_timeout", "50ms").users(&keys).start().await;

    for answer in all(keys.iter().map(|key| gw.chat("m").say("hi").key(key).send())).await {
        answer.assert_error_shape();
        assert!(matches!(answer.status, 502 | 503), "{}", answer.body_text());
    }

    nothing_is_left(&gw, &[]).await;
}

// --- F34: the return ---

#[tokio::test]
async fn a_channel_that_returns_is_not_run_over() {
    // To the gateway a machine that stalls looks like channels that do: what does not hold is measured again.
    let mut measured = Vec::new();
    for _ in 0..3 {
        let (steady, peak) = peaks_before_and_after_an_outage().await;
        if peak * 10 <= steady * 12 {
            return;
        }
        measured.push((steady, peak));
    }
    panic!("the most calls at a time in steady use, and on its return: {measured:?}");
}

/// The most calls that a channel has at a time while all is well, and from its return on until it is in use again.
async fn peaks_before_and_after_an_outage() -> (usize, usize) {
    const LANES: usize = 40;
    const MANY: usize = 400;
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let one = Upstream::answering(move |_| {
        if is_down.load(Ordering::Relaxed) { reset() } else { chat("one").after(ms(100)) }
    });
    let (one, other) =
        (one.start().await, Upstream::answering(|_| chat("other").after(ms(100))).start().await);
    // A session stays where it is, so whoever comes back to a channel is new.
    let keys = user_keys("herd", 4_000);
    let gw = Gateway::serving("m", [&one, &other]).users(&keys).start().await;
    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let asked_for_more = async |what: &str| {
        let asked = one.count();
        in_good_time(what, async || (one.count() > asked + MANY).then_some(())).await;
    };

    let story = async {
        asked_for_more("both are in use").await;
        one.forget_peak();
        asked_for_more("steady use is measured").await;
        let steady = one.peak();

        down.store(true, Ordering::Relaxed);
        let has_all = || other.in_flight() * 10 >= LANES * 8;
        in_good_time("the other has the calls", async || has_all().then_some(())).await;
        one.forget_peak();
        down.store(false, Ordering::Relaxed);
        asked_for_more("it is in use again").await;
        over.store(true, Ordering::Relaxed);
        (steady, one.peak())
    };
    let calls = call_until(&gw, LANES, &keys, &seen, || over.load(Ordering::Relaxed));
    let (peaks, ()) = tokio::join!(story, calls);
    assert_eq!(seen.bad.into_inner(), 0, "clients saw the outage");
    peaks
}

// --- F35: the channel of a session ---

#[tokio::test]
async fn a_session_whose_channel_dies_moves_once_and_stays() {
    let (first, second) = (
        Upstream::answering(|_| chat("first")).start().await,
        Upstream::answering(|_| chat("second")).start().await,
    );
    let gw = Gateway::serving_weighted("m", in_order([&first, &second])).start().await;
    let ask = async || gw.chat("m").say("hi").send().await;
    for _ in 0..5 {
        ask().await.assert_text("first");
    }

    first.set_always(reset());
    let mut said = Vec::new();
    for _ in 0..10 {
        said.push(ask().await.text());
    }
    first.set_always(chat("first"));
    for _ in 0..100 {
        said.push(ask().await.text());
    }

    assert!(said.iter().all(|text| text == "second"), "{said:?}");
    let sessions = gw.admin().list("/api/sessions").await;
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["channel_name"], second.name(), "{}", sessions[0]);
}
