use gateway_domain::{ChannelId, HealthReport, HealthStatus, UnixMillis};

use crate::clean::clean;
use crate::{Fault, Observation, Rules, Scope};

mod models;
mod pause;
mod window;

use models::Models;
use pause::Pause;
use window::Window;

/// What is known of one channel, and what follows from it.
///
/// A state machine without I/O: time comes in with every call, so a story can be replayed.
///
/// Two holds can take a channel out of rotation, and it is usable while neither is there.
/// - The *probes'* hold: enough probes failed in a row. Only good probes lift it, and with it the traffic's, which then
///   came of the same outage. Refused credentials set it at once, and a question that is wrong sets it like a failure;
///   but the channel answered, so such a hold is also lifted by time, or by a call that is served nevertheless: some
///   keys may chat but not list models, and some probes ask for a model that was removed.
/// - The *traffic's* hold: enough calls failed in a row, or too many of the last half minute's, whatever the probes
///   say. Time lifts it, and the next failure sets it again for twice as long. This is what keeps a channel out whose
///   `/models` is fine while its completions are not, and what lets a channel return that nobody probes.
///
/// What traffic took out returns on trial, with nothing known: one failed call takes it out again, one served call makes
/// it healthy, and probes, which did not see the fault, have no say. After a calm the past is forgiven.
///
/// A hold for a refused key or missing money lasts as long each time, and ends early when a probe succeeds that the
/// account paid for. Where such a probe was followed by a call that was refused nevertheless, probes and calls are not
/// treated alike, and the next one waits for time until a call was served.
///
/// So nothing is out for good: time ends every hold but that of probes that fail outright, and those go on asking.
///
/// Whose fault a failed call is decides what it counts for.
/// - No connection and no quota are the channel's, whatever was asked: such calls count for the channel.
/// - A refused key is the channel's too, and takes it out at once. Only when another model was served with the same key
///   within the last ten seconds, the refusal is about the model (some keys are good for some models), and counts for it.
/// - Errors, silence and broken answers are the model's: an engine that is down, a deployment that was removed. One
///   model that fails, however often, says nothing of the others, and the routing of that model, which has a breaker of
///   its own, needs no help. It is shown as in trouble and the channel stays.
/// - But an engine is rarely alone to fail when the host behind it does. When calls of at least two models fail, each
///   three times in a row (more may never come: routing leaves the channel alone for such a model), both within the last
///   half minute, and no call of any model was served since the later of the two began to fail, nor in the last ten
///   seconds, then it is the channel.
/// - Where a channel serves one model only, that model and the channel are the same, and all its failures count.
///
/// The rule waits rather than accuses: a channel that stays too long costs each of its models some failed attempts until
/// that model's breaker opens, while a channel that leaves for one model's sake moves the sessions of all others.
#[derive(Clone, Debug, Default)]
pub struct Status {
    verdict: HealthStatus,
    last_checked: Option<UnixMillis>,
    probes: Streak,
    /// All calls, whosever fault they were: for people.
    traffic: Streak,
    /// Whether the channel serves other models beside the one that a call asks for.
    serves_several: bool,
    models: Models,
    /// Calls failed in a row by the channel's own fault.
    own_failures: u32,
    /// Of the failed calls, it knows those of the channel's own fault.
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
    refusal: Refusal,
    proof: Proof,
}

/// What it is worth that a probe's key or question is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refusal {
    /// It takes the channel out.
    #[default]
    Believed,
    /// It took the channel out, and time brought it back: now it is for a call to say, or the next probe, which may come
    /// in the same moment, would keep the channel out for good.
    OnTrial,
    /// A call was served nevertheless: it proves nothing here.
    Disproved,
}

/// What it is worth that a probe was answered that the account paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Proof {
    /// It proves key and money.
    #[default]
    Good,
    /// It brought the channel back, and no call was answered or refused since.
    Used,
    /// It brought the channel back, and a call was refused nevertheless: it proves nothing here.
    Disproved,
}

