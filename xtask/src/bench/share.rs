//! A part of a core for each worker, so that load and upstream are not the limit where cores are few.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::process::Child;

/// Where the kernel's first version of control groups limits processor time. The second would take a whole tree of its own to
/// limit single threads.
const GROUPS: &str = "/sys/fs/cgroup/cpu";

/// In how short a time a share is given out, in microseconds: short, so that nobody waits for long. The kernel gives out no less
/// than a millisecond, so a share is a tenth at least.
const PERIOD: u32 = 10_000;

/// How the threads of workers are called.
const WORKER: &str = "worker-";

/// The groups of one gateway's workers; gone with this value, which must outlive the gateway.
#[derive(Default)]
pub(super) struct Shares {
    folders: Vec<PathBuf>,
}

// === impl Shares ===

impl Shares {
    /// Gives each worker of a gateway so many hundredths of a core.
    pub(super) fn give(gateway: &Child, percent: u32) -> anyhow::Result<Self> {
        if !Path::new(GROUPS).is_dir() {
            bail!("--share needs control groups of the first version, mounted at {GROUPS}");
        }
        let mut shares = Self::default();
        for (thread, name) in gateway.threads()? {
            if name.starts_with(WORKER) {
                shares.add(&thread, &name, percent)?;
            }
        }
        if shares.folders.is_empty() {
            bail!("the gateway has no thread whose name begins with {WORKER}");
        }
        Ok(shares)
    }

    fn add(&mut self, thread: &str, name: &str, percent: u32) -> anyhow::Result<()> {
        let folder = Path::new(GROUPS).join(format!("gateway-bench-{thread}-{name}"));
        let context = || format!("cannot limit a thread in {} (as root?)", folder.display());
        fs::create_dir(&folder).with_context(context)?;
        self.folders.push(folder.clone());
        let quota = u64::from(PERIOD) * u64::from(percent) / 100;
        for (file, value) in [
            ("cpu.cfs_period_us", PERIOD.to_string()),
            ("cpu.cfs_quota_us", quota.to_string()),
            ("tasks", thread.to_owned()),
        ] {
            fs::write(folder.join(file), value).with_context(context)?;
        }
        Ok(())
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        for folder in &self.folders {
            // One that stays is empty, and is told from others by its name.
            let _gone = fs::remove_dir(folder);
        }
    }
}
