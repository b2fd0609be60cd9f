use gateway_domain::{ChannelId, HealthReport, HealthStatus, UnixMillis};

use crate::clean::clean;
use crate::{Observation, Rules};

mod pause;
mod window;

use pause::Pause;
use window::Window;

/// What is known of one channel, and what follows from it.
///
/// A state machine without I/O: time comes in with every call, so a story can be replayed.
///
/// Two holds can take a channel out of rotation, and it is usable while neither is there.
/// - The *probes'* hold: enough probes failed in a row. Only good probes lift it, and with it the traffic's, which then
///   came of the same outage. Refused credentials set it at once, and such a hold is also lifted by time or by a call
///   that is served nevertheless: some keys may chat but not list models.
/// - The *traffic's* hold: enough calls failed in a row, or too many of the last half minute's, whatever the probes
///   say. Time lifts it, and the next failure sets it again for twice as long. This is what keeps a channel out whose
///   `/models` is fine while its completions are not, and what lets a channel return that nobody probes.
///
/// What traffic took out returns on trial, with nothing known: one failed call takes it out again, one served call makes
/// it healthy, and probes, which did not see the fault, have no say. After a calm the past is forgiven.
#[derive(Clone, Debug, Default)]
pub struct Status {
    verdict: HealthStatus,
    last_checked: Option<UnixMillis>,
    probes: Streak,
    traffic: Streak,
    window: Window,
    /// Probes failed outright in a row; a refusal is an answer and ends the row.
    dead_probes: u32,
    by_probes: Option<ProbeHold>,
    by_traffic: Option<TrafficHold>,
    /// How often the traffic's hold was set without a long calm between.
    relapses: u32,
    /// Back after the traffic's hold, and not yet judged by a call.
    on_trial: bool,
    /// Since when it is in rotation and no call failed.
    calm_since: UnixMillis,
    /// A call was served although the last probe's credentials were refused: such refusals prove nothing here.
    refusal_disproved: bool,
}

#[derive(Clone, Debug)]
enum ProbeHold {
    Dead,
    Refused(Pause),
}

#[derive(Clone, Debug)]
struct TrafficHold {
    pause: Pause,
    /// Because the key was refused, which no good probe makes up for.
    credentials: bool,
}

/// What one witness said lately.
#[derive(Clone, Debug, Default)]
struct Streak {
    failures: u32,
    successes: u32,
    /// The last failure; kept until the next success.
    error: Option<(UnixMillis, String)>,
    refused: bool,
}

// === impl Status ===

impl Status {
    /// The verdict as of the last call.
    pub const fn verdict(&self) -> HealthStatus {
        self.verdict
    }

    /// Whether the channel may get traffic.
    pub fn is_usable(&self) -> bool {
        self.verdict != HealthStatus::Unhealthy
    }

    /// What is known, for people.
    pub fn report(&self, channel: ChannelId) -> HealthReport {
        let errors = [&self.probes.error, &self.traffic.error];
        HealthReport {
            channel,
            status: self.verdict,
            last_checked: self.last_checked,
            last_error: errors.into_iter().flatten().max_by_key(|(at, _)| *at).map(|(_, why)| why.clone()),
            consecutive_failures: self.probes.failures.max(self.traffic.failures),
        }
    }

    /// Takes in what a witness saw.
    pub fn observe(&mut self, seen: Observation, now: UnixMillis, rules: &Rules) {
        self.tick(now, rules);
        self.last_checked = Some(now);
        let good_news = matches!(seen, Observation::ProbeOk { .. } | Observation::TrafficOk);
        match seen {
            Observation::ProbeOk { .. } => self.probe_ok(rules),
            Observation::ProbeFailed { why } => self.probe_failed(clean(&why, ""), now, rules),
            Observation::ProbeRefused { why } => self.probe_refused(clean(&why, ""), now, rules),
            Observation::TrafficOk => self.traffic_ok(now),
            Observation::TrafficFailed { why, credentials } => {
                self.traffic_failed(clean(&why, ""), credentials, now, rules);
            }
        }
        self.conclude(good_news, now);
    }

    /// Lets time pass: ends pauses that are over and forgives what is long past.
    pub fn tick(&mut self, now: UnixMillis, rules: &Rules) {
        // A clock that was set back must not postpone forgiveness until it is where it was.
        self.calm_since = self.calm_since.min(now);
        let traffic_over = self.by_traffic.as_mut().is_some_and(|hold| hold.pause.is_over(now));
        if traffic_over {
            self.by_traffic = None;
            self.on_trial = true;
        }
        let refusal_over = match &mut self.by_probes {
            Some(ProbeHold::Refused(pause)) => pause.is_over(now),
            Some(ProbeHold::Dead) | None => false,
        };
        if refusal_over {
            self.by_probes = None;
        }
        if self.is_usable() {
            self.forgive(now, rules);
        }
        self.conclude(false, now);
    }

