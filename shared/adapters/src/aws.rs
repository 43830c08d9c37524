//! Builds the clients of AWS's services, with limits on every call.
//!
//! The clients are made from `aws-config`'s [`SdkConfig`]. `postbackctl` loads it from the operator's profile. A
//! function builds it from its environment, because the loader would add STS and all credential providers to every
//! function. TLS is rustls on ring, since aws-lc's first handshake costs tens of milliseconds of CPU.

mod https;

use std::{error::Error, time::Duration};

use app::ports::Unavailable;
use aws_config::{BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::{
    config::{
        SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
};
use domain::audit::Author;
pub use https::{CaBundleFault, http_client};

const CALLER: &str = "STS GetCallerIdentity";

/// Holds where AWS is, who calls, and the HTTP client that all clients share.
#[derive(Debug, Clone)]
pub struct AwsSettings(SdkConfig);

impl From<SdkConfig> for AwsSettings {
    fn from(config: SdkConfig) -> Self {
        Self(config)
    }
}

/// Limits the time to connect, in every attempt. All clients use the same limit. An HTTP client keeps separate
/// connections for each limit, so clients with different limits could not share connections.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Limits how long one operation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Limits one attempt, from connecting to the last byte.
    pub attempt_timeout: Duration,
    /// Limits all attempts together, with the waits between them.
    pub operation_timeout: Duration,
    /// Limits the number of attempts.
    pub max_attempts: u32,
}

impl CallLimits {
    /// Returns limits for calls that somebody waits for. If this many operations follow each other and all time out, a
    /// second of the function's time is still left for the answer.
    pub fn answering(function_timeout: Duration, operations: u32) -> Self {
        let operation_timeout = function_timeout.saturating_sub(Duration::from_secs(1)) / operations.max(1);
        // An operation has time for two attempts and the wait between them. If these fail quickly, there is time for a
        // third attempt.
        Self { attempt_timeout: operation_timeout * 9 / 20, operation_timeout, max_attempts: 3 }
    }

    /// Limits a write to one second, because a user waits for the write. The write may be skipped.
    pub const REDIRECTING: Self = Self {
        attempt_timeout: Duration::from_millis(600),
        operation_timeout: Duration::from_secs(1),
        max_attempts: 2,
    };

    /// Limits a look that a page can do without to two seconds.
    pub const GLANCING: Self = Self {
        attempt_timeout: Duration::from_millis(900),
        operation_timeout: Duration::from_secs(2),
        max_attempts: 2,
    };

    /// Limits work that nobody waits for. The limits are generous, because a call may still take effect after it is
    /// given up.
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
    /// Returns the settings of a function, with credentials from the environment. If `http` is `None`, no call can be
    /// made.
    pub fn of_function(region: String, endpoint_url: Option<String>, http: Option<SharedHttpClient>) -> Self {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()));
        config.set_http_client(http).set_endpoint_url(endpoint_url);
        Self(config.build())
    }

    /// Returns the region, if there is one.
    pub fn region(&self) -> Option<&str> {
        self.0.region().map(AsRef::as_ref)
    }

    /// Returns the endpoint that replaces AWS's own, such as that of the local stack.
    pub fn endpoint_url(&self) -> Option<&str> {
        self.0.endpoint_url()
    }

    /// Returns a client of DynamoDB.
    pub fn dynamodb(&self, limits: CallLimits) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.limited(limits))
    }

    /// Returns the ARN that STS reports for the credentials.
    pub async fn caller(&self, limits: CallLimits) -> Result<Author, Unavailable> {
        let client = aws_sdk_sts::Client::new(&self.limited(limits));
        let caller = client.get_caller_identity().send().await.map_err(unavailable(CALLER))?;
        Author::new(caller.arn.unwrap_or_default())
            .map_err(|fault| Unavailable { service: CALLER, reason: format!("the ARN {fault}") })
    }

    /// Returns a client of Athena.
    pub fn athena(&self, limits: CallLimits) -> aws_sdk_athena::Client {
        aws_sdk_athena::Client::new(&self.limited(limits))
    }

    /// Returns a client of CloudWatch.
    pub fn cloudwatch(&self, limits: CallLimits) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.limited(limits))
    }

    /// Returns a client of SQS.
    pub fn sqs(&self, limits: CallLimits) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.limited(limits))
    }

    /// Returns a client of Firehose.
    pub fn firehose(&self, limits: CallLimits) -> aws_sdk_firehose::Client {
        aws_sdk_firehose::Client::new(&self.limited(limits))
    }

    fn limited(&self, limits: CallLimits) -> SdkConfig {
        let config = self.0.to_builder().timeout_config(limits.timeouts()).retry_config(limits.retries());
        // Every attempt already has a deadline.
        config.stalled_stream_protection(StalledStreamProtectionConfig::disabled()).build()
    }
}

/// Says in an [`Unavailable`] that a request could not be signed, because credentials are missing or expired.
pub const NO_CREDENTIALS: &str = "there are no usable AWS credentials";

/// Returns a failed call as the service and the error's code. Messages are left out, as they may quote the request.
pub(crate) fn unavailable<E>(service: &'static str) -> impl Fn(SdkError<E>) -> Unavailable
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| Unavailable { service, reason: reason(&error).to_owned() }
}

fn reason<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> &str {
    match error {
        SdkError::ServiceError(answer) => answer.err().code().unwrap_or("an error without a code"),
        SdkError::TimeoutError(_) => "timed out",
        error if lacks_credentials(error) => NO_CREDENTIALS,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out connecting",
        SdkError::DispatchFailure(_) => "could not be reached",
        SdkError::ResponseError(_) => "sent an unreadable answer",
        _ => "the request could not be made",
    }
}

fn lacks_credentials(fault: &(dyn Error + 'static)) -> bool {
    fault.is::<CredentialsError>() || fault.source().is_some_and(lacks_credentials)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::credential_fn::provide_credentials_fn;

    use super::*;

    #[tokio::test]
    async fn missing_credentials_are_reported_as_missing() {
        let none = provide_credentials_fn(async || Err(CredentialsError::not_loaded("the session has expired")));
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .endpoint_url("http://127.0.0.1:1")
            .http_client(http_client(None).unwrap())
            .credentials_provider(SharedCredentialsProvider::new(none));
        let client = AwsSettings::from(config.build()).dynamodb(CallLimits::REDIRECTING);
        let fault = client.list_tables().send().await.map_err(unavailable("DynamoDB")).unwrap_err();
        assert_eq!(fault.reason, NO_CREDENTIALS);
    }

    #[test]
    fn settings_hide_the_credentials_that_they_hold() {
        let secret = aws_sdk_dynamodb::config::Credentials::new("id", "hunter2", Some("hunter3".into()), None, "test");
        let config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(secret)).build();
        assert!(!format!("{:?}", AwsSettings::from(config)).contains("hunter"));
    }

    #[test]
    fn operations_in_a_row_leave_a_second_of_the_functions_time() {
        for seconds in [2, 5, 10, 29, 120] {
            for operations in 1..6 {
                let limits = CallLimits::answering(Duration::from_secs(seconds), operations);
                assert!(limits.operation_timeout * operations <= Duration::from_secs(seconds - 1));
                assert!(limits.attempt_timeout * 2 < limits.operation_timeout);
            }
        }
    }
}
