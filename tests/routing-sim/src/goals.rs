//! What is demanded of our policy, as numbers.
//!
//! The goals are relative where they can be: to the reference that sees everything, and to the best of the rivals in
//! the same scenario, under the same luck. A change of the algorithm that misses one is a step back.

use std::fmt;
use std::ops::Range;

use crate::experiment::measure;
use crate::figures::Figures;
use crate::policies::{ORACLE, OURS, WEIGHTED_HASH, find};
use crate::scenario::Scenario;

/// Whom ours has to stand beside.
const RIVALS: [&str; 10] = [
    "litellm-shuffle",
    "litellm-sticky",
    "olla",
    "linkerd",
    "helicone",
    "agentgateway",
    "prequal",
    WEIGHTED_HASH.name,
    "smg-cache",
    "llm-d",
];

/// The figures of one scenario, side by side.
#[derive(Debug)]
pub struct Comparison {
    scenario: Scenario,
    ours: Figures,
    oracle: Figures,
    rivals: Vec<(&'static str, Figures)>,
}

/// A demand, and how ours does.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Where: a scenario, or all of them.
    pub place: String,
    /// What is demanded.
    pub what: &'static str,
    /// Our figure.
    pub figure: f64,
    /// What it must not exceed, or must reach.
    pub bound: Bound,
}

/// On which side of a number a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

// === impl Comparison ===

impl Comparison {
    /// Runs ours, the reference and the rivals.
    pub fn run(scenario: Scenario, seeds: &Range<u64>) -> Self {
        let rivals = RIVALS.iter().filter_map(|name| find(name));
        Self {
            ours: measure(&scenario, &OURS, seeds.clone()),
            oracle: measure(&scenario, &ORACLE, seeds.clone()),
            rivals: rivals.map(|rival| (rival.name, measure(&scenario, &rival, seeds.clone()))).collect(),
            scenario,
        }
    }

    /// What is demanded in this scenario.
    pub fn goals(&self) -> Vec<Goal> {
        let goal = |what, figure, bound| Goal { place: self.scenario.name.to_owned(), what, figure, bound };
        let ours = &self.ours;
        let attempts = if self.scenario.is_healthy() { 1.01 } else { 1.10 };
        let mut goals = vec![
            goal("success %", 100.0 * ours.success(), Bound::AtLeast(99.9)),
            goal(
                "good % (best rival − 0.5)",
                100.0 * ours.goodput(),
                Bound::AtLeast(100.0 * self.best_goodput() - 0.5),
            ),
            goal(
                "good % (oracle − 3)",
                100.0 * ours.goodput(),
                Bound::AtLeast(100.0 * self.oracle.goodput() - 3.0),
            ),
            goal("p99 s (1.15 × best rival)", ours.p99(), Bound::AtMost(1.15 * self.best_p99())),
            goal("attempts per request", ours.attempts(), Bound::AtMost(attempts)),
        ];
        let hash = self.rivals.iter().find(|(name, _)| *name == WEIGHTED_HASH.name);
        if let Some((_, hash)) = hash {
            let bound = Bound::AtLeast(97.0 * hash.cached());
            goals.push(goal("cached % (0.97 × weighted HRW)", 100.0 * ours.cached(), bound));
        }
        goals.extend(self.own_goals());
        goals
    }

    /// What is demanded in this scenario and no other.
    fn own_goals(&self) -> Vec<Goal> {
        let goal = |what, figure, bound| Goal { place: self.scenario.name.to_owned(), what, figure, bound };
        let ours = &self.ours;
        let timed = |shed, back| {
            let shed = ours.shed().map(|figure| goal("shed s", figure, Bound::AtMost(shed)));
            let back = ours.back().map(|figure| goal("back s", figure, Bound::AtMost(back)));
            shed.into_iter().chain(back)
        };
        match self.scenario.name {
            "steady60" | "steady90" => {
                vec![goal("off weights %", 100.0 * ours.weight_error(), Bound::AtMost(2.0))]
            }
            "brownout" => {
                let bound = Bound::AtMost(0.75 * self.best_p99());
                let tail = goal("p99 s (0.75 × best rival)", ours.p99(), bound);
                [tail].into_iter().chain(timed(2.5, 15.0)).collect()
            }
            "blackhole" => {
                let tail = goal("p99 s", ours.p99(), Bound::AtMost(4.0));
                [tail].into_iter().chain(timed(2.5, 15.0)).collect()
            }
            "outage" => timed(1.0, 15.0).collect(),
            _ => Vec::new(),
        }
    }

