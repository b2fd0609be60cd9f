use std::sync::Arc;
use std::time::Duration;

use gateway_domain::{
    Attempt, AttemptOutcome, ChannelId, Exchange, ExchangeOutcome, UnixMillis, Usage, UsageSource,
};
use proptest::prelude::*;

use super::*;

const NONE: UnderWay = UnderWay { requests: 0, streams: 0 };

fn exchange(channel: i64, outcome: ExchangeOutcome, millis: u64) -> Exchange {
    let good = outcome == ExchangeOutcome::Ok;
    let attempt = Attempt {
        channel: ChannelId(channel),
        channel_name: "a".into(),
        reason: "hash",
        status: Some(200),
        first_byte: Some(Duration::from_millis(millis / 2)),
        total: Duration::from_millis(millis),
        outcome: if good { AttemptOutcome::Ok } else { AttemptOutcome::ServerError },
        home: None,
        health: 1.0,
        hedge: false,
    };
    Exchange {
        request_id: "r".into(),
        started_at: UnixMillis(0),
        user: None,
        key: None,
        endpoint: "/v1/chat/completions",
        model: None,
        streamed: true,
        attempts: [attempt].into_iter().collect(),
        outcome,
        status: 200,
        first_byte: Some(Duration::from_millis(millis / 2)),
        total: Duration::from_millis(millis),
        bytes_in: 1,
        bytes_out: 1,
        usage: Usage {
            prompt: Some(3),
            completion: Some(2),
            source: UsageSource::Upstream,
            ..Usage::default()
        },
        session_source: "",
    }
}

/// The last second.
fn newest(traffic: &Traffic) -> Bucket {
    traffic.last(1).buckets.pop().flatten().expect("it was measured")
}

#[test]
fn a_second_shows_what_ended_in_it() {
    let traffic = Traffic::new();
    for millis in [100, 100, 400] {
        traffic.count(&exchange(7, ExchangeOutcome::Ok, millis));
    }
    traffic.count(&exchange(8, ExchangeOutcome::UpstreamError, 9000));
    traffic.count(&exchange(7, ExchangeOutcome::ClientError, 1));
    traffic.close(UnixMillis(5000), 0, UnderWay { requests: 4, streams: 1 });

    let Bucket { total, under_way, .. } = newest(&traffic);
    assert_eq!((total.requests, total.errors), (5, 1));
    assert_eq!((total.prompt, total.completion), (Some(15), Some(10)));
    assert!((90.0..110.0).contains(&total.p50.unwrap()), "{total:?}");
    assert!((380.0..420.0).contains(&total.p95.unwrap()), "an error's time is no latency: {total:?}");
    assert_eq!(under_way, UnderWay { requests: 4, streams: 1 });
    let (good, bad) = (newest(&traffic).of_channel(ChannelId(7)), newest(&traffic).of_channel(ChannelId(8)));
    assert_eq!((good.requests, bad.requests, bad.errors, bad.p50), (4, 1, 1, None));

    traffic.close(UnixMillis(6000), 0, NONE);
    assert_eq!(
        newest(&traffic),
        Bucket { total: Figures::default(), under_way: NONE, channels: Box::default() }
    );
}

#[test]
fn what_was_slept_through_and_what_was_before_the_start_is_not_known() {
    let traffic = Traffic::new();
    traffic.close(UnixMillis(10_000), 0, NONE);
    traffic.close(UnixMillis(14_000), 3, NONE);
    let span = traffic.last(10);
    assert_eq!((span.step_ms, span.from), (1000, UnixMillis(4_000)));
    let known: Vec<bool> = span.buckets.iter().map(Option::is_some).collect();
    assert_eq!(known, [false, false, false, false, false, true, false, false, false, true]);
}

#[test]
fn threads_count_beside_each_other_and_nothing_is_lost() {
    let traffic = Arc::new(Traffic::new());
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let traffic = Arc::clone(&traffic);
            std::thread::spawn(move || {
                for _ in 0..2000 {
                    traffic.count(&exchange(number, ExchangeOutcome::Ok, 10));
                }
            })
        })
        .collect();
    let mut seconds = 0;
    while threads.iter().any(|thread| !thread.is_finished()) && seconds < 250 {
        seconds += 1;
        traffic.close(UnixMillis(seconds * 1000), 0, NONE);
    }
    for thread in threads {
        thread.join().unwrap();
    }
    traffic.close(UnixMillis((seconds + 1) * 1000), 0, NONE);
    let buckets = traffic.last(FINE).buckets;
    assert_eq!(buckets.iter().flatten().map(|bucket| bucket.total.requests).sum::<u32>(), 16_000);
    let of =
        |id| buckets.iter().flatten().map(|bucket| bucket.of_channel(ChannelId(id)).requests).sum::<u32>();
    assert!((0..8).all(|id| of(id) == 2000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Each second: how many calls ended, and how many seconds before it were slept through.
    #[test]
    fn fine_and_coarse_steps_keep_the_sums(
        seconds in prop::collection::vec((0_u32..6, prop_oneof![9 => Just(0_u64), 1 => 1_u64..30]), 1..250),
    ) {
        let traffic = Traffic::new();
        let (mut now, mut all) = (0, Vec::new());
        for (calls, skipped) in &seconds {
            for number in 0..*calls {
                traffic.count(&exchange(i64::from(number % 3), ExchangeOutcome::Ok, 10));
            }
            now += 1 + *skipped;
            traffic.close(UnixMillis(i64::try_from(now).unwrap() * 1000), *skipped, NONE);
            all.extend(std::iter::repeat_n(None, usize::try_from(*skipped).unwrap()));
            all.push(Some(*calls));
        }
        let calls = |bucket: &Option<Bucket>| bucket.as_ref().map(|bucket| bucket.total.requests);

        let fine = traffic.last(FINE);
        let shown: Vec<Option<u32>> = fine.buckets.iter().map(calls).collect();
        prop_assert_eq!(shown.len(), FINE);
        let known = all.len().min(FINE);
        prop_assert_eq!(&shown[FINE - known..], &all[all.len() - known..]);
        for bucket in fine.buckets.iter().flatten() {
            let parts: u32 = bucket.channels.iter().map(|(_, figures)| figures.requests).sum();
            prop_assert_eq!(parts, bucket.total.requests);
        }

        let coarse = traffic.last(LONGEST);
        prop_assert_eq!((coarse.step_ms, coarse.buckets.len()), (10_000, 360));
        let whole = all.len() / 10 * 10;
        let steps: Vec<Option<u32>> = all[..whole]
            .chunks(10)
            .map(|step| step.iter().flatten().copied().reduce(|one, other| one + other))
            .collect();
        let shown: Vec<Option<u32>> = coarse.buckets.iter().map(calls).collect();
        let known = steps.len().min(360);
        prop_assert_eq!(&shown[360 - known..], &steps[steps.len() - known..]);
        let end = coarse.from.0 + 3_600_000;
        prop_assert_eq!(end, i64::try_from(whole).unwrap() * 1000);
    }
}
