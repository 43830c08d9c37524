//! Clients of AWS's services, built once, with limits on everything.
//!
//! Without `aws-config`: a function's credentials, region and endpoint come from its environment, and the crates that
//! would find them elsewhere cost start-up time. TLS by rustls on ring, since aws-lc's first handshake costs tens of
//! milliseconds of CPU.

mod https;

use std::{fmt, time::Duration};

use app::ports::Unavailable;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_dynamodb::{
    config::{BehaviorVersion, Region, StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_types::SdkConfig;
pub use https::{CaBundle, CaBundleFault, http_client};

/// Where AWS is and who calls.
#[derive(Clone)]
pub struct AwsSettings {
    /// As in `eu-central-1`.
    pub region: String,
    /// Another endpoint than AWS's own, for the local stack.
    pub endpoint_url: Option<String>,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
    /// The session's token, if it is a session's.
    pub session_token: Option<String>,
    /// Authorities that are trusted besides.
    pub ca_bundle: Option<CaBundle>,
}

impl fmt::Debug for AwsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSettings")
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// For a connection, in whichever attempt. The same for every client: an HTTP client has connections of its own for each
/// such limit, and a connection that one client has opened could not serve the others.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one operation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// For one attempt, from connecting to the last byte.
    pub attempt_timeout: Duration,
    /// For all attempts and the waits between them.
    pub operation_timeout: Duration,
    /// The most attempts.
    pub max_attempts: u32,
}

impl CallLimits {
    /// For calls that somebody waits for: so many of them in a row end a second before the function's time does, so that
    /// the answer is ours even when none of them was answered.
    pub fn answering(function_timeout: Duration, operations: u32) -> Self {
        let operation_timeout = function_timeout.saturating_sub(Duration::from_secs(1)) / operations.max(1);
        // Two attempts fit, and the wait between them; a third when they fail quickly.
        Self { attempt_timeout: operation_timeout * 9 / 20, operation_timeout, max_attempts: 3 }
    }

    /// For a write that a user waits for and that may be skipped: a second.
    pub const REDIRECTING: Self = Self {
        attempt_timeout: Duration::from_millis(600),
        operation_timeout: Duration::from_secs(1),
        max_attempts: 2,
    };

    /// For work that nobody waits for. Patient: what is given up and repeated may have been done, and is then there twice.
    pub const BACKGROUND: Self =
        Self { attempt_timeout: Duration::from_secs(8), operation_timeout: Duration::from_secs(18), max_attempts: 3 };

    fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(self.attempt_timeout)
            .operation_timeout(self.operation_timeout)
            .build()
    }

    fn retries(self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(self.max_attempts).with_initial_backoff(Duration::from_millis(50))
    }
}

impl AwsSettings {
    /// A client of DynamoDB.
    pub fn dynamodb(&self, limits: CallLimits) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config(limits))
    }

    /// A client of SQS.
    pub fn sqs(&self, limits: CallLimits) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config(limits))
    }

    fn config(&self, limits: CallLimits) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials()))
            .http_client(http_client(self.ca_bundle.as_ref()))
            .timeout_config(limits.timeouts())
            .retry_config(limits.retries())
            // Every attempt has a deadline already.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(self.endpoint_url.clone());
        config.build()
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(
            self.access_key_id.clone(),
            self.secret_access_key.clone(),
            self.session_token.clone(),
            None,
            "environment",
        )
    }
}

/// A failed call in our words: which service, and the error's code. Never a message, which may quote what was sent.
pub(crate) fn unavailable<E>(service: &'static str) -> impl Fn(SdkError<E>) -> Unavailable
where
    E: ProvideErrorMetadata,
{
    move |error| Unavailable { service, reason: reason(&error) }
}

fn reason<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    match error {
        SdkError::ServiceError(answer) => answer.err().code().unwrap_or("an error without a code").to_owned(),
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out connecting".to_owned(),
        SdkError::DispatchFailure(_) => "could not be reached".to_owned(),
        SdkError::ResponseError(_) => "answered something unreadable".to_owned(),
        _ => "the request could not be made".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_operations_in_a_row_leave_a_second_of_the_functions_time() {
        for seconds in [2, 5, 10, 29, 120] {
            for operations in 1..6 {
                let limits = CallLimits::answering(Duration::from_secs(seconds), operations);
                assert!(limits.operation_timeout * operations <= Duration::from_secs(seconds - 1));
                assert!(limits.attempt_timeout * 2 < limits.operation_timeout);
            }
        }
    }
}
