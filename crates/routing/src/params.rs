/// The knobs of a pool. The defaults suit most pools; the algorithm is flat in its other constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// How many times slower than the fleet a channel may be before it loses traffic, ≥ 1. The knob between latency
    /// and weights: 1.2 is fast first, 1.5 the default, 3 weights first, infinity weights only.
    pub slack: f64,
    /// Whether sessions stay where they are. When false, keys and pins are ignored.
    pub sticky: bool,
    /// Whether decisions give a deadline for the first token. Switch it off for models that think before they talk.
    pub cut: bool,
}

// === impl Params ===

impl Default for Params {
    fn default() -> Self {
        Self { slack: 1.5, sticky: true, cut: true }
    }
}
