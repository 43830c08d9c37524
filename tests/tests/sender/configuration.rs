//! Changes a partner's configuration between two attempts.

use domain::outbound::{attempt::AttemptOutcome, delivery::Status};
use tests::{
    partner_simulator::{Answer, Script, Signature},
    runtime_api::Settings,
};

use crate::{
    fixture::Fixture,
    partner::{Partner, secret},
    wire::{CONFIGURATION, READ, RECORD, SEND},
};

/// Makes a function read configurations again after one second. A resend is due at least one second after the previous
/// attempt, so the function reads the configuration before each resend.
fn forgetful(settings: Settings) -> Settings {
    let settings = settings.variable("PARTNER_FRESH_SECONDS", "1").variable("UNKNOWN_PARTNER_FRESH_SECONDS", "1");
    settings.variable("PAUSED_HOP_SECONDS", "1")
}

#[tokio::test]
async fn a_changed_url_is_called_at_the_next_attempt() {
    let fixture = Fixture::shared().await;
    let mut partner = Partner::new(fixture, [Answer::status(404), Answer::status(200)]).await;
    let sender = fixture.sender_as(forgetful).await;
    let message = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0; 0]);
    partner.agreed.url = partner.agreed.url.replace("/hook", "/moved");
    partner.agreed.method = "POST";
    partner.save().await;
    let ended = fixture.to_the_end(&sender.function, &message).await;
    assert_eq!((ended.status(), ended.attempts().len()), (Status::Delivered, 2));
    let requests = partner.received().await;
    let [first, second] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((first.method.as_str(), second.method.as_str()), ("GET", "POST"));
    assert!(second.target.starts_with(&format!("/{}/moved?", partner.name)), "{}", second.target);
    assert!(second.body.contains(message.delivery_id.as_str()), "{}", second.body);
    assert!(requests.iter().all(|request| request.signature == Signature::Verified));
    assert!(requests.iter().all(|request| request.header("webhook-id") == Some(message.delivery_id.as_str())));
}

#[tokio::test]
async fn a_paused_campaign_sends_nothing_and_spends_no_attempt() {
    let fixture = Fixture::shared().await;
    let mut partner = Partner::new(fixture, [Answer::status(500), Answer::status(200)]).await;
    let sender = fixture.sender_as(forgetful).await;
    let message = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0; 0]);
    let of_it = |sent: &domain::outbound::delivery::Message| sent.delivery_id == message.delivery_id;
    let next = fixture.arrivals.some("the next message arrives", of_it).await.remove(0);
    partner.agreed.paused = true;
    partner.save().await;
    sender.proxy.take_calls();
    assert_eq!(sender.give(std::slice::from_ref(&next)).await, [0; 0]);
    let calls = sender.proxy.take_calls();
    assert_eq!(calls.iter().map(|call| fixture.stack.words(call)).collect::<Vec<_>>(), [CONFIGURATION, SEND]);
    assert_eq!(calls[1].body["DelaySeconds"], 1, "the configured hop");
    assert_eq!(fixture.stored(&message.delivery_id).await.revision(), next.revision);
    assert_eq!(partner.received().await.len(), 1);

    partner.agreed.paused = false;
    partner.save().await;
    let ended = fixture.to_the_end(&sender.function, &next).await;
    assert_eq!((ended.status(), ended.attempts().len()), (Status::Delivered, 2));
    assert_eq!(partner.received().await.len(), 2);
}

#[tokio::test]
async fn a_message_without_configuration_fails_and_spends_nothing() {
    let fixture = Fixture::shared().await;
    let mut partner = Partner::new(fixture, [Answer::status(200)]).await;
    let message = partner.owe().await;
    partner.delete().await;
    let sender = fixture.sender_as(forgetful).await;
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0]);
    assert_eq!(sender.calls(fixture)[0], CONFIGURATION);
    assert_eq!(fixture.stored(&message.delivery_id).await.revision(), message.revision);
    assert_eq!(partner.received().await.len(), 0);
    partner.save().await;
    let ended = fixture.to_the_end(&sender.function, &message).await;
    assert_eq!((ended.status(), partner.received().await.len()), (Status::Delivered, 1));
}

