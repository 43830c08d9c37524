//! Reads configuration from the environment. All faults are reported together, and the function does not start.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, ops::RangeInclusive, path::Path, time::Duration};

use adapters::aws::{AwsSettings, http_client};
use app::cache::CachePolicy;
use domain::{
    jiff::SignedDuration,
    retention::{Expiring, Retention},
};

/// Lists every variable that is missing or wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentFaults(Vec<String>);

impl fmt::Display for EnvironmentFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment is not complete: {}", self.0.join("; "))
    }
}

impl std::error::Error for EnvironmentFaults {}

/// Reads variables and gathers faults. The returned values may be used only if [`Environment::finish`] succeeds.
#[derive(Debug)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Environment {
    /// Returns the environment of this process.
    pub fn of_process() -> Self {
        // Variables that are not UTF-8 are skipped, because all of ours are UTF-8.
        Self::of(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Returns an environment of these variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), faults: Vec::new() }
    }

    /// Returns a required text. A missing or empty text is a fault.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.optional(name);
        if value.is_none() {
            self.faults.push(format!("{name} is missing"));
        }
        value.unwrap_or_default()
    }

    /// Returns an optional text, or `None` if it is missing or empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Returns a number of seconds from 0 to 86,400, or `default` if the variable is not set.
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

    /// Returns a number within these bounds, or `default` if the variable is not set.
    pub fn number(&mut self, name: &str, bounds: RangeInclusive<u32>, default: NonZeroU32) -> NonZeroU32 {
        let Some(text) = self.optional(name) else {
            return default;
        };
        let number = text.parse().ok().filter(|number: &NonZeroU32| bounds.contains(&number.get()));
        if number.is_none() {
            self.fault(format!("{name} must be a number from {} to {}", bounds.start(), bounds.end()));
        }
        number.unwrap_or(default)
    }

    /// Returns how long records of this kind are kept, in days within the kind's bounds.
    pub fn retention(&mut self, name: &str, kind: Expiring) -> Retention {
        let default = kind.default_retention();
        let days = NonZeroU32::new(default.days()).unwrap_or(NonZeroU32::MIN);
        let days = self.number(name, kind.bounds(), days);
        kind.retention(days.get()).unwrap_or(default)
    }

    /// Returns the function's own timeout, 2 to 900 seconds. The limits of the function's calls are computed from this
    /// timeout.
    pub fn function_timeout(&mut self) -> Duration {
        const NAME: &str = "FUNCTION_TIMEOUT_SECONDS";
        if let Ok(seconds @ 2..=900) = self.required(NAME).parse() {
            return Duration::from_secs(seconds);
        }
        self.faults.push(format!("{NAME} must be a number of seconds from 2 to 900"));
        Duration::ZERO
    }

    /// Returns how long the function's queues hide a message that the function received. AWS asks for at least six
    /// times the function's timeout, so that no message reappears while it is being processed.
    ///
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
    pub fn queue_visibility(&mut self, function_timeout: Duration) -> Duration {
        const NAME: &str = "QUEUE_VISIBILITY_SECONDS";
        let visibility = self.required(NAME).parse().ok().filter(|seconds| (1..=43_200).contains(seconds));
        let visibility = Duration::from_secs(visibility.unwrap_or_default());
        if visibility < function_timeout * 6 || visibility.is_zero() {
            self.faults.push(format!("{NAME} must be at least six times the function's timeout, and at most 43200"));
        }
        visibility
    }

    /// Returns true for `true`, and false for `false` or if the variable is not set.
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

    /// Returns how long cached configuration counts as fresh and how long it may be stale. Reads
    /// `PARTNER_FRESH_SECONDS`, `UNKNOWN_PARTNER_FRESH_SECONDS` and `PARTNER_STALE_SECONDS`.
    pub fn cache_policy(&mut self) -> CachePolicy {
        let default = CachePolicy::default();
        CachePolicy {
            fresh: self.seconds("PARTNER_FRESH_SECONDS", default.fresh),
            unknown_fresh: self.seconds("UNKNOWN_PARTNER_FRESH_SECONDS", default.unknown_fresh),
            stale_for: self.stale_for(default.stale_for),
            ..default
        }
    }

    /// Returns how long configuration may be used after it was read, if it cannot be read again: a minute to a day.
    fn stale_for(&mut self, default: SignedDuration) -> SignedDuration {
        const NAME: &str = "PARTNER_STALE_SECONDS";
        let stale_for = self.seconds(NAME, default);
        if stale_for < SignedDuration::from_mins(1) {
            self.fault(format!("{NAME} must be at least 60"));
        }
        stale_for
    }

    /// Returns region, endpoint and HTTP client. The credentials must be set, but only the clients read them.
    pub fn aws(&mut self) -> AwsSettings {
        let _ = (self.required("AWS_ACCESS_KEY_ID"), self.required("AWS_SECRET_ACCESS_KEY"));
        let ca_bundle = self.optional("AWS_CA_BUNDLE");
        let http = http_client(ca_bundle.as_deref().map(Path::new))
            .map_err(|fault| self.fault(format!("AWS_CA_BUNDLE names a file that cannot be used: {fault}")));
        AwsSettings::of_function(self.required("AWS_REGION"), self.optional("AWS_ENDPOINT_URL"), http.ok())
    }

    /// Adds a fault, such as values that do not fit each other.
    pub fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Returns all faults as an error, if there are any.
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
    fn all_faults_are_reported_at_once_without_values() {
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
    fn queue_visibility_is_at_least_six_function_timeouts() {
        for (seconds, good) in
            [("360", true), ("43200", true), ("359", false), ("43201", false), ("", false), ("x", false)]
        {
            let mut env = environment(&[("QUEUE_VISIBILITY_SECONDS", seconds)]);
            env.queue_visibility(Duration::from_mins(1));
            assert_eq!(env.finish().is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn stale_configuration_is_used_a_minute_to_a_day() {
        for (seconds, good) in
            [("60", true), ("900", true), ("86400", true), ("59", false), ("0", false), ("86401", false), ("x", false)]
        {
            let mut env = environment(&[("PARTNER_STALE_SECONDS", seconds)]);
            env.cache_policy();
            assert_eq!(env.finish().is_ok(), good, "{seconds}");
        }
        assert_eq!(environment(&[]).cache_policy().stale_for, SignedDuration::from_mins(15));
    }

    #[test]
    fn a_number_is_within_its_bounds() {
        for (text, good) in [("", true), ("1", true), ("9", true), ("0", false), ("10", false), ("x", false)] {
            let mut env = environment(&[("N", text)]);
            env.number("N", 1..=9, NonZeroU32::MIN);
            assert_eq!(env.finish().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_retention_is_a_number_of_days_within_bounds() {
        for (text, days) in
            [("", Some(30)), ("7", Some(7)), ("400", Some(400)), ("6", None), ("401", None), ("x", None)]
        {
            let mut env = environment(&[("REFUSAL_RETENTION_DAYS", text)]);
            let retention = env.retention("REFUSAL_RETENTION_DAYS", Expiring::Refusal);
            assert_eq!(env.finish().ok().map(|()| retention.days()), days, "{text}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let mut env = environment(&[("PARTNER_FRESH_SECONDS", ""), ("UNKNOWN_PARTNER_FRESH_SECONDS", "1")]);
        let policy = env.cache_policy();
        assert_eq!(policy.fresh, SignedDuration::from_secs(60));
        assert_eq!(policy.unknown_fresh, SignedDuration::from_secs(1));
        assert!(env.finish().is_ok());
    }
}
