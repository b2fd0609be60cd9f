//! `cargo xtask campaign`: the campaigns of `tests/campaign`, at the size they run in every test run or at full size.

use anyhow::bail;

use crate::clients;
use crate::shell::{cargo, say, target_directory};

/// Builds what the campaigns need and runs those whose name holds `name`, one after the other. At full size the gateway
/// is built as it is shipped: there times are held to.
pub(crate) fn run(full: bool, seed: Option<u64>, name: Option<&str>) -> anyhow::Result<()> {
    let profile: &[&str] = if full { &["--release"] } else { &[] };
    cargo(["build", "--locked", "--package", "gateway-server"]).args(profile).run()?;
    if let Err(error) = target_directory().and_then(|target| clients::python_sdk(&target)) {
        say(&format!("SKIPPED: what the Python SDK judges: {error:#}"));
    }
    let mut campaigns = cargo(["test", "--locked", "--package", "gateway-tests", "--test", "campaign"])
        .args(profile)
        .args(name)
        .env("GATEWAY_CAMPAIGN", if full { "full" } else { "small" });
    if let Some(seed) = seed {
        campaigns = campaigns.env("GATEWAY_CAMPAIGN_SEED", seed.to_string());
    }
    if !campaigns.watch(|_| ())? {
        bail!("a campaign failed; `--seed` draws the same again");
    }
    Ok(())
}
