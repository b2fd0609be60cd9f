//! Whole runs, short enough for an unoptimised build.

use gateway_routing_sim::experiment::{measure, run};
use gateway_routing_sim::goals::Comparison;
use gateway_routing_sim::policies::{self, OURS};
use gateway_routing_sim::scenario::{self, Scenario};

/// The scenario with the fewest requests: a slow channel, a silent one, and one that is down.
fn lowrate() -> Scenario {
    scenario::all().into_iter().find(|scenario| scenario.name == "lowrate").unwrap()
}

#[test]
fn the_same_seed_gives_the_same_picks_with_every_policy() {
    let scenario = lowrate();
    for policy in policies::ALL {
        let picks = || run(&scenario, &policy, 3).picks;
        assert_eq!(picks(), picks(), "{}", policy.name);
    }
}

#[test]
fn another_seed_gives_other_picks() {
    let scenario = lowrate();
    assert_ne!(run(&scenario, &OURS, 3).picks, run(&scenario, &OURS, 4).picks);
}

#[test]
fn every_request_ends_and_no_attempt_is_made_beyond_the_limit() {
    let scenario = lowrate();
    for policy in policies::ALL {
        let run = run(&scenario, &policy, 5);
        let attempts: u32 = run.records.iter().map(|record| record.attempts).sum();
        assert_eq!(attempts as usize, run.picks.len(), "{}", policy.name);
        assert!(run.records.iter().all(|record| (1..=policy.most_attempts).contains(&record.attempts)));
    }
}

/// The model is what published figures were made with. Whoever changes it on purpose changes these, and makes the
/// tables of docs/routing.md anew.
#[test]
fn the_model_is_the_one_that_the_published_figures_came_from() {
    let scenario = lowrate();
    let published = [
        ("oracle", "good 99.27 %, p99 2.18 s, cached 89.9 %"),
        ("original", "good 87.89 %, p99 30.00 s, cached 91.3 %"),
        ("linkerd", "good 97.41 %, p99 15.84 s, cached 79.0 %"),
        ("hash-weighted", "good 95.87 %, p99 15.61 s, cached 85.2 %"),
    ];
    for (name, published) in published {
        let figures = measure(&scenario, &policies::find(name).unwrap(), 3..4);
        let [goodput, cached] = [figures.goodput(), figures.cached()].map(|share| 100.0 * share);
        let p99 = figures.p99();
        let measured = format!("good {goodput:.2} %, p99 {p99:.2} s, cached {cached:.1} %");
        assert_eq!(measured, published, "{name}");
    }
}

#[test]
fn the_guide_has_a_row_for_every_scenario_and_says_how_it_was_made() {
    let guide = include_str!("../../../../docs/routing.md");
    let (_, rest) =
        guide.split_once("<!-- begin: cargo xtask sim --seeds 10 --seed0 101 --markdown -->").unwrap();
    let (made, _) = rest.split_once("<!-- end -->").unwrap();
    for scenario in scenario::all() {
        let rows = made.lines().filter(|line| line.starts_with(&format!("| {} |", scenario.name)));
        assert_eq!(rows.count(), 2, "{}: make the section anew", scenario.name);
    }
}

#[test]
fn ours_meets_the_goals_of_a_short_run() {
    let comparison = Comparison::run(lowrate(), &(7..8));
    let missed: Vec<_> = comparison.goals().into_iter().filter(|goal| !goal.is_met()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

/// The promises that need no rival to be measured by, in the faults that matter most.
#[test]
fn ours_keeps_its_promises_when_channels_slow_down_fall_silent_and_fail() {
    for (name, p99) in [("steady60", 2.5), ("brownout", 5.0), ("blackhole", 4.0), ("outage", 3.0)] {
        let scenario = scenario::all().into_iter().find(|scenario| scenario.name == name).unwrap();
        let figures = measure(&scenario, &OURS, 7..8);
        assert!(figures.success() >= 0.999 && figures.goodput() >= 0.98, "{name}: {}", figures.goodput());
        assert!(figures.p99() <= p99, "{name}: p99 {}", figures.p99());
        assert!(figures.attempts() <= 1.02, "{name}: {} attempts", figures.attempts());
        assert!(figures.shed().is_none_or(|seconds| seconds <= 2.5), "{name}: shed {:?}", figures.shed());
        assert!(figures.back().is_none_or(|seconds| seconds <= 15.0), "{name}: back {:?}", figures.back());
        if scenario.is_healthy() {
            assert!(figures.weight_error() <= 0.02, "{name}: {}", figures.weight_error());
        }
    }
}
