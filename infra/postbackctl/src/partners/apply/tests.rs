use app::{
    operators::plan_partners::{NewCredential, plan},
    ports::{SecretPurpose, StoredPartner},
};

use partner_files::Schema;

use super::*;

const LEAD: Duration = Duration::from_mins(3);

fn attempt(text: &str, stored: &StoredState, second: i64) -> Result<Planned, Vec<String>> {
    let valid = partner_files::parse(
        std::path::Path::new("acme.yaml"),
        text,
        &Schema::published().unwrap(),
        Allowance::PublicOnly,
    )
    .unwrap();
    let bytes = CredentialBytes { token: [1; 20], secret: [2; 20], webhook_secret: [3; 32] };
    let time = PlanTime { now: Timestamp::from_second(second).unwrap(), lead: LEAD };
    match plan(valid.proposed(), stored, bytes, time) {
        Ok(planned) => Ok(planned),
        Err(PlanFault::Forbidden(all)) => Err(all.into_iter().flat_map(|(_, faults)| faults).map(|f| f.path).collect()),
        Err(fault) => panic!("{fault}"),
    }
}

fn planned(text: &str, stored: Option<&StoredPartner>) -> Planned {
    attempt(text, &StoredState { item: stored.cloned(), ..StoredState::default() }, 0).unwrap()
}

/// Returns the stored state after this plan was applied. `published` says if the campaigns were published as well.
fn applied(planned: &Planned, published: bool) -> StoredState {
    let goals = published.then(|| planned.item.partner().unwrap().media_buying().goals());
    let has = |purpose: fn(Provider) -> SecretPurpose| {
        planned.secrets.iter().any(|stored| stored.purpose == purpose(planned.item.provider.clone()))
    };
    let (has_postback_secrets, has_webhook_secrets) = (has(SecretPurpose::Postback), has(SecretPurpose::Webhook));
    StoredState { item: Some(planned.item.clone()), has_postback_secrets, has_webhook_secrets, goals }
}

fn with(campaign: &str) -> String {
    format!(
        "provider: acme\nmedia_buying:\n  campaigns:\n    - name: autumn\n      webhook: {{url: \"https://a.example/\"}}\n{campaign}"
    )
}

const REGISTRATION: &str = "      goal: {type: registration}\n      active_from: on_publish\n";

fn begins(planned: &Planned) -> String {
    planned.item.file().unwrap().media_buying.unwrap().campaigns[0].active_from.clone()
}

#[test]
fn a_new_partner_gets_a_credential_once() {
    let first = planned("provider: acme", None);
    assert_eq!((first.change, first.item.version), (Change::Created, 1));
    assert!(matches!(first.credential, Some(NewCredential::Token(_))));
    let again = planned("provider: acme", Some(&first.item));
    assert_eq!(again.change, Change::Unchanged);
    assert!(again.credential.is_none() && again.differences.is_empty());
}

#[test]
fn a_partner_with_campaigns_gets_one_webhook_secret() {
    let signing = "provider: acme\npostback: {credential: signature}";
    let first = planned(signing, None);
    assert!(first.webhook_secret.is_none(), "nothing is sent to it");
    let campaigns = with(REGISTRATION).replace("provider: acme", signing);
    let called = attempt(&campaigns, &applied(&first, true), 0).unwrap();
    let made = called.webhook_secret.as_ref().unwrap();
    let [stored] = called.secrets.as_slice() else { panic!("only the new one is written: {:?}", called.secrets) };
    assert_eq!(stored.purpose, SecretPurpose::Webhook(called.item.provider.clone()));
    assert_eq!(stored.secrets, std::slice::from_ref(made));
    assert!(called.credential.is_none() && !called.differences.concat().contains(made.reveal()));
    let again = attempt(&campaigns, &StoredState { has_postback_secrets: true, ..applied(&called, true) }, 0).unwrap();
    assert_eq!((again.change, again.secrets.is_empty()), (Change::Unchanged, true));
}

#[test]
fn a_changed_file_keeps_the_token_and_counts_the_version() {
    let first = planned("provider: acme", None);
    let changed = planned("provider: acme\nname: Acme", Some(&first.item));
    assert_eq!((changed.change, changed.item.version), (Change::Changed, 2));
    assert_eq!(changed.item.token_hashes, first.item.token_hashes);
    assert_eq!(changed.differences, ["+ name: \"Acme\""]);
}

