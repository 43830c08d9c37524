//! Configuration from the environment: everything is read, then every fault is told at once, and the function does not
//! start.

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use adapters::aws::{AwsSettings, http_client};
use app::cache::CachePolicy;
use domain::jiff::SignedDuration;

/// Every variable that is missing or wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentFaults(Vec<String>);

impl fmt::Display for EnvironmentFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment is not complete: {}", self.0.join("; "))
    }
}

impl std::error::Error for EnvironmentFaults {}

/// Reads variables and gathers faults. What is asked for is always answered; [`Environment::finish`] says whether the
/// answers may be used.
#[derive(Debug)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Environment {
    /// The process's own environment.
    pub fn of_process() -> Self {
        // A variable that is not UTF-8 is none of ours.
        Self::of(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// These variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), faults: Vec::new() }
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.optional(name);
        if value.is_none() {
            self.faults.push(format!("{name} is missing"));
        }
        value.unwrap_or_default()
    }

    /// A text that may be there; an empty one is none.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// A number of seconds from 0 to a day, or `default`.
    pub fn seconds(&mut self, name: &str, default: SignedDuration) -> SignedDuration {
        let Some(text) = self.optional(name) else {
            return default;
        };
        match text.parse::<u32>() {
            Ok(seconds) if seconds <= 86_400 => SignedDuration::from_secs(i64::from(seconds)),
            _ => {
                self.faults.push(format!("{name} must be a number of seconds from 0 to 86400"));
                default
            }
        }
    }

    /// The function's own timeout, as the template sets it, so that its calls can be made to fit: 2 s to 15 min.
    pub fn function_timeout(&mut self) -> Duration {
        const NAME: &str = "FUNCTION_TIMEOUT_SECONDS";
        if let Ok(seconds @ 2..=900) = self.required(NAME).parse() {
            return Duration::from_secs(seconds);
        }
        self.faults.push(format!("{NAME} must be a number of seconds from 2 to 900"));
        Duration::ZERO
    }

    /// How long the function's queues hide a message that it was given, as the template sets it: six times the function's
    /// timeout at least, as Lambda asks for, so that no message comes back while it is still worked on.
    ///
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
    pub fn queue_visibility(&mut self, function_timeout: Duration) -> Duration {
        const NAME: &str = "QUEUE_VISIBILITY_SECONDS";
        let visibility = self.required(NAME).parse().ok().filter(|seconds| (1..=43_200).contains(seconds));
        let visibility = Duration::from_secs(visibility.unwrap_or_default());
        if visibility < function_timeout * 6 || visibility.is_zero() {
            self.faults.push(format!("{NAME} must be six times the function's timeout at least, and at most 43200"));
        }
        visibility
    }

    /// Whether something is switched on: `true` or `false`, and off where nothing is said.
    pub fn switch(&mut self, name: &str) -> bool {
        match self.optional(name).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.faults.push(format!("{name} must be true or false"));
                false
            }
        }
    }

    /// How long configuration is taken for true: `PARTNER_FRESH_SECONDS`, `UNKNOWN_PARTNER_FRESH_SECONDS`.
    pub fn cache_policy(&mut self) -> CachePolicy {
        let default = CachePolicy::default();
        CachePolicy {
            fresh: self.seconds("PARTNER_FRESH_SECONDS", default.fresh),
            unknown_fresh: self.seconds("UNKNOWN_PARTNER_FRESH_SECONDS", default.unknown_fresh),
            ..default
        }
    }

    /// Returns where AWS is, as Lambda says it. The credentials are only checked to be there: the clients read them.
    pub fn aws(&mut self) -> AwsSettings {
        let _ = (self.required("AWS_ACCESS_KEY_ID"), self.required("AWS_SECRET_ACCESS_KEY"));
        let ca_bundle = self.optional("AWS_CA_BUNDLE");
        let http = http_client(ca_bundle.as_deref().map(Path::new))
            .map_err(|fault| self.fault(format!("AWS_CA_BUNDLE names a file that cannot be used: {fault}")));
        AwsSettings::of_function(self.required("AWS_REGION"), self.optional("AWS_ENDPOINT_URL"), http.ok())
    }

    /// One more fault, of values that do not fit each other.
    pub fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Every fault of what was asked for.
    pub fn finish(self) -> Result<(), EnvironmentFaults> {
        if self.faults.is_empty() { Ok(()) } else { Err(EnvironmentFaults(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn every_fault_is_told_at_once_and_no_value_is() {
        let mut env = environment(&[
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_CA_BUNDLE", "/nonexistent/hunter2.pem"),
            ("PARTNER_FRESH_SECONDS", "soon"),
        ]);
        env.required("PARTNERS_TABLE");
        env.cache_policy();
        env.aws();
        let words = env.finish().unwrap_err().to_string();
        for name in ["PARTNERS_TABLE", "PARTNER_FRESH_SECONDS", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE"] {
            assert!(words.contains(name), "{name} in {words}");
        }
        assert!(!words.contains("AWS_SECRET_ACCESS_KEY") && !words.contains("hunter2"));
    }

    #[test]
    fn a_queue_hides_messages_for_six_times_the_functions_timeout_or_the_function_does_not_start() {
        for (seconds, good) in
            [("360", true), ("43200", true), ("359", false), ("43201", false), ("", false), ("x", false)]
        {
            let mut env = environment(&[("QUEUE_VISIBILITY_SECONDS", seconds)]);
            env.queue_visibility(Duration::from_mins(1));
            assert_eq!(env.finish().is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn an_empty_variable_is_none_and_a_default_stands() {
        let mut env = environment(&[("PARTNER_FRESH_SECONDS", ""), ("UNKNOWN_PARTNER_FRESH_SECONDS", "1")]);
        let policy = env.cache_policy();
        assert_eq!(policy.fresh, SignedDuration::from_secs(60));
        assert_eq!(policy.unknown_fresh, SignedDuration::from_secs(1));
        assert!(env.finish().is_ok());
    }
}
