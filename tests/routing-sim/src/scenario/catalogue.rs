use super::{Scenario, rate};
use crate::chance::mix;
use crate::upstream::{
    Harm::{BlackHole, Down, Drift, Errors, Grey, Shrunk, Slow},
    Limits, Spec,
};
use crate::workload::MeanSizes;

/// Every scenario. Most have four channels with the weights 4, 3, 2, 1 and slots in proportion.
pub fn all() -> Vec<Scenario> {
    let sizes = MeanSizes::measured();
    let makers = [
        steady60, steady90, misweight, hetero, brownout, outage, blackhole, errors, ratelimit, drift,
        flapcold, grey, lowrate, cluster4, homog, elastic, correlated, hotkey,
    ];
    makers.into_iter().map(|make| make(&sizes)).collect()
}

fn steady60(sizes: &MeanSizes) -> Scenario {
    Scenario::new("steady60", "all healthy, capacity in proportion to weight, 60 % load", pool(), 0.6, sizes)
}

fn steady90(sizes: &MeanSizes) -> Scenario {
    Scenario::new("steady90", "all healthy, 90 % load", pool(), 0.9, sizes)
}

fn misweight(sizes: &MeanSizes) -> Scenario {
    let channels = pool_with(|spec, slots| (spec.weight, spec.slots) = (1.0, slots), [100, 50, 30, 20]);
    Scenario::new("misweight", "equal weights, capacities 5:2.5:1.5:1, 70 % load", channels, 0.7, sizes)
}

fn hetero(sizes: &MeanSizes) -> Scenario {
    let speeds = [(0.5, 0.013), (0.3, 0.013), (0.9, 0.02), (0.25, 0.013)];
    let channels = pool_with(|spec, speed| (spec.first_token, spec.per_token) = speed, speeds);
    let what = "healthy, median first token after 0.5, 0.3, 0.9, 0.25 s, 55 % load";
    Scenario::new("hetero", what, channels, 0.55, sizes)
}

fn brownout(sizes: &MeanSizes) -> Scenario {
    let what = "ten times as slow for 30 s: channel 2 (30 %), then channel 1 (40 %); 50 % load";
    Scenario::new("brownout", what, pool(), 0.5, sizes)
        .fault(1, 110.0, 140.0, Slow(10.0))
        .fault(0, 210.0, 240.0, Slow(10.0))
        .window(110.0, 150.0)
        .window(210.0, 250.0)
        .watch(0, 210.0, 240.0)
}

fn outage(sizes: &MeanSizes) -> Scenario {
    Scenario::new("outage", "channel 1 (40 %) refuses for 60 s, 50 % load", pool(), 0.5, sizes)
        .fault(0, 120.0, 180.0, Down)
        .window(120.0, 190.0)
        .watch(0, 120.0, 180.0)
}

fn blackhole(sizes: &MeanSizes) -> Scenario {
    let what = "channel 2 (30 %) accepts and never answers for 45 s, 50 % load";
    Scenario::new("blackhole", what, pool(), 0.5, sizes)
        .fault(1, 120.0, 165.0, BlackHole)
        .window(120.0, 175.0)
        .watch(1, 120.0, 165.0)
}

fn errors(sizes: &MeanSizes) -> Scenario {
    let what = "40 % errors on channel 1 for 60 s, 70 % on channel 3 for 40 s, 50 % load";
    Scenario::new("errors", what, pool(), 0.5, sizes)
        .fault(0, 120.0, 180.0, Errors(0.4))
        .fault(2, 220.0, 260.0, Errors(0.7))
        .window(120.0, 185.0)
        .window(220.0, 265.0)
        .watch(0, 120.0, 180.0)
}

fn ratelimit(sizes: &MeanSizes) -> Scenario {
    let per_minute = rate(&pool(), 0.45, sizes) * 60.0;
    let limits = [Some(0.3), Some(0.24), None, None];
    let channels =
        pool_with(|spec, share: Option<f64>| spec.limits.requests = share.map(|s| per_minute * s), limits);
    let what =
        "channels 1 and 2 (40 %, 30 %) may have only 30 % and 24 % of the requests and say so, 45 % load";
    Scenario::new("ratelimit", what, channels, 0.45, sizes).window(60.0, 330.0)
}

fn drift(sizes: &MeanSizes) -> Scenario {
    let what = "channel 1 grows six times as slow and recovers within 180 s, 45 % load";
    Scenario::new("drift", what, pool(), 0.45, sizes).fault(0, 100.0, 280.0, Drift(6.0)).window(100.0, 280.0)
}

fn flapcold(sizes: &MeanSizes) -> Scenario {
    let what = "channel 1 down for 15 s, then at a quarter of its capacity for 20 s, three times, 50 % load";
    [100.0, 160.0, 220.0]
        .into_iter()
        .fold(Scenario::new("flapcold", what, pool(), 0.5, sizes), |scenario, from| {
            scenario
                .fault(0, from, from + 15.0, Down)
                .fault(0, from + 15.0, from + 35.0, Shrunk(0.25))
                .window(from, from + 35.0)
        })
        .watch(0, 220.0, 235.0)
}

