//! Measures first invocations with the share of a processor that a function of 128 MB gets: a fourteenth.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{contender::Contender, sandbox::Sandbox, stats::Spread, world::World};

/// Gives Lambda's period, in microseconds.
const PERIOD: u32 = 20_000;
/// Gives the processor time in each period, in microseconds. A function of 1,769 MB gets a whole processor, and a
/// function of 128 MB gets that fraction.
const QUOTA: u32 = PERIOD * 128 / 1769;

/// Limits a group of processes to that share, with version 1 or 2 of cgroups. Dropping this value removes the group.
#[derive(Debug)]
struct Share(PathBuf);

impl Share {
    /// Makes a group. Returns none if this user may not make groups.
    fn new() -> Option<Self> {
        let name = format!("gg3-bench-{}", std::process::id());
        let old = PathBuf::from("/sys/fs/cgroup/cpu").join(&name);
        if fs::create_dir(&old).is_ok() {
            let share = Self(old);
            let period = fs::write(share.0.join("cpu.cfs_period_us"), PERIOD.to_string());
            let quota = fs::write(share.0.join("cpu.cfs_quota_us"), QUOTA.to_string());
            return (period.is_ok() && quota.is_ok()).then_some(share);
        }
        let share = Self(PathBuf::from("/sys/fs/cgroup").join(&name));
        fs::create_dir(&share.0).ok()?;
        fs::write(share.0.join("cpu.max"), format!("{QUOTA} {PERIOD}")).is_ok().then_some(share)
    }

    /// Limits this process to the share from here on.
    fn limit(&self, process: u32) -> Result<()> {
        fs::write(self.0.join("cgroup.procs"), process.to_string()).context("a cgroup takes a process")
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // The removal succeeds only after the group's processes have ended. A group that remains is empty and does no
        // harm.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Starts each contender with a whole processor, as Lambda does. Then limits the contender to the share for the first
/// invocation.
pub async fn measure(
    world: &World,
    contenders: &[Contender],
    times: usize,
) -> Result<Option<BTreeMap<String, Spread>>> {
    let Some(share) = Share::new() else { return Ok(None) };
    let mut firsts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..times {
        for contender in contenders {
            let sandbox = Sandbox::start(&contender.program.settings(world, &[])?).await?;
            share.limit(sandbox.process())?;
            let took = sandbox.perform(&contender.job, world).await.with_context(|| contender.name())?;
            firsts.entry(contender.name()).or_default().push(crate::stats::microseconds(took));
            sandbox.kill().await;
        }
    }
    Ok(Some(firsts.into_iter().map(|(name, values)| (name, Spread::of(&values))).collect()))
}
