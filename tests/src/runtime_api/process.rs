//! Runs a function's process: keeps its logs and its exit status, and kills it.

use std::{process::ExitStatus, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{Notify, watch},
    task::JoinSet,
};

/// Bounds the wait for the logs of an ended process, in case a grandchild keeps the pipes open.
const LOGS_AFTER_END: Duration = Duration::from_secs(2);

/// Holds a running or ended process.
#[derive(Debug)]
pub(super) struct Process {
    id: Option<u32>,
    kill: Arc<Notify>,
    logs: watch::Receiver<Vec<String>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| {
            let binary = command.as_std().get_program().to_string_lossy().into_owned();
            panic!("{binary} cannot start: {error}; run `cargo build` first")
        });
        let (lines, logs) = watch::channel(Vec::new());
        let (end, ended) = watch::channel(None);
        let mut readers = JoinSet::new();
        readers.spawn(keep_lines(child.stdout.take().expect("stdout is piped"), lines.clone()));
        readers.spawn(keep_lines(child.stderr.take().expect("stderr is piped"), lines));
        let (id, kill) = (child.id(), Arc::new(Notify::new()));
        let killed = Arc::clone(&kill);
        tokio::spawn(async move {
            let status = wait_or_kill(&mut child, &killed).await;
            // The end is announced after the last line has been read, so that a test can assert that a text is in no
            // line.
            let _ = tokio::time::timeout(LOGS_AFTER_END, readers.join_all()).await;
            end.send_replace(Some(status));
        });
        Self { id, kill, logs, ended }
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.id
    }

    /// Sends SIGKILL without waiting.
    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Waits until the process ends, and returns its status.
    pub(super) async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = *ended.wait_for(Option::is_some).await.expect("the end is always announced");
        status.expect("the wait above ends with a value")
    }

    pub(super) fn logs(&self) -> Vec<String> {
        self.logs.borrow().clone()
    }

    /// Waits for the first line that matches. Returns `None` if the process ends without writing such a line.
    pub(super) async fn line(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let find = |lines: &Vec<String>| lines.iter().find(|line| wanted(line)).cloned();
        // The channel closes when both pipes have ended.
        self.logs.clone().wait_for(|lines| find(lines).is_some()).await.ok().and_then(|lines| find(&lines))
    }
}

async fn wait_or_kill(child: &mut Child, killed: &Notify) -> ExitStatus {
    tokio::select! {
        status = child.wait() => return status.expect("the process is a child of this one"),
        () = killed.notified() => {}
    }
    // Killing a process that has already ended is no fault.
    let _ = child.start_kill();
    child.wait().await.expect("the process is a child of this one")
}

async fn keep_lines(pipe: impl AsyncRead + Unpin, logs: watch::Sender<Vec<String>>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while pipe.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        logs.send_modify(|lines| lines.push(text));
        line.clear();
    }
}
