//! What a function is started with.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::Command;

use super::Function;
use crate::built;

/// What a function is started with; it can be started more than once, as Lambda does after a crash.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) binary: PathBuf,
    pub(super) name: String,
    pub(super) timeout: Duration,
    environment: Vec<(OsString, OsString)>,
    memory_mb: u32,
}

impl Settings {
    /// This binary, named after its file, with 128 MB on paper, a timeout of 10 s and an empty environment.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        let binary = binary.as_ref().to_owned();
        let name = binary.file_stem().map_or_else(|| "function".into(), |stem| stem.to_string_lossy().into_owned());
        Self { binary, name, timeout: Duration::from_secs(10), environment: Vec::new(), memory_mb: 128 }
    }

    /// The function of this name as cargo built it last in the profile that the test itself is built in.
    pub fn built(name: &str) -> Self {
        Self::new(built(name))
    }

    /// One more environment variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// More environment variables.
    #[must_use]
    pub fn variables<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// How long one invocation may take: the deadline that the function sees, and when it is killed, as Lambda does.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the function is told about its memory. Nothing limits it.
    #[must_use]
    pub fn memory_mb(mut self, memory_mb: u32) -> Self {
        self.memory_mb = memory_mb;
        self
    }

    /// What the function is called.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Starts it; it is killed when dropped.
    pub async fn spawn(&self) -> Function {
        Function::start(self.clone()).await
    }

    /// The process to start: of our own environment nothing is passed on, so that a developer's AWS profile or proxy
    /// settings cannot change what a test sees.
    pub(super) fn command(&self, runtime_api: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mb.to_string())
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef")
            .env("_HANDLER", "bootstrap")
            .env("TZ", ":UTC")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// Why a function never asked for its first event, with what it logged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartFailure {
    /// It reported an error of its init.
    #[error("the function reported an init error: {error}; it logged: {logs:#?}")]
    InitError {
        /// What it reported.
        error: serde_json::Value,
        /// What it wrote to stdout and stderr.
        logs: Vec<String>,
    },
    /// Its process ended.
    #[error("the function ended before its first event: {status}; it logged: {logs:#?}")]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to stdout and stderr.
        logs: Vec<String>,
    },
    /// It did neither within [`PATIENCE`](crate::PATIENCE).
    #[error("the function did not ask for an event in time; it logged: {logs:#?}")]
    Slow {
        /// What it wrote to stdout and stderr.
        logs: Vec<String>,
    },
}