    /// Notes that the channel is probed no longer: a hold that only probes could lift becomes one that time lifts.
    pub fn probing_ended(&mut self, now: UnixMillis, rules: &Rules) {
        self.probes = Streak::default();
        self.dead_probes = 0;
        if self.by_probes.take().is_some() && self.by_traffic.is_none() {
            self.by_traffic =
                Some(TrafficHold { pause: Pause::new(now, rules.first_pause), credentials: false });
        }
        self.conclude(false, now);
    }

    fn probe_ok(&mut self, rules: &Rules) {
        self.probes.good();
        self.dead_probes = 0;
        self.refusal_disproved = false;
        if self.probes.successes < rules.healthy_after {
            return;
        }
        if matches!(self.by_probes.take(), Some(ProbeHold::Dead))
            && self.by_traffic.take_if(|hold| !hold.credentials).is_some()
        {
            self.on_trial = true;
        }
    }

    fn probe_failed(&mut self, why: String, now: UnixMillis, rules: &Rules) {
        self.probes.bad(why, false, now);
        self.dead_probes = self.dead_probes.saturating_add(1);
        if self.dead_probes >= rules.unhealthy_after.max(1) {
            self.by_probes = Some(ProbeHold::Dead);
        }
    }

    fn probe_refused(&mut self, why: String, now: UnixMillis, rules: &Rules) {
        self.probes.bad(why, true, now);
        self.dead_probes = 0;
        let known = matches!(self.by_probes, Some(ProbeHold::Refused(_)));
        if !known && !self.refusal_disproved {
            self.by_probes = Some(ProbeHold::Refused(Pause::new(now, rules.credentials_pause)));
        }
    }

    fn traffic_ok(&mut self, now: UnixMillis) {
        self.traffic.good();
        self.window.add(true, now);
        if self.probes.refused {
            self.refusal_disproved = true;
            if matches!(self.by_probes, Some(ProbeHold::Refused(_))) {
                self.by_probes = None;
            }
        }
        if self.by_traffic.is_none() {
            self.on_trial = false;
        }
    }

    fn traffic_failed(&mut self, why: String, credentials: bool, now: UnixMillis, rules: &Rules) {
        self.traffic.bad(why, credentials, now);
        self.window.add(false, now);
        self.calm_since = now;
        if credentials {
            self.refusal_disproved = false;
            if self.by_traffic.as_ref().is_none_or(|hold| !hold.credentials) {
                let pause = Pause::new(now, rules.credentials_pause);
                self.by_traffic = Some(TrafficHold { pause, credentials });
            }
        } else if self.is_usable() && self.is_too_much(rules, now) {
            // Calls that were under way when the channel was taken out fail too: only a channel in rotation can relapse.
            let pause = Pause::doubled(now, rules, self.relapses);
            self.by_traffic = Some(TrafficHold { pause, credentials });
            self.relapses = self.relapses.saturating_add(1);
            self.window = Window::default();
        }
    }

    fn is_too_much(&mut self, rules: &Rules, now: UnixMillis) -> bool {
        self.on_trial || self.traffic.failures >= rules.ejected_after.max(1) || self.window.is_bad(now)
    }

    /// After a calm as long as the longest pause, the past counts no more.
    fn forgive(&mut self, now: UnixMillis, rules: &Rules) {
        let guilty = self.on_trial || self.relapses > 0 || self.traffic.failures > 0;
        if guilty && Pause::new(self.calm_since, rules.longest_pause).is_over(now) {
            self.on_trial = false;
            self.relapses = 0;
            self.traffic = Streak::default();
        }
    }

    fn conclude(&mut self, good_news: bool, now: UnixMillis) {
        let was_usable = self.is_usable();
        self.verdict = if self.by_probes.is_some() || self.by_traffic.is_some() {
            HealthStatus::Unhealthy
        } else if self.on_trial {
            HealthStatus::Unknown
        } else if good_news {
            HealthStatus::Healthy
        } else if self.verdict == HealthStatus::Unhealthy {
            HealthStatus::Unknown
        } else {
            self.verdict
        };
        if self.is_usable() && !was_usable {
            self.calm_since = now;
        }
    }
}

// === impl Streak ===

impl Streak {
    fn good(&mut self) {
        *self = Self { successes: self.successes.saturating_add(1), ..Self::default() };
    }

    fn bad(&mut self, why: String, refused: bool, now: UnixMillis) {
        let failures = self.failures.saturating_add(1);
        *self = Self { failures, successes: 0, error: Some((now, why)), refused };
    }
}

#[cfg(test)]
mod tests;
