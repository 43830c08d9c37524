//! Credentials that end while a command works, and credentials that nobody can be given.

use std::{fs, path::PathBuf};

use tests::{
    fresh,
    proxy::{Action, AwsError, Proxy},
    stack::Stack,
};

use crate::{
    command::{Said, command, said},
    fixture::Fixture,
};

/// A profile whose credential process writes a line into a file at each call and hands out keys that have already ended: the
/// earliest end there is, so that nothing may reuse them.
struct Profile {
    folder: PathBuf,
}

impl Profile {
    /// The process fails from the call after this one on.
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

    /// Asks for a user's progress, which are two reads at least, one after the other.
    async fn progress(&self, proxy: &Proxy, stack: &Stack) -> Said {
        let behind = Stack { aws_endpoint_url: proxy.endpoint_url(), ..stack.clone() };
        let mut command = command(&behind, &["progress", "--user", &fresh("nobody")]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AWS_CONFIG_FILE", self.folder.join("config")).env("AWS_PROFILE", "short");
        tokio::task::spawn_blocking(move || said(command.output().unwrap())).await.unwrap()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn assert_told_with_the_cure(said: &Said) {
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("AWS credentials are missing, expired or refused: log in again"), "{}", said.err);
}

#[tokio::test]
async fn credentials_that_have_ended_are_asked_for_again() {
    let (stack, profile) = (Fixture::new().stack, Profile::lasting(100));
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let said = profile.progress(&proxy, &stack).await;
    assert!(said.err.contains("nothing is known") || said.err.contains("no campaign"), "{}", said.err);
    let reads = proxy.take_calls().len();
    assert!(reads >= 2, "{reads}");
    // Once to see that there are any, and once for each read.
    assert_eq!(profile.calls(), reads + 1);
}

#[tokio::test]
async fn credentials_that_nobody_gives_are_told_with_the_cure() {
    let stack = Fixture::new().stack;
    // At the start, and in the middle of the work.
    for (calls, reads) in [(0, 0), (2, 1)] {
        let (profile, proxy) = (Profile::lasting(calls), Proxy::start(&stack.aws_endpoint_url).await);
        assert_told_with_the_cure(&profile.progress(&proxy, &stack).await);
        assert_eq!(proxy.take_calls().len(), reads);
    }
}

#[tokio::test]
async fn credentials_that_aws_refuses_are_told_with_the_cure() {
    let (stack, profile) = (Fixture::new().stack, Profile::lasting(100));
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    for name in ["ExpiredTokenException", "UnrecognizedClientException"] {
        proxy.on(move |_| Action::FailBefore(AwsError::new(400, name, "The security token is not valid.")));
        assert_told_with_the_cure(&profile.progress(&proxy, &stack).await);
    }
}
