//! What there is, what is asked of it, and what goes wrong.

mod catalogue;

pub use catalogue::all;

use crate::figures::{Sample, Span, Watch};
use crate::sim::Run;
use crate::upstream::{Fault, Harm, Spec};
use crate::workload::{Flood, MeanSizes, Workload};

/// Channels, callers and faults.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What the callers do.
    pub workload: Workload,
    /// What they can be sent to.
    pub channels: Vec<Spec>,
    /// Requests per second.
    pub rate: f64,
    /// How many gateways share the work without talking to each other.
    pub replicas: usize,
    /// When its faults can be felt: figures "in the windows" are of requests that came then.
    pub windows: Vec<Span>,
    /// The fault by which shedding and coming back are timed.
    pub watch: Option<Watch>,
}

// === impl Scenario ===

impl Scenario {
    /// A usual workload that keeps `load` of the slots busy.
    fn new(
        name: &'static str,
        what: &'static str,
        channels: Vec<Spec>,
        load: f64,
        sizes: &MeanSizes,
    ) -> Self {
        let rate = rate(&channels, load, sizes);
        Self {
            name,
            what,
            workload: Workload::default(),
            channels,
            rate,
            replicas: 1,
            windows: Vec::new(),
            watch: None,
        }
    }

    /// Whether nothing goes wrong and nothing is limited.
    pub fn is_healthy(&self) -> bool {
        self.channels.iter().all(|channel| {
            channel.faults.is_empty() && channel.limits.requests.is_none() && channel.limits.tokens.is_none()
        })
    }

    /// What is to be measured of one of its runs.
    pub fn sample(&self, run: &Run) -> Sample {
        let weights: Vec<f64> = self.channels.iter().map(|channel| channel.weight).collect();
        Sample::of(run, &weights, &self.windows, self.watch, self.workload.duration)
    }

    fn fault(mut self, channel: usize, from: f64, until: f64, harm: Harm) -> Self {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.faults.push(Fault { from, until, harm });
        }
        self
    }

    fn window(mut self, from: f64, until: f64) -> Self {
        self.windows.push(Span { from, until });
        self
    }

    fn watch(self, channel: usize, from: f64, until: f64) -> Self {
        Self { watch: Some(Watch { channel, fault: Span { from, until } }), ..self }
    }

    fn flood(mut self, from: f64, until: f64, share: f64) -> Self {
        self.workload.flood = Some(Flood { from, until, rate: self.rate * share });
        self
    }

    fn rate(self, rate: f64) -> Self {
        Self { rate, ..self }
    }

    fn lasting(mut self, duration: f64) -> Self {
        self.workload.duration = duration;
        self
    }
}

/// Requests per second that keep `load` of all slots busy.
fn rate(channels: &[Spec], load: f64, sizes: &MeanSizes) -> f64 {
    channels.iter().map(|channel| channel.capacity(sizes)).sum::<f64>() * load
}
