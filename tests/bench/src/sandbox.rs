//! Runs one function, and reads the system's figures about it.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use tests::runtime_api::{Function, InvocationEnding, Settings};

use crate::{job::Job, world::World};

/// Holds a running function.
#[derive(Debug)]
pub struct Sandbox {
    function: Function,
    process: u32,
    /// Gives the time from the function's start to its first request for work.
    pub init: Duration,
}

impl Sandbox {
    /// Starts a function and waits until it asks for work.
    pub async fn start(settings: &Settings) -> Result<Self> {
        let function = settings.spawn().await;
        let init = function.wait_until_ready().await.map_err(|failure| anyhow!("{failure}"))?;
        let process = function.process_id().context("the function is not running")?;
        Ok(Self { function, process, init })
    }

    /// Returns the id of the function's process.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Gives the function an event. Returns the time that the function took, and the answer.
    pub async fn invoke(&self, event: &Value) -> Result<(Duration, Value)> {
        let invocation = self.function.invoke(event).await;
        match invocation.outcome {
            InvocationEnding::Response(answer) => Ok((invocation.took, answer)),
            other => bail!("the function did not answer: {other:?}; it logged {:?}", self.function.logs().last()),
        }
    }

    /// Does a job once, and returns the time that the job took.
    pub async fn perform(&self, job: &Job, world: &World) -> Result<Duration> {
        let (took, answer) = self.invoke(&job.event(world)?).await?;
        job.check(&answer).with_context(|| format!("{:?}", self.function.logs().last()))?;
        Ok(took)
    }

    /// Does the preparation that a job needs.
    pub async fn prepare(&self, job: &Job) -> Result<()> {
        for event in job.before() {
            self.invoke(&event).await?;
        }
        Ok(())
    }

    /// Returns the processor time of the function's threads, from /proc. The time is complete whenever the function
    /// waits.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process))? {
            // A thread that has just ended has no file any more.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Returns the function's peak memory, in KiB.
    pub fn peak_kib(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// Returns the function's current memory, in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("/proc lacks a line")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Returns how many bytes the function has logged, including line ends.
    pub fn logged_bytes(&self) -> u64 {
        self.function.logs().iter().map(|line| u64::try_from(line.len()).unwrap_or(0) + 1).sum()
    }

    /// Kills the function at once.
    pub async fn kill(&self) {
        self.function.kill().await;
    }

    /// Waits until the function ends. Panics if that takes longer than `tests::PATIENCE`.
    pub async fn ended(&self) {
        self.function.wait_for_end().await;
    }
}