fn grey(sizes: &MeanSizes) -> Scenario {
    let what = "30 % of channel 2's requests take twelve times as long for 80 s, 50 % load";
    Scenario::new("grey", what, pool(), 0.5, sizes)
        .fault(1, 120.0, 200.0, Grey { share: 0.3, times: 12.0 })
        .window(120.0, 205.0)
}

fn lowrate(sizes: &MeanSizes) -> Scenario {
    let channels = pool_with(|spec, slots| spec.slots = slots, [20; 4]);
    let what = "1.2 requests per second; slow 120 s, black hole 90 s, outage 120 s";
    Scenario::new("lowrate", what, channels, 0.5, sizes)
        .lasting(1200.0)
        .rate(1.2)
        .fault(0, 400.0, 520.0, Slow(10.0))
        .fault(0, 900.0, 1020.0, Down)
        .fault(1, 650.0, 740.0, BlackHole)
        .window(400.0, 530.0)
        .window(650.0, 750.0)
        .window(900.0, 1030.0)
        .watch(0, 400.0, 520.0)
}

fn cluster4(sizes: &MeanSizes) -> Scenario {
    let what = "four gateway replicas; brown-out, then outage, 50 % load";
    let scenario = Scenario::new("cluster4", what, pool(), 0.5, sizes)
        .fault(1, 110.0, 140.0, Slow(10.0))
        .fault(0, 210.0, 250.0, Down)
        .window(110.0, 150.0)
        .window(210.0, 260.0)
        .watch(0, 210.0, 250.0);
    Scenario { replicas: 4, ..scenario }
}

/// A counter-check: weights that do not tell who is big.
fn homog(sizes: &MeanSizes) -> Scenario {
    let channels = (20..24).map(|number| channel(number, 1.0, 50)).collect();
    let what = "four equal channels; brown-out 30 s, then outage 40 s, 50 % load";
    Scenario::new("homog", what, channels, 0.5, sizes)
        .fault(1, 110.0, 140.0, Slow(10.0))
        .fault(0, 210.0, 250.0, Down)
        .window(110.0, 150.0)
        .window(210.0, 260.0)
        .watch(1, 110.0, 140.0)
}

/// A counter-check: upstreams that never queue.
fn elastic(sizes: &MeanSizes) -> Scenario {
    let channels = pool_with(|spec, slots| (spec.slots, spec.cache_tokens) = (slots, 1e9), [4000; 4]);
    let what = "nothing ever queues; brown-out 30 s, then 30 % errors for 40 s, 30 requests per second";
    Scenario::new("elastic", what, channels, 0.5, sizes)
        .rate(30.0)
        .fault(1, 110.0, 140.0, Slow(10.0))
        .fault(0, 210.0, 250.0, Errors(0.3))
        .window(110.0, 150.0)
        .window(210.0, 255.0)
        .watch(1, 110.0, 140.0)
}

fn correlated(sizes: &MeanSizes) -> Scenario {
    let requests = Some(rate(&pool(), 0.4, sizes) * 60.0 * 0.45);
    let hidden = Limits { requests, tokens: None, told: false };
    let limits = [Limits::default(), hidden, Limits::default(), Limits::default()];
    let channels = pool_with(|spec, limits| spec.limits = limits, limits);
    let what = "two channels brown out together, a third has a rate limit that it does not tell, 40 % load";
    Scenario::new("correlated", what, channels, 0.4, sizes)
        .fault(0, 130.0, 170.0, Slow(7.0))
        .fault(0, 230.0, 260.0, Errors(0.25))
        .fault(2, 130.0, 175.0, Slow(12.0))
        .window(130.0, 185.0)
        .window(230.0, 265.0)
        .watch(2, 130.0, 175.0)
}

fn hotkey(sizes: &MeanSizes) -> Scenario {
    let what = "one session sends 30 % of all requests on top for 60 s, 50 % load";
    Scenario::new("hotkey", what, pool(), 0.5, sizes).flood(120.0, 180.0, 0.3).window(120.0, 190.0)
}

/// The usual four channels.
fn pool() -> Vec<Spec> {
    vec![channel(1, 4.0, 80), channel(2, 3.0, 60), channel(3, 2.0, 40), channel(4, 1.0, 20)]
}

/// The usual channels, each changed by a value of its own.
fn pool_with<T>(mut change: impl FnMut(&mut Spec, T), values: [T; 4]) -> Vec<Spec> {
    let mut channels = pool();
    for (spec, value) in channels.iter_mut().zip(values) {
        change(spec, value);
    }
    channels
}

fn channel(number: u64, weight: f64, slots: u32) -> Spec {
    Spec { key: mix(0x00c0_ffee + number), weight, slots, ..Spec::default() }
}
