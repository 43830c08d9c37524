//! Tests the page that shows, checks and publishes partners' files.

use std::collections::BTreeMap;

use app::ports::{SecretPurpose, StoredPartner, StoredSecrets};
use axum::http::StatusCode;
use domain::{
    audit::{Action, Channel},
    inbound::credential::TokenHash,
    outbound::catalogue::Snapshot,
    partner::Side,
    session::Role,
    values::signature::Secret,
};

use super::rig::{Rig, now, provider};
use crate::pages::partners::file::yaml;

fn stored(rig: &Rig, name: &str) -> Option<StoredPartner> {
    rig.world.state().partners.get(&provider(name)).cloned()
}

/// Stores acme as `apply` does: its file completed, its campaigns published, and a token made.
fn applied(rig: &Rig) {
    let before = stored(rig, "acme").unwrap();
    let file = serde_json::to_string(&before.file().unwrap()).unwrap();
    let goals = before.partner().unwrap().media_buying().goals();
    let partners = [(provider("acme"), goals)].into();
    let mut state = rig.world.state();
    state.campaigns = Some(Snapshot { version: 1, published_at: now().into(), partners });
    let token_hashes = vec![TokenHash::of("token")];
    state.partners.insert(provider("acme"), StoredPartner { file, token_hashes, ..before });
}

/// Gives a partner the secret that signs its webhooks, which it has from its first campaign on.
fn with_webhook_secret(rig: &Rig) {
    let purpose = SecretPurpose::Webhook(provider("acme"));
    let secrets = vec![Secret::new("w")];
    let kept = StoredSecrets { purpose: purpose.clone(), version: 1, newest_at: now(), secrets };
    rig.world.state().secrets.insert(purpose, kept);
}

fn version(rig: &Rig, name: &str) -> String {
    stored(rig, name).map_or(0, |stored| stored.version).to_string()
}

