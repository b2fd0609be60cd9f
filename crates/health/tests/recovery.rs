//! Whatever was told of a channel, it comes back by itself when its upstream is well again: no message and no order of
//! messages takes it out for good.

#[cfg(test)]
mod recovery {
    use std::sync::Arc;
    use std::time::Duration;

    use gateway_domain::{ChannelId, HealthStatus, UnixMillis};
    use gateway_health::{Fault, Observation, Rules, Scope, Status};
    use proptest::prelude::*;

    /// No pause is longer: five minutes, for refused keys and wrong questions.
    const LONGEST_PAUSE: i64 = 300;
    /// From one probe to the next.
    const INTERVAL: i64 = 30;
    const MODELS: [&str; 3] = ["a", "b", "c"];

    /// What the probes say of an upstream that is well.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Probes {
        /// There are none.
        Off,
        Good,
        /// Good, and paid for.
        Paid,
        /// The key may serve calls but not what the probe asks for.
        Refused,
        /// They ask for a model that is not there.
        Misasked,
    }

    /// Something that happens, and how many seconds later.
    type Event = (Observation, Option<usize>, i64);

    fn probes() -> impl Strategy<Value = Probes> {
        prop::sample::select(vec![Probes::Off, Probes::Good, Probes::Paid, Probes::Refused, Probes::Misasked])
    }

    fn observation(probed: bool) -> impl Strategy<Value = Observation> {
        let failed = |fault| Observation::TrafficFailed { why: "failed".to_owned(), fault };
        let ok = |proves_key| Observation::ProbeOk { latency: Duration::from_millis(9), proves_key };
        let mut all = vec![
            Observation::TrafficOk,
            failed(Fault::Answer),
            failed(Fault::Connection),
            failed(Fault::Key),
            failed(Fault::Quota),
        ];
        if probed {
            all.extend([
                ok(false),
                ok(true),
                Observation::ProbeFailed { why: "dead".to_owned() },
                Observation::ProbeRefused { why: "401".to_owned() },
                Observation::ProbeMisasked { why: "404".to_owned() },
            ]);
        }
        prop::sample::select(all)
    }

    /// A life in which things tend to repeat: that is how channels are taken out.
    fn life(probed: bool) -> impl Strategy<Value = Vec<Event>> {
        let scope = prop::option::of(0..MODELS.len());
        let spell = (observation(probed), scope, 0_i64..90, 1_usize..12);
        prop::collection::vec(spell, 0..40).prop_map(|spells| {
            let repeated = |(seen, scope, after, times): (Observation, Option<usize>, i64, usize)| {
                std::iter::repeat_n((seen, scope, after), times)
            };
            spells.into_iter().flat_map(repeated).collect()
        })
    }

    struct Story {
        status: Status,
        rules: Rules,
        now: UnixMillis,
        models: Vec<Arc<str>>,
    }

    // === impl Story ===

    impl Story {
        fn new(several: bool) -> Self {
            let mut status = Status::default();
            status.set_serves_several(several);
            let models = MODELS.into_iter().map(Arc::from).collect();
            Self { status, rules: Rules::default(), now: UnixMillis(0), models }
        }

        fn see(&mut self, seen: Observation, model: Option<usize>) {
            let scope = model.map_or(Scope::Channel, |model| Scope::Model(&self.models[model]));
            self.status.observe(seen, scope, self.now, &self.rules);
        }

        fn pass(&mut self, seconds: i64) {
            self.now.0 += seconds * 1000;
            self.status.tick(self.now, &self.rules);
        }

        /// One second in which the upstream is well: a probe when it is due, and a call if the channel gets any.
        fn well_for_a_second(&mut self, second: i64, probes: Probes) {
            self.pass(1);
            let ok = |proves_key| Observation::ProbeOk { latency: Duration::from_millis(9), proves_key };
            if second % INTERVAL == 0 {
                match probes {
                    Probes::Off => {}
                    Probes::Good => self.see(ok(false), None),
                    Probes::Paid => self.see(ok(true), None),
                    Probes::Refused => self.see(Observation::ProbeRefused { why: "401".to_owned() }, None),
                    Probes::Misasked => self.see(Observation::ProbeMisasked { why: "404".to_owned() }, None),
                }
            }
            if self.status.is_usable() {
                let model = usize::try_from(second).unwrap() % MODELS.len();
                self.see(Observation::TrafficOk, Some(model));
            }
        }
    }

    proptest! {
        #[test]
        fn a_channel_whose_upstream_is_well_is_back_within_its_pause_and_stays(
            probes in probes(),
            several: bool,
            told in life(true),
        ) {
            let mut story = Story::new(several);
            for (seen, model, after) in told {
                story.see(seen, model);
                story.pass(after);
            }
            if probes == Probes::Off {
                story.status.probing_ended(story.now, &story.rules);
            }
            // Probes that refuse and never were good before hold for a pause of their own, from when they begin.
            let limit = LONGEST_PAUSE + i64::from(story.rules.unhealthy_after) * INTERVAL;
            let mut back = None;
            for second in 0..3 * limit {
                story.well_for_a_second(second, probes);
                back = back.or_else(|| story.status.is_usable().then_some(second));
                if second > limit {
                    prop_assert!(story.status.is_usable(), "out at {second} s");
                }
            }
            prop_assert!(back.is_some_and(|second| second <= limit), "back after {back:?} s");
            let report = story.status.report(ChannelId(1));
            prop_assert_eq!(report.status, HealthStatus::Healthy);
            prop_assert_eq!(report.troubled_models, vec![]);
        }

        #[test]
        fn no_channel_is_out_longer_than_its_pause_while_nobody_probes(several: bool, told in life(false)) {
            let mut story = Story::new(several);
            let mut out = 0;
            for (seen, model, after) in told {
                if story.status.is_usable() {
                    story.see(seen, model);
                }
                for _ in 0..after {
                    story.pass(1);
                    out = if story.status.is_usable() { 0 } else { out + 1 };
                    prop_assert!(out <= LONGEST_PAUSE, "out for {out} s");
                }
            }
        }

        #[test]
        fn one_models_errors_alone_never_take_out_a_channel_that_serves_several(
            failures in prop::collection::vec(0_i64..90, 0..200),
            served in prop::collection::vec(any::<bool>(), 200),
        ) {
            let mut story = Story::new(true);
            for (after, served) in failures.into_iter().zip(served) {
                story.see(
                    Observation::TrafficFailed { why: "500".to_owned(), fault: Fault::Answer },
                    Some(0),
                );
                if served {
                    story.see(Observation::TrafficOk, Some(1));
                }
                prop_assert!(story.status.is_usable());
                story.pass(after);
            }
        }
    }
}
