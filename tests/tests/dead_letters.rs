//! Tests that the operator's command lists and redrives dead letters, and that no letter is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::{
    process::Output,
    sync::Mutex,
    time::{Duration, Instant},
};

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use serde_json::Value;
use tests::{
    fresh, operator,
    proxy::{Action, AwsError, Proxy},
    stack::Stack,
};

/// Bounds the time that a message needs through a function and back. The emulator polls its queues about once a second.
const PATIENCE: Duration = Duration::from_mins(1);

fn stack() -> Stack {
    Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"))
}

/// Runs one command at a time, because listing letters hides them from other commands for a moment.
fn postbackctl(stack: &Stack, arguments: &[&str]) -> Output {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    operator::postbackctl(stack, arguments)
}

fn done(stack: &Stack, arguments: &[&str]) -> (String, String) {
    let output = postbackctl(stack, arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    (out, err)
}

/// Returns the dead letters of this queue whose body contains this text.
fn letters(stack: &Stack, queue: &str, text: &str) -> Vec<Value> {
    let (json, _) = done(stack, &["dead-letters", queue, "--json", "--max", "1000"]);
    let shown: Value = serde_json::from_str(&json).unwrap();
    let mut letters = shown[0]["letters"].as_array().unwrap().clone();
    letters.retain(|letter| letter["body"].as_str().unwrap().contains(text));
    letters
}

/// Waits for the message with this body and removes it from the queue. All other messages stay.
async fn arrived(stack: &Stack, queue: &str, body: &str) -> Message {
    let (sqs, url, begun) = (stack.sqs(), stack.queue(queue), Instant::now());
    loop {
        let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10).visibility_timeout(30);
        let receive = receive.message_attribute_names("All");
        let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All).wait_time_seconds(1);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        if let Some(found) = messages.into_iter().find(|message| message.body.as_deref() == Some(body)) {
            let handle = found.receipt_handle.clone().unwrap();
            sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{body} is not on {queue} after {PATIENCE:?}");
    }
}

/// Makes the two tests that empty this queue run one after the other.
static GG3_CONVERSIONS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn an_interrupted_redrive_loses_no_letter_and_can_be_repeated() {
    let _alone = GG3_CONVERSIONS.lock().await;
    let stack = stack();
    let (dead, body) = ("gg3-conversions-dead-letters", fresh("cut-short"));
    stack.sqs().send_message().queue_url(stack.queue(dead)).message_body(&body).send().await.unwrap();
    let proxy = Proxy::start(&stack.aws_endpoint_url).await;
    let through = Stack { aws_endpoint_url: proxy.endpoint_url(), ..stack.clone() };
    let redrive = async || {
        let through = through.clone();
        tokio::task::spawn_blocking(move || postbackctl(&through, &["redrive", dead, "--yes"])).await.unwrap()
    };
    for (fails, is_sent) in [("SendMessage", false), ("DeleteMessage", true)] {
        let fail = AwsError::internal_server_error;
        proxy.on(move |call| if call.operation == fails { Action::FailBefore(fail()) } else { Action::Forward });
        let output = redrive().await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("run it again for the rest"), "{said}");
        assert_eq!(letters(&stack, dead, &body).len(), 1, "the letter stays when {fails} fails");
        if is_sent {
            arrived(&stack, "gg3-conversions", &body).await;
        }
    }
    proxy.on(|_| Action::Forward);
    assert!(redrive().await.status.success());
    arrived(&stack, "gg3-conversions", &body).await;
    assert!(letters(&stack, dead, &body).is_empty());
}