    /// One line about it.
    pub fn summary(&self) -> String {
        format!(
            "{:<11} good {:.2} (rival {:.2}, oracle {:.2})  p99 {:.2} (rival {:.2}, oracle {:.2})  cached {:.1}  tries {:.3}",
            self.scenario.name,
            100.0 * self.ours.goodput(),
            100.0 * self.best_goodput(),
            100.0 * self.oracle.goodput(),
            self.ours.p99(),
            self.best_p99(),
            self.oracle.p99(),
            100.0 * self.ours.cached(),
            self.ours.attempts(),
        )
    }

    fn best_goodput(&self) -> f64 {
        self.rivals.iter().map(|(_, rival)| rival.goodput()).fold(0.0, f64::max)
    }

    fn best_p99(&self) -> f64 {
        self.rivals.iter().map(|(_, rival)| rival.p99()).fold(f64::INFINITY, f64::min)
    }
}

/// What is demanded over all scenarios together.
pub fn overall(comparisons: &[Comparison]) -> Vec<Goal> {
    let mean = |of: &dyn Fn(&Comparison) -> f64| {
        comparisons.iter().map(|comparison| 100.0 - 100.0 * of(comparison)).sum::<f64>()
            / comparisons.len() as f64
    };
    let ours = mean(&|comparison| comparison.ours.goodput());
    let oracle = mean(&|comparison| comparison.oracle.goodput());
    let rival = |name: &str| {
        mean(&|comparison| {
            let rival = comparison.rivals.iter().find(|(rival, _)| *rival == name);
            rival.map_or(0.0, |(_, figures)| figures.goodput())
        })
    };
    let best = RIVALS.iter().map(|name| rival(name)).fold(f64::INFINITY, f64::min);
    let goal =
        |what, bound| Goal { place: "mean".to_owned(), what, figure: ours, bound: Bound::AtMost(bound) };
    vec![
        goal("outside the promise %", 1.5),
        goal("outside the promise % (oracle + 0.3)", oracle + 0.3),
        goal("outside the promise % (half the best rival)", 0.5 * best),
    ]
}

/// What is demanded of replicas that do not talk to each other: eight of them lose next to nothing of the caches.
pub fn alone_together(steady: &Scenario, seeds: &Range<u64>) -> Goal {
    let cached = |replicas| {
        let scenario = Scenario { replicas, ..steady.clone() };
        100.0 * measure(&scenario, &OURS, seeds.clone()).cached()
    };
    Goal {
        place: format!("{} on 8 replicas", steady.name),
        what: "cached % (one replica − 1)",
        figure: cached(8),
        bound: Bound::AtLeast(cached(1) - 1.0),
    }
}

// === impl Goal ===

impl Goal {
    /// Whether ours does what is demanded.
    pub fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.figure <= most,
            Bound::AtLeast(least) => self.figure >= least,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, figure, bound } = self;
        match bound {
            Bound::AtMost(most) => write!(f, "{place}: {what}: {figure:.3}, at most {most:.3}"),
            Bound::AtLeast(least) => write!(f, "{place}: {what}: {figure:.3}, at least {least:.3}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Goal};

    #[test]
    fn a_goal_is_met_on_its_side_of_the_bound_and_never_by_no_number() {
        let met = |figure, bound| Goal { place: String::new(), what: "", figure, bound }.is_met();
        assert!(met(1.0, Bound::AtMost(1.0)) && !met(1.1, Bound::AtMost(1.0)));
        assert!(met(1.0, Bound::AtLeast(1.0)) && !met(0.9, Bound::AtLeast(1.0)));
        assert!(!met(f64::NAN, Bound::AtMost(1.0)) && !met(f64::NAN, Bound::AtLeast(1.0)));
    }
}
