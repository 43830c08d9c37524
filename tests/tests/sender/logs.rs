//! Tests the log lines for secrets that they must never hold.

use domain::outbound::delivery::Message;
use serde_json::Value;
use tests::{
    partner_simulator::Answer,
    proxy::{Action, AwsError},
};

use crate::{
    fixture::{Fixture, batch_of, within},
    partner::{Partner, secret},
};

const MARK: &str = "unmistakable";

#[tokio::test]
async fn no_log_line_holds_a_secret_or_a_url_beyond_its_host() {
    let fixture = Fixture::shared().await;
    let trace = |settings: tests::runtime_api::Settings| within(settings, 60, 2).variable("RUST_LOG", "trace");
    let sender = fixture.sender_as(trace).await;
    // A partner may quote our URL in its answer.
    let quoting = |status| Answer { body: Some(format!("?token={MARK}")), ..Answer::status(status) };
    let answers = [
        quoting(200),
        quoting(500),
        quoting(410),
        Answer { redirect: Some(format!("http://127.0.0.1:1/{MARK}")), ..Answer::default() },
        Answer::hang(),
        serde_json::from_str(r#"{"garbage": true}"#).unwrap(),
    ];
    let (mut messages, path) = (Vec::new(), format!("/hook/{MARK}?token={MARK}&"));
    for answer in answers {
        let with_mark = |url: &str| url.replace("/hook?", &path);
        let partner = Partner::agreeing(fixture, [answer], |agreed| agreed.url = with_mark(&agreed.url)).await;
        messages.push(partner.owe().await);
    }
    for url in ["http://a.example/{}?x={}", "http://127.0.0.1:1/{}?x={}", "{}://x/{}?c={clickId}", "{}"] {
        let url = url.replace("{}", MARK);
        let partner = Partner::agreeing(fixture, [], |agreed| agreed.url = url).await;
        messages.push(partner.owe().await);
    }
    for query in ["token={{}}", "token=%{}%", "token=[{}]", "{}=%zz", "c={userId}&{}"] {
        let partner = Partner::agreeing(fixture, [], |agreed| {
            agreed.url = format!("https://a.example/{MARK}?{}", query.replace("{}", MARK));
        });
        messages.push(partner.await.owe().await);
    }
    // The operator's command would refuse these files. They have a URL in the wrong place, or cannot be read at all.
    for file in [r#"{"provider":"{}","name":7}"#, r#"{"provider":"p","media_buying":"https://a.example/?{}"}"#, "{}"] {
        let mut partner = Partner::new(fixture, []).await;
        partner.save_file(file.replace("{}", MARK)).await;
        messages.push(partner.owe().await);
    }
    let mut badly_signing = Partner::new(fixture, []).await;
    badly_signing.agreed.secrets = vec![format!("whsec_{MARK}")];
    badly_signing.save().await;
    messages.push(badly_signing.owe().await);
    let bodies = |messages: &[Message]| -> Vec<String> {
        let bodies = messages.iter().map(|message| serde_json::to_string(message).unwrap());
        bodies.chain([MARK.to_owned(), format!("{{\"delivery_id\":\"{MARK}\",\"n\":\"{MARK}\"}}")]).collect()
    };
    for plan in [Action::FailBefore(AwsError::internal_server_error()), Action::CutBefore, Action::Forward] {
        sender.proxy.on(move |_| plan.clone());
        sender.function.invoke(&batch_of(bodies(&messages))).await.response();
    }
    // If the payload is no batch, the invocation fails. The error must not quote the payload.
    sender.function.invoke(&Value::String(MARK.into())).await;
    sender.function.kill().await;
    let logs = sender.function.logs();
    assert!(logs.iter().filter(|line| line.contains(r#""message":"attempt""#)).count() >= 6, "{logs:#?}");
    for line in logs {
        for unsaid in [MARK, &secret(1), "token=", "/hook", "click="] {
            assert!(!line.contains(unsaid), "{unsaid} is in {line}");
        }
    }
}
