//! The ways to put load on a target, and what each may cost.

/// One way.
#[derive(Debug)]
pub(super) struct Scenario {
    /// Its short name.
    pub name: &'static str,
    /// In words.
    pub meaning: &'static str,
    /// For the load generator.
    pub arguments: &'static [&'static str],
    /// What is counted.
    pub cost: Cost,
    /// What it may be.
    pub goal: Goal,
}

/// What a scenario counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Processor time of a request, in microseconds.
    Request,
    /// Processor time of an event of a stream, in microseconds.
    Event,
    /// Memory of an open stream, in KB.
    Stream,
    /// The median of what it adds to the upstream's own time, in microseconds.
    Added,
}

/// What the gateway may cost beside nginx.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// At most this many times as much.
    Times(f64),
    /// At most this much more.
    More(f64),
}

pub(super) const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "a-small",
        meaning: "1 KB request, 64 connections",
        arguments: &["closed", "--connections", "64"],
        cost: Cost::Request,
        goal: Goal::Times(1.25),
    },
    Scenario {
        name: "b-100k",
        meaning: "100 KB of prose, 64 connections",
        arguments: &["closed", "--connections", "64", "--prompt", "100000", "--prose"],
        cost: Cost::Request,
        goal: Goal::Times(0.9),
    },
    Scenario {
        name: "c-sse200",
        meaning: "200 streams, an event every 10 ms",
        arguments: &["closed", "--connections", "200", "--events", "100", "--gap-ms", "10"],
        cost: Cost::Event,
        goal: Goal::Times(1.1),
    },
    Scenario {
        name: "d-ssemax",
        meaning: "64 streams without a gap",
        arguments: &["closed", "--connections", "64", "--events", "100"],
        cost: Cost::Event,
        goal: Goal::Times(1.1),
    },
    Scenario {
        name: "e-hold",
        meaning: "2,000 slow streams",
        arguments: &["hold", "--streams", "2000", "--pace", "2000", "--events", "4", "--gap-ms", "1000"],
        cost: Cost::Stream,
        goal: Goal::Times(0.8),
    },
    Scenario {
        name: "f-rate",
        meaning: "200 requests/s, evenly",
        arguments: &["closed", "--connections", "32", "--rate", "200"],
        cost: Cost::Added,
        goal: Goal::More(30.0),
    },
];

/// A part of a name, if any scenario has it; otherwise what they are called.
pub(super) fn some_are_called(part: &str) -> Result<String, String> {
    if SCENARIOS.iter().any(|scenario| scenario.name.contains(part)) {
        return Ok(part.to_owned());
    }
    let names = SCENARIOS.map(|scenario| scenario.name).join(", ");
    Err(format!("no scenario is called so; there are {names}"))
}

// === impl Cost ===

impl Cost {
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Request => "µs CPU/request",
            Self::Event => "µs CPU/event",
            Self::Stream => "KB/stream",
            Self::Added => "µs added, p50",
        }
    }
}

// === impl Goal ===

impl Goal {
    /// How the gateway stands to nginx, and what was wanted.
    pub(super) fn compare(self, gateway: f64, nginx: f64) -> (String, String) {
        match self {
            Self::Times(most) => (format!("{:.2}", gateway / nginx.max(0.001)), format!("≤ {most}")),
            Self::More(most) => (format!("{:+.0} µs", gateway - nginx), format!("≤ +{most:.0} µs")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_scenario_has_is_refused_with_those_that_there_are() {
        assert_eq!(some_are_called("hold"), Ok("hold".to_owned()));
        let refused = some_are_called("e-hodl").unwrap_err();
        assert!(SCENARIOS.iter().all(|scenario| refused.contains(scenario.name)), "{refused}");
    }

    #[test]
    fn the_gateway_is_compared_by_what_the_goal_speaks_of() {
        assert_eq!(Goal::Times(0.9).compare(8.0, 16.0), ("0.50".to_owned(), "≤ 0.9".to_owned()));
        assert_eq!(Goal::More(30.0).compare(150.0, 170.0), ("-20 µs".to_owned(), "≤ +30 µs".to_owned()));
    }
}
