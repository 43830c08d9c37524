//! Runs the commands of docs/local-stack.md as printed, except for the port of the partner simulator.

use std::{env, fs, os::unix::fs::symlink, path::PathBuf, process::Stdio};

use tests::{built, eventually, fresh, stack::STACK_FILE};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{page::Page, repository};

/// Returns the only block of the page that contains this text.
fn block(page: &Page, containing: &str) -> String {
    let mut found = page.blocks.iter().filter(|block| block.text.contains(containing));
    let block = found.next().unwrap_or_else(|| panic!("no block contains {containing}"));
    assert!(found.next().is_none(), "several blocks contain {containing}");
    block.text.clone()
}

/// Holds a folder that looks like the repository after `make up`, with the stack of the tests.
struct Clone(PathBuf);

impl Clone {
    fn of_repository() -> Self {
        let folder = env::temp_dir().join(fresh("clone"));
        fs::create_dir_all(folder.join(".stack")).unwrap();
        fs::create_dir_all(folder.join("target")).unwrap();
        let stack_file = PathBuf::from(env::var_os(STACK_FILE).unwrap());
        symlink(&stack_file, folder.join(".stack/stack.json")).unwrap();
        symlink(stack_file.with_file_name("env"), folder.join(".stack/env")).unwrap();
        symlink(repository().join(".venv"), folder.join(".venv")).unwrap();
        symlink(built("postbackctl").parent().unwrap(), folder.join("target/debug")).unwrap();
        Self(folder)
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a script. Returns its standard output, or its standard error if it failed.
async fn shell(script: &str, folder: &PathBuf) -> Result<String, String> {
    let path = env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command.args(["-euc", script]).current_dir(folder).env_clear().envs([("PATH", path.as_str()), ("no_proxy", "*")]);
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn the_event_of_the_page_reaches_the_campaign() {
    let page = Page::at("docs/local-stack.md");
    let environment = block(&page, "source .stack/env");
    let send = format!("{environment}\n{}", block(&page, "send_message"));
    let look = format!("{environment}\n{}", block(&page, "postbackctl progress"));
    let clone = Clone::of_repository();
    // The page says to send the event again if the campaign had not begun.
    eventually("the event reaches the campaign", async || {
        shell(&send, &clone.0).await.unwrap_or_else(|fault| panic!("{fault}"));
        let shown = shell(&look, &clone.0).await.ok()?;
        (shown.contains("acme, sign-up: reached") && shown.contains("delivery")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_partner_simulator_answers_as_the_page_says() {
    let page = Page::at("docs/local-stack.md");
    let mut simulator = Command::new(built("partner-simulator"))
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(simulator.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    let script = block(&page, "_control/acme").replace("http://127.0.0.1:4580", &url);
    let shown = shell(&script, &repository()).await.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(shown.contains("HTTP/1.1 500"), "{shown}");
    assert!(shown.contains("/acme/hook?click=c-1"), "{shown}");
}