#[tokio::test]
async fn a_redriven_letter_keeps_its_body_attributes_and_group() {
    let _alone = GG3_CONVERSIONS.lock().await;
    let stack = stack();
    let (dead, body) = ("gg3-conversions-dead-letters", fresh("kept"));
    let attribute = MessageAttributeValue::builder().data_type("String").string_value("why not").build().unwrap();
    let number = MessageAttributeValue::builder().data_type("Number").string_value("7").build().unwrap();
    let send = stack.sqs().send_message().queue_url(stack.queue(dead)).message_body(&body).message_group_id("acme");
    let send = send.message_attributes("reason", attribute.clone()).message_attributes("n", number.clone());
    send.send().await.unwrap();

    // The letters are listed twice, because listing must remove nothing.
    for _ in 0..2 {
        let found = letters(&stack, dead, &body);
        assert_eq!((found.len(), &found[0]["reason"], &found[0]["group"]), (1, &"why not".into(), &"acme".into()));
    }
    let (shown, _) = done(&stack, &["dead-letters", dead]);
    assert!(shown.contains("why not  [acme]") && shown.contains(&body), "{shown}");

    let unasked = postbackctl(&stack, &["redrive", dead]);
    assert!(!unasked.status.success() && String::from_utf8_lossy(&unasked.stderr).contains("--yes"));
    assert_eq!(letters(&stack, dead, &body).len(), 1, "without confirmation nothing is moved");

    done(&stack, &["redrive", dead, "--yes"]);
    let moved = arrived(&stack, "gg3-conversions", &body).await;
    let attributes = moved.message_attributes.unwrap();
    assert_eq!((attributes.get("reason"), attributes.get("n")), (Some(&attribute), Some(&number)));
    let group = moved.attributes.unwrap().get(&MessageSystemAttributeName::MessageGroupId).cloned();
    assert_eq!(group.as_deref(), Some("acme"));
    assert!(letters(&stack, dead, &body).is_empty());
    let (_, again) = done(&stack, &["redrive", dead, "--yes"]);
    assert!(again.contains("is empty"), "a repeated redrive moves nothing: {again}");
}

#[tokio::test]
async fn an_event_that_is_still_malformed_comes_back_with_its_reason() {
    let stack = stack();
    let (dead, id) = ("gg3-events-dead-letters", fresh("malformed"));
    let event = format!(r#"{{"id":"{id}","type":"gg_button.clicked"}}"#);
    stack.sqs().send_message().queue_url(stack.queue("gg3-events")).message_body(&event).send().await.unwrap();
    let back = |but: &str| {
        let begun = Instant::now();
        loop {
            let found = letters(&stack, dead, &id);
            if let Some(letter) = found.iter().find(|letter| letter["message_id"] != but) {
                assert!(letter["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{letter}");
                break letter["message_id"].as_str().unwrap().to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{event} is no dead letter after {PATIENCE:?}");
        }
    };
    let first = back("");
    let (_, err) = done(&stack, &["redrive", dead, "--yes"]);
    assert!(err.contains("back to gg3-events"), "{err}");
    assert_ne!(back(&first), first);
}

#[tokio::test]
async fn a_redrive_moves_at_most_the_stated_number_of_letters() {
    let stack = stack();
    let (dead, body) = ("conversion-dead-letters", fresh("bounded"));
    for _ in 0..3 {
        stack.sqs().send_message().queue_url(stack.queue(dead)).message_body(&body).send().await.unwrap();
    }
    let (_, err) = done(&stack, &["redrive", dead, "--yes", "--max", "2"]);
    assert!(err.starts_with("2 of 2 messages of conversion-dead-letters back to conversion-retries"), "{err}");
}

#[test]
fn every_dead_letter_queue_is_listed_and_a_missing_one_named() {
    let stack = stack();
    let (shown, _) = done(&stack, &["dead-letters"]);
    for queue in stack.queues.keys().filter(|queue| queue.ends_with("-dead-letters")) {
        assert!(shown.contains(&format!("{queue}: ")), "{queue} is missing in {shown}");
    }
    let elsewhere = Stack { stack_name: "no-such-stack".to_owned(), ..stack };
    let missing = postbackctl(&elsewhere, &["dead-letters", "webhooks-dead-letters"]);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success() && said.contains("no queue no-such-stack-webhooks-dead-letters"), "{said}");
}

#[test]
fn every_shell_gets_its_completion() {
    let stack = stack();
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = done(&stack, &["completion", shell]);
        assert!(script.contains("postbackctl") && script.contains("dead-letters"), "{shell}");
    }
}
