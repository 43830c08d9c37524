//! Describes how a function is started.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::Command;

use super::Function;
use crate::{built, stack::ACCESS_KEY};

/// Describes how a function is started. One description can start it repeatedly, as Lambda does after a crash.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) binary: PathBuf,
    pub(super) name: String,
    pub(super) timeout: Duration,
    environment: Vec<(OsString, OsString)>,
    memory_mb: u32,
}

impl Settings {
    /// Describes a function that runs this binary. The function is named after the file, and has 128 MB of stated
    /// memory, a timeout of 10 s and an empty environment.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        let binary = binary.as_ref().to_owned();
        let name = binary.file_stem().map_or_else(|| "function".into(), |stem| stem.to_string_lossy().into_owned());
        Self { binary, name, timeout: Duration::from_secs(10), environment: Vec::new(), memory_mb: 128 }
    }

    /// Describes the function of this name that cargo built last, in the profile of the test.
    pub fn built(name: &str) -> Self {
        Self::new(built(name))
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Adds environment variables.
    #[must_use]
    pub fn variables<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets the time limit of one invocation. As on Lambda, the function gets the limit as its deadline, and is killed
    /// at the deadline.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the memory that the function's environment states, in MB. Nothing enforces it.
    #[must_use]
    pub fn memory_mb(mut self, memory_mb: u32) -> Self {
        self.memory_mb = memory_mb;
        self
    }

    /// Sets the function's name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Starts the function. It is killed when dropped.
    pub async fn spawn(&self) -> Function {
        Function::start(self.clone()).await
    }

    /// Returns the command to start. It inherits no environment variable, so that a developer's AWS profile or proxy
    /// settings cannot change a test.
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
            .envs(self.access_key())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Returns an access key that only this function has, in place of the tests' common key. A proxy recognises the
    /// function by its key.
    fn access_key(&self) -> Option<(OsString, OsString)> {
        let common = (OsString::from("AWS_ACCESS_KEY_ID"), OsString::from(ACCESS_KEY));
        let own = self.binary.file_stem()?.to_owned();
        self.environment.contains(&common).then_some((common.0, own))
    }
}

/// Says why a function never asked for its first event, and holds the function's logs.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartFailure {
    /// The function reported an init error.
    #[error("the function reported an init error: {error}; it logged: {logs:#?}")]
    InitError {
        /// Holds the reported error.
        error: serde_json::Value,
        /// Holds the lines written to stdout and stderr.
        logs: Vec<String>,
    },
    /// The process ended.
    #[error("the function ended before its first event: {status}; it logged: {logs:#?}")]
    Died {
        /// Holds the exit status.
        status: ExitStatus,
        /// Holds the lines written to stdout and stderr.
        logs: Vec<String>,
    },
    /// The function neither asked for an event nor ended within [`PATIENCE`](crate::PATIENCE).
    #[error("the function did not ask for an event in time; it logged: {logs:#?}")]
    Slow {
        /// Holds the lines written to stdout and stderr.
        logs: Vec<String>,
    },
}
