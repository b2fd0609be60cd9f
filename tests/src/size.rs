//! How large a campaign is, and where it says what it has measured.

use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::LazyLock;

use tokio::sync::{Mutex, MutexGuard};

/// How much a campaign does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What fits into every test run: seconds. Counts and ratios are held to, times are only printed.
    Small,
    /// All of it, on a machine that does nothing else: minutes. Times are held to as well.
    Full,
}

/// One campaign at a time: each is a load of its own, and would be measured in the other's company.
static ALONE: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

/// A campaign under way: nobody else has the machine, what it draws can be drawn again, what it says is seen.
#[derive(Debug)]
pub struct Campaign {
    name: &'static str,
    /// What everything is drawn from: `GATEWAY_CAMPAIGN_SEED`, or chance.
    pub seed: u64,
    /// How much to do: all of it when `GATEWAY_CAMPAIGN` is `full`.
    pub size: Size,
    _alone: MutexGuard<'static, ()>,
}

// === impl Campaign ===

impl Campaign {
    /// Waits for the campaigns before it, and says its seed.
    pub async fn begin(name: &'static str) -> Self {
        let alone = ALONE.lock().await;
        let given = std::env::var("GATEWAY_CAMPAIGN_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(name));
        let full = std::env::var("GATEWAY_CAMPAIGN").is_ok_and(|text| text == "full");
        let size = if full { Size::Full } else { Size::Small };
        let campaign = Self { name, seed, size, _alone: alone };
        campaign.says(format_args!("GATEWAY_CAMPAIGN_SEED={seed} ({size:?})"));
        campaign
    }

    /// The number for the size it has.
    pub fn sized<T>(&self, small: T, full: T) -> T {
        match self.size {
            Size::Small => small,
            Size::Full => full,
        }
    }

    /// Whether times are held to.
    pub fn is_full(&self) -> bool {
        self.size == Size::Full
    }

    /// Says something to whoever runs the tests, whether they pass or fail: the harness of Rust's own tests would
    /// swallow it.
    pub fn says(&self, what: impl Display) {
        let _written = std::io::stderr().write_all(format!("campaign {}: {what}\n", self.name).as_bytes());
    }
}