#[tokio::test]
async fn an_archived_campaign_cancels_deliveries_between_attempts() {
    let fixture = Fixture::shared().await;
    let mut partner = Partner::new(fixture, [Answer::status(500)]).await;
    let sender = fixture.sender_as(forgetful).await;
    let message = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0; 0]);
    partner.agreed.archived = true;
    partner.save().await;
    let of_it = |sent: &domain::outbound::delivery::Message| sent.delivery_id == message.delivery_id;
    let next = fixture.arrivals.some("the next message arrives", of_it).await.remove(0);
    sender.proxy.take_calls();
    assert_eq!(sender.give(std::slice::from_ref(&next)).await, [0; 0]);
    assert_eq!(sender.calls(fixture), [CONFIGURATION, READ, RECORD]);
    let ended = fixture.stored(&message.delivery_id).await;
    assert_eq!((ended.status(), ended.attempts().len()), (Status::Cancelled, 1));
    assert_eq!(partner.received().await.len(), 1);
}

#[tokio::test]
async fn while_a_secret_is_rotated_a_webhook_verifies_with_either() {
    let fixture = Fixture::shared().await;
    let mut partner = Partner::new(fixture, []).await;
    partner.agreed.secrets = vec![secret(2), secret(1)];
    partner.save().await;
    let sender = fixture.sender().await;
    for (known, verifies) in [(secret(1), true), (secret(2), true), (secret(3), false)] {
        partner.simulator.set_script(&partner.name, &Script::secrets([known.parse().unwrap()])).await;
        assert_eq!(sender.give(&[partner.owe().await]).await, [0; 0]);
        let request = partner.received().await.pop().unwrap();
        assert_eq!(request.signature == Signature::Verified, verifies, "{request:?}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_called_spends_no_attempt() {
    let fixture = Fixture::shared().await;
    // This partner has agreed on the click id alone.
    let asking = Partner::agreeing(fixture, [], |agreed| agreed.url = agreed.url.replace("clickId", "userId")).await;
    let mut unsigned = Partner::new(fixture, []).await;
    unsigned.agreed.secrets.clear();
    unsigned.save().await;
    let good = Partner::new(fixture, [Answer::status(200)]).await;
    let messages = [asking.owe().await, unsigned.owe().await, good.owe().await];
    let sender = fixture.sender().await;
    assert_eq!(sender.give(&messages).await, [0, 1]);
    for message in &messages[..2] {
        assert_eq!(fixture.stored(&message.delivery_id).await.revision(), message.revision);
    }
    let stored = fixture.stored(&messages[2].delivery_id).await;
    assert_eq!(stored.attempts()[0].outcome, AttemptOutcome::Status(200));
    assert_eq!((asking.received().await.len(), unsigned.received().await.len()), (0, 0));
}

#[tokio::test]
async fn loopback_webhooks_need_the_switch_and_a_local_aws() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, []).await;
    let secure = Partner::agreeing(fixture, [], |agreed| agreed.url = agreed.url.replace("http://", "https://")).await;
    let sender = fixture.sender_as(|settings| settings.variable("LOOPBACK_WEBHOOKS", "false")).await;
    let messages = [partner.owe().await, secure.owe().await];
    assert_eq!(sender.give(&messages).await, [0, 1]);
    for message in &messages {
        assert_eq!(fixture.stored(&message.delivery_id).await.revision(), message.revision, "no attempt is spent");
    }
    assert_eq!(partner.received().await.len(), 0);

    let elsewhere = fixture.settings("https://dynamodb.us-east-1.amazonaws.com").spawn().await;
    let failure = elsewhere.wait_until_ready().await.unwrap_err().to_string();
    assert!(failure.contains("LOOPBACK_WEBHOOKS"), "{failure}");
}