#[test]
fn no_secret_is_part_of_what_is_shown_as_a_difference() {
    let first = planned("provider: acme", None);
    let Some(NewCredential::Token(token)) = &first.credential else { panic!("no token") };
    assert!(!first.differences.concat().contains(token.reveal()));
}

#[test]
fn a_campaign_that_starts_on_publishing_is_dated_once() {
    let text = with(REGISTRATION);
    let first = attempt(&text, &StoredState::default(), 1_000).unwrap();
    assert_eq!(begins(&first), "1970-01-01T00:20:41Z", "a lead and a minute, and the second rounded up");
    let again = attempt(&text, &applied(&first, true), 900_000).unwrap();
    assert_eq!((again.change, begins(&again)), (Change::Unchanged, begins(&first)));
    let ended = with(&format!("{REGISTRATION}      active_to: 1970-01-01T01:00:00Z\n"));
    let first = attempt(&ended, &StoredState::default(), 0).unwrap();
    assert_eq!(
        attempt(&ended, &applied(&first, true), 900_000).unwrap().change,
        Change::Unchanged,
        "over, and still valid"
    );
    assert_eq!(attempt(&ended, &StoredState::default(), 3_600).unwrap_err(), ["media_buying.campaigns[0].active_to"]);
}

#[test]
fn a_campaign_that_was_stored_and_never_published_is_dated_anew() {
    let text = with(REGISTRATION);
    let first = attempt(&text, &StoredState::default(), 1_000).unwrap();
    let later = attempt(&text, &applied(&first, false), 9_000).unwrap();
    assert_eq!((later.change, begins(&later).as_str()), (Change::Changed, "1970-01-01T02:34:01Z"));
    let instant = with("      goal: {type: registration}\n      active_from: 1970-01-01T00:20:00Z\n");
    let first = attempt(&instant, &StoredState::default(), 1_000).unwrap();
    assert_eq!(attempt(&instant, &applied(&first, false), 1_010).unwrap().change, Change::Unchanged);
    let late = attempt(&instant, &applied(&first, false), 1_021).unwrap_err();
    assert_eq!(late, ["media_buying.campaigns.autumn.active_from"]);
}

#[test]
fn changes_of_fixed_values_are_refused_with_every_fault() {
    let first = attempt(&with(REGISTRATION), &StoredState::default(), 0).unwrap();
    let other = with("      goal: {type: ggstrike, clicks: 3}\n      active_from: 2030-01-01T00:00:00Z\n");
    let faults = attempt(&other, &applied(&first, true), 10).unwrap_err();
    assert_eq!(faults, ["media_buying.campaigns.autumn.goal", "media_buying.campaigns.autumn.active_from"]);
    assert!(attempt(&other, &applied(&first, false), 10).is_ok(), "nothing of it was published");
    let paused = with(&format!("{REGISTRATION}      paused: true\n"));
    assert_eq!(attempt(&paused, &applied(&first, true), 10).unwrap().change, Change::Changed);
    assert_eq!(attempt("provider: acme", &applied(&first, true), 10).unwrap_err(), ["media_buying.campaigns.autumn"]);
    let archived =
        attempt(&with(&format!("{REGISTRATION}      archived: true\n")), &applied(&first, true), 10).unwrap();
    let revived = attempt(&with(REGISTRATION), &applied(&archived, true), 20).unwrap_err();
    assert_eq!(revived, ["media_buying.campaigns.autumn.name"]);
}

#[test]
fn a_file_that_no_item_can_hold_is_refused_unwritten() {
    let url = format!("https://a.example/{}", "x".repeat(2_000));
    let campaign = |n: usize| {
        format!(
            "    - {{name: c{n}, goal: {{type: registration}}, active_from: on_publish, webhook: {{url: \"{url}\"}}}}\n"
        )
    };
    let file = |count| {
        format!("provider: acme\nmedia_buying:\n  campaigns:\n{}", (0..count).map(campaign).collect::<String>())
    };
    assert!(attempt(&file(150), &StoredState::default(), 0).is_ok());
    assert_eq!(attempt(&file(200), &StoredState::default(), 0).unwrap_err(), ["provider"]);
}
