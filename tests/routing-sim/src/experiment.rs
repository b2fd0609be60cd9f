//! A scenario and a policy, over some seeds.

use std::ops::Range;

use crate::figures::Figures;
use crate::policies::Policy;
use crate::router::Channel;
use crate::scenario::Scenario;
use crate::sim::{self, Run};

/// Seeds of routers are this far apart, so that replicas of different runs do not share one.
const SEEDS_APART: u64 = 1000;

/// One run.
pub fn run(scenario: &Scenario, policy: &Policy, seed: u64) -> Run {
    let trace = scenario.workload.trace(scenario.rate, seed, scenario.replicas);
    let channel = |spec: &crate::upstream::Spec| Channel { key: spec.key, weight: spec.weight };
    let channels = scenario.channels.iter().map(channel).collect();
    let replicas =
        (seed * SEEDS_APART..).take(scenario.replicas).map(|seed| policy.make(&channels, seed)).collect();
    sim::run(&trace, &scenario.channels, replicas, policy.most_attempts, seed)
}

/// The figures of a run for each seed.
pub fn measure(scenario: &Scenario, policy: &Policy, seeds: Range<u64>) -> Figures {
    seeds.map(|seed| scenario.sample(&run(scenario, policy, seed))).collect()
}
