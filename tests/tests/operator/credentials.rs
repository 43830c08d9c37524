//! Tests credentials that expire while a command runs, and credentials that cannot be obtained.

use std::{fs, path::PathBuf};

use tests::{
    fresh,
    operator::command,
    proxy::{Action, AwsError, Proxy},
    stack::Stack,
};

use crate::{
    command::{Finished, finished},
    fixture::Fixture,
};

/// Holds a profile with a credential process. The process counts its calls in a file and returns expired keys, so that
/// each key is used only once.
struct Profile {
    folder: PathBuf,
}

impl Profile {
    /// Makes a profile whose process succeeds this number of times and then fails.
    fn lasting(calls: u32) -> Self {
        let folder = std::env::temp_dir().join(fresh("credentials"));
        fs::create_dir_all(&folder).unwrap();
        let (script, log) = (folder.join("process.sh"), folder.join("calls"));
        let text = format!(
            "echo call >> {log}\n\
             n=$(grep -c call {log})\n\
             test $n -le {calls} || exit 1\n\
             echo '{{\"Version\":1,\"AccessKeyId\":\"test\",\"SecretAccessKey\":\"test\",\
             \"Expiration\":\"2026-01-01T00:00:00Z\"}}'\n",
            log = log.display()
        );
        fs::write(&script, text).unwrap();
        let profile = format!("[profile short]\ncredential_process = sh {}\n", script.display());
        fs::write(folder.join("config"), profile).unwrap();
        Self { folder }
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.folder.join("calls")).unwrap_or_default().lines().count()
    }

    /// Asks for a user's progress, which takes at least two reads, one after the other.
    async fn progress(&self, proxy: &Proxy, stack: &Stack) -> Finished {
        let behind = Stack { aws_endpoint_url: proxy.endpoint_url(), ..stack.clone() };
        let mut command = command(&behind, &["progress", "--user", &fresh("nobody")]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AWS_CONFIG_FILE", self.folder.join("config")).env("AWS_PROFILE", "short");
        tokio::task::spawn_blocking(move || finished(command.output().unwrap())).await.unwrap()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn assert_reported_with_the_cure(output: &Finished) {
    assert_eq!(output.code, Some(1), "{}", output.err);
    assert!(output.err.contains("AWS credentials are missing, expired or refused: log in again"), "{}", output.err);
}

#[tokio::test]
async fn expired_credentials_are_requested_again() {
    let (stack, profile) = (Fixture::new().stack, Profile::lasting(100));
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let output = profile.progress(&proxy, &stack).await;
    assert!(output.err.contains("nothing is known") || output.err.contains("no campaign"), "{}", output.err);
    let reads = proxy.take_calls().len();
    assert!(reads >= 2, "{reads}");
    // The first call checks that there are credentials. Each read makes one more call of the process.
    assert_eq!(profile.calls(), reads + 1);
}

#[tokio::test]
async fn missing_credentials_are_reported_with_the_cure() {
    let stack = Fixture::new().stack;
    // The process fails at the start, and then in the middle of the work.
    for (calls, reads) in [(0, 0), (2, 1)] {
        let (profile, proxy) = (Profile::lasting(calls), Proxy::start(&stack.aws_endpoint_url).await);
        assert_reported_with_the_cure(&profile.progress(&proxy, &stack).await);
        assert_eq!(proxy.take_calls().len(), reads);
    }
}

#[tokio::test]
async fn refused_credentials_are_reported_with_the_cure() {
    let (stack, profile) = (Fixture::new().stack, Profile::lasting(100));
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    for name in ["ExpiredTokenException", "UnrecognizedClientException"] {
        proxy.on(move |_| Action::FailBefore(AwsError::new(400, name, "The security token is not valid.")));
        assert_reported_with_the_cure(&profile.progress(&proxy, &stack).await);
    }
}