#[derive(Clone, Debug)]
enum ProbeHold {
    Dead,
    /// It answers, and refuses the key or the question.
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
            troubled_models: self.models.in_trouble(),
        }
    }

    /// Notes whether the channel serves more than one model. A new status takes it for one that serves one.
    pub const fn set_serves_several(&mut self, several: bool) {
        self.serves_several = several;
    }

    /// Takes in what a witness saw. The scope matters for traffic only: probes speak of the channel.
    pub fn observe(&mut self, seen: Observation, scope: Scope<'_>, now: UnixMillis, rules: &Rules) {
        self.tick(now, rules);
        self.last_checked = Some(now);
        let good_news = matches!(seen, Observation::ProbeOk { .. } | Observation::TrafficOk);
        match seen {
            Observation::ProbeOk { proves_key, .. } => self.probe_ok(proves_key, rules),
            Observation::ProbeFailed { why } => self.probe_failed(clean(&why, ""), now, rules),
            Observation::ProbeRefused { why } => self.probe_refused(clean(&why, ""), now, rules),
            Observation::ProbeMisasked { why } => self.probe_misasked(clean(&why, ""), now, rules),
            Observation::TrafficOk => self.traffic_ok(scope, now),
            Observation::TrafficFailed { why, fault } => {
                self.traffic_failed(clean(&why, ""), fault, scope, now, rules);
            }
        }
        self.conclude(good_news, now);
    }

    /// Lets time pass: ends pauses that are over and forgives what is long past.
    pub fn tick(&mut self, now: UnixMillis, rules: &Rules) {
        // A clock that was set back must not postpone forgiveness until it is where it was.
        self.calm_since = self.calm_since.min(now);
        self.models.tick(now);
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
            self.refusal = Refusal::OnTrial;
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
        self.refusal = Refusal::Believed;
        if self.by_probes.take().is_some() && self.by_traffic.is_none() {
            self.by_traffic =
                Some(TrafficHold { pause: Pause::new(now, rules.first_pause), credentials: false });
        }
        self.conclude(false, now);
    }

    fn probe_ok(&mut self, proves_key: bool, rules: &Rules) {
        self.probes.good();
        self.dead_probes = 0;
        self.refusal = Refusal::Believed;
        if self.probes.successes < rules.healthy_after {
            return;
        }
        let outage_over = matches!(self.by_probes.take(), Some(ProbeHold::Dead));
        let key_proved = proves_key && self.proof != Proof::Disproved;
        if let Some(hold) = &self.by_traffic
            && (if hold.credentials { key_proved } else { outage_over })
        {
            if hold.credentials {
                self.proof = Proof::Used;
            }
            self.by_traffic = None;
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
        self.hold_refused(now, rules);
    }

    fn probe_misasked(&mut self, why: String, now: UnixMillis, rules: &Rules) {
        self.probes.bad(why, true, now);
        self.dead_probes = 0;
        if self.probes.failures >= rules.unhealthy_after.max(1) {
            self.hold_refused(now, rules);
        }
    }

    /// Takes the channel out until time passes or a witness knows better. A hold that is there is not prolonged. Where
    /// refusals prove nothing, they prove at least that somebody answers again.
    fn hold_refused(&mut self, now: UnixMillis, rules: &Rules) {
        match (&self.by_probes, self.refusal) {
            (Some(ProbeHold::Refused(_)), _) => {}
            (Some(ProbeHold::Dead) | None, Refusal::Believed) => {
                self.by_probes = Some(ProbeHold::Refused(Pause::new(now, rules.credentials_pause)));
            }
            (Some(ProbeHold::Dead) | None, Refusal::OnTrial | Refusal::Disproved) => self.by_probes = None,
        }
    }

    fn traffic_ok(&mut self, scope: Scope<'_>, now: UnixMillis) {
        self.traffic.good();
        self.models.good(scope, now);
        self.own_failures = 0;
        self.window.add(true, now);
        if self.probes.refused {
            self.refusal = Refusal::Disproved;
            if matches!(self.by_probes, Some(ProbeHold::Refused(_))) {
                self.by_probes = None;
            }
        }
        self.proof = Proof::Good;
        if self.by_traffic.is_none() {
            self.on_trial = false;
        }
    }

    fn traffic_failed(
        &mut self,
        why: String,
        fault: Fault,
        scope: Scope<'_>,
        now: UnixMillis,
        rules: &Rules,
    ) {
        self.traffic.bad(why.clone(), fault == Fault::Key, now);
        if let Scope::Model(model) = scope
            && self.is_about(model, fault, now)
        {
            self.models.bad(model, why, now);
            if self.serves_several {
                if self.is_usable() && self.models.are_several_down(model, now) {
                    self.leave_for_a_pause(now, rules);
                }
                return;
            }
        }
        match fault {
            Fault::Key | Fault::Quota => self.account_failed(now, rules),
            Fault::Connection | Fault::Answer => self.channel_failed(now, rules),
        }
    }

    /// Whether a failed call tells of the model it asked for.
    fn is_about(&self, model: &str, fault: Fault, now: UnixMillis) -> bool {
        match fault {
            Fault::Answer => true,
            Fault::Key => self.serves_several && self.models.was_another_served(model, now),
            Fault::Connection | Fault::Quota => false,
        }
    }

    fn account_failed(&mut self, now: UnixMillis, rules: &Rules) {
        self.calm_since = now;
        self.refusal = Refusal::Believed;
        if self.proof == Proof::Used {
            self.proof = Proof::Disproved;
        }
        if self.by_traffic.as_ref().is_none_or(|hold| !hold.credentials) {
            let pause = Pause::new(now, rules.credentials_pause);
            self.by_traffic = Some(TrafficHold { pause, credentials: true });
        }
    }

    fn channel_failed(&mut self, now: UnixMillis, rules: &Rules) {
        self.own_failures = self.own_failures.saturating_add(1);
        self.window.add(false, now);
        self.calm_since = now;
        let too_much =
            self.on_trial || self.own_failures >= rules.ejected_after.max(1) || self.window.is_bad(now);
        // Calls that were under way when the channel was taken out fail too: only a channel in rotation can relapse.
        if self.is_usable() && too_much {
            self.leave_for_a_pause(now, rules);
        }
    }

    fn leave_for_a_pause(&mut self, now: UnixMillis, rules: &Rules) {
        self.calm_since = now;
        let pause = Pause::doubled(now, rules, self.relapses);
        self.by_traffic = Some(TrafficHold { pause, credentials: false });
        self.relapses = self.relapses.saturating_add(1);
        self.window = Window::default();
    }

    /// After a calm as long as the longest pause, the past counts no more.
    fn forgive(&mut self, now: UnixMillis, rules: &Rules) {
        let failed = self.traffic.failures > 0 || self.own_failures > 0;
        let guilty = self.on_trial || self.relapses > 0 || failed;
        if guilty && Pause::new(self.calm_since, rules.longest_pause).is_over(now) {
            self.on_trial = false;
            self.relapses = 0;
            self.traffic = Streak::default();
            self.own_failures = 0;
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
