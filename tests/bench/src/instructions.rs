//! Counts the instructions of an invocation. callgrind counts two runs with different numbers of invocations. The
//! difference is caused by the additional invocations.
//!
//! The counts hardly depend on other work of the machine. callgrind's processor has no SHA instructions, so hashing
//! is overstated.

use std::{fs, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::{
    contender::{Contender, Program, found},
    sandbox::Sandbox,
    world::World,
};

/// Gives the invocations of the two runs.
const RUNS: [u64; 2] = [20, 120];

/// Counts the instructions of a Rust program for one invocation of its job. Returns none for other programs, or if
/// valgrind is missing.
pub async fn count(world: &World, contender: &Contender) -> Result<Option<u64>> {
    let (Program::Rust(_) | Program::OurAllocator(_), Ok(valgrind)) = (contender.program, found("valgrind")) else {
        return Ok(None);
    };
    let mut counts = [0; 2];
    for (count, invocations) in counts.iter_mut().zip(RUNS) {
        *count = run(world, contender, &valgrind, invocations).await.with_context(|| contender.name())?;
    }
    let [short, long] = counts;
    Ok(Some(long.saturating_sub(short) / (RUNS[1] - RUNS[0])))
}

async fn run(world: &World, contender: &Contender, valgrind: &str, invocations: u64) -> Result<u64> {
    let out = world.folder.join("callgrind.out");
    let _ = fs::remove_file(&out);
    let with = [
        valgrind.to_owned(),
        "-q".into(),
        "--tool=callgrind".into(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let sandbox = Sandbox::start(&contender.program.settings(world, &with)?).await?;
    sandbox.prepare(&contender.job).await?;
    for _ in 0..invocations {
        sandbox.perform(&contender.job, world).await?;
    }
    terminate(sandbox.process()).await?;
    sandbox.ended().await;
    total(&fs::read_to_string(&out).context("callgrind's profile cannot be read")?)
}

async fn terminate(process: u32) -> Result<()> {
    let status = Command::new("kill").args(["-TERM", &process.to_string()]).stdin(Stdio::null()).status().await?;
    ensure!(status.success(), "kill failed");
    Ok(())
}

fn total(profile: &str) -> Result<u64> {
    let line =
        profile.lines().rev().find_map(|line| line.strip_prefix("totals:")).context("no totals in the profile")?;
    Ok(line.trim().parse()?)
}