#[tokio::test]
async fn a_file_that_is_shown_changes_nothing_if_it_is_published_as_it_is() {
    let rig = Rig::new();
    applied(&rig);
    with_webhook_secret(&rig);
    let admin = rig.operator(Role::Admin).await;
    let text = yaml(&stored(&rig, "acme").unwrap()).unwrap();
    let shown = rig.get("/partner-file?name=acme", Some(&admin)).await.text;
    assert!(shown.contains("provider: acme") && shown.contains("welcome"), "{shown}");
    let checked = rig.post("/partner-file", Some(&admin), &[("name", "acme"), ("do", "check"), ("file", &text)]).await;
    assert!(
        checked.text.contains("Nothing would change") && !checked.text.contains(r#"value="publish""#),
        "{}",
        checked.text
    );
}

#[tokio::test]
async fn a_change_is_checked_and_then_published_with_its_reason() {
    let rig = Rig::new();
    applied(&rig);
    with_webhook_secret(&rig);
    let admin = rig.operator(Role::Admin).await;
    // A pause is no part of the file, and stays.
    let pause = [("name", "acme"), ("part", "webhooks"), ("do", "pause"), ("why", "x")];
    rig.post("/partner", Some(&admin), &pause).await;
    let before = stored(&rig, "acme").unwrap();
    let text = format!("{}name: Acme & Sons\n", yaml(&before).unwrap());
    let checked = rig.post("/partner-file", Some(&admin), &[("name", "acme"), ("do", "check"), ("file", &text)]).await;
    assert!(checked.text.contains("+ name: &quot;Acme &amp; Sons&quot;"), "{}", checked.text);
    assert_eq!(stored(&rig, "acme").unwrap(), before);
    let current = version(&rig, "acme");
    let publish =
        [("name", "acme"), ("do", "publish"), ("file", &text), ("version", &current), ("why", "their new name")];
    let done = rig.post("/partner-file", Some(&admin), &publish).await;
    assert!(done.status == StatusCode::OK && done.text.contains("Published"), "{}", done.text);
    let after = stored(&rig, "acme").unwrap();
    assert_eq!((after.version, after.token_hashes.clone()), (before.version + 1, before.token_hashes));
    assert!(after.file.contains("Acme & Sons") && after.pauses.since(Side::Webhooks).is_some());
    let audit = rig.world.state().audit.clone();
    let change = audit.iter().find(|record| record.action == Action::ChangePartner).unwrap();
    assert_eq!((change.channel, change.why.as_ref().unwrap().as_str()), (Channel::Console, "their new name"));
    assert!(audit.iter().any(|record| record.action == Action::PublishCampaigns));
    // The same form again, or another one that was checked before, replaces nothing.
    let again = rig.post("/partner-file", Some(&admin), &publish).await;
    assert!(again.status == StatusCode::CONFLICT && again.text.contains("in the meantime"), "{}", again.text);
    assert_eq!(stored(&rig, "acme").unwrap(), after);
}

#[tokio::test]
async fn a_file_with_faults_is_shown_again_with_each_fault_and_its_line() {
    let rig = Rig::new();
    let admin = rig.operator(Role::Admin).await;
    let cases = [
        ("provider: acme\npostback:\n  currencies: [usdt]\n<b>: 1\n", "acme.yaml:3:"),
        ("provider: globex\n", "acme.yaml:1:"),
        ("]", "acme.yaml:1"),
        ("", "acme.yaml"),
    ];
    for (text, place) in cases {
        for wanted in ["check", "publish"] {
            let fields = [("name", "acme"), ("do", wanted), ("file", text), ("version", "1"), ("why", "x")];
            let page = rig.post("/partner-file", Some(&admin), &fields).await;
            assert!(page.text.contains("The file has faults") && page.text.contains(place), "{text}: {}", page.text);
            assert!(!page.text.contains("<b>"), "{}", page.text);
        }
    }
    assert_eq!(rig.world.state().audit, []);
}

#[tokio::test]
async fn a_new_partner_gets_a_token_that_is_shown_once() {
    let rig = Rig::new();
    let admin = rig.operator(Role::Admin).await;
    let text = "provider: hooli\npostback:\n  currencies: [USD]\n";
    let publish = [("name", "hooli"), ("do", "publish"), ("file", text), ("version", "0"), ("why", "a new contract")];
    let done = rig.post("/partner-file", Some(&admin), &publish).await.text;
    let made = stored(&rig, "hooli").unwrap();
    let token = done.split_once("<pre><code>").unwrap().1.split_once('<').unwrap().0;
    assert_eq!(TokenHash::of(token), made.token_hashes[0]);
    let actions: BTreeMap<_, _> = rig.world.state().audit.iter().map(|it| (format!("{:?}", it.action), 1)).collect();
    assert!(actions.contains_key("CreatePartner"), "{actions:?}");
}

#[tokio::test]
async fn a_change_that_needs_a_signing_secret_is_left_to_postbackctl() {
    let rig = Rig::new();
    let admin = rig.operator(Role::Admin).await;
    applied(&rig);
    // Acme has a campaign, and in this table no secret that signs its webhooks.
    let text = yaml(&stored(&rig, "acme").unwrap()).unwrap();
    let signs = "provider: hooli\npostback:\n  currencies: [USD]\n  credential: signature\n".to_owned();
    for (name, text, version) in [("acme", text, version(&rig, "acme")), ("hooli", signs, "0".to_owned())] {
        let publish = [("name", name), ("do", "publish"), ("file", &text), ("version", &version), ("why", "x")];
        let refused = rig.post("/partner-file", Some(&admin), &publish).await;
        assert!(
            refused.status == StatusCode::CONFLICT && refused.text.contains("postbackctl apply"),
            "{}",
            refused.text
        );
    }
    assert_eq!(rig.world.state().audit, []);
}

#[tokio::test]
async fn a_viewer_reads_the_file_and_cannot_change_it() {
    let rig = Rig::new();
    let viewer = rig.operator(Role::Viewer).await;
    let page = rig.get("/partner-file?name=acme", Some(&viewer)).await.text;
    assert!(page.contains("readonly") && !page.contains(r#"name="do""#), "{page}");
    assert_eq!(rig.get("/partner-file?name=hooli", Some(&viewer)).await.status, StatusCode::NOT_FOUND);
}
