use std::{collections::BTreeMap, time::Duration};

use domain::{
    audit::{Author, Channel},
    outbound::{campaign::CampaignState, webhook::Allowance},
    partner::{Partner, PartnerFile, Pauses},
    values::ids::CampaignName,
};
use proptest::prelude::*;

use super::*;
use crate::{
    memory::{Trouble, World},
    operators::plan_partners::{Change, CredentialBytes, PlanTime, Proposed, StoredState, plan},
    ports::StoredPartner,
};

const SIDES: [Side; 2] = [Side::Webhooks, Side::Postbacks];

fn acme() -> Provider {
    Provider::new("acme").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn file(more: &str) -> PartnerFile {
    let campaign = r#"{"name":"welcome","goal":{"type":"registration"},"active_from":"2026-11-23T12:00:00Z",
        "webhook":{"url":"https://a.example/?c={clickId}"}"#;
    let file = format!(r#"{{"provider":"acme","media_buying":{{"campaigns":[{campaign}{more}}}]}}}}"#);
    serde_json::from_str(&file).unwrap()
}

fn stored() -> StoredPartner {
    StoredPartner {
        provider: acme(),
        version: 1,
        updated_at: at(0),
        file: serde_json::to_string(&file("")).unwrap(),
        token_hashes: Vec::new(),
        pauses: Pauses::default(),
    }
}

fn world() -> World {
    let world = World::default();
    world.state().partners.insert(acme(), stored());
    world
}

fn item(world: &World) -> StoredPartner {
    world.state().partners[&acme()].clone()
}

async fn set(world: &World, side: Side, paused: bool, second: i64) -> Result<PauseOutcome, PauseFault> {
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [1; 8]);
    pause(world, Wanted { provider: &acme(), side, paused }, (&operation, at(second))).await
}

fn state(world: &World) -> CampaignState {
    let partner = item(world).partner().unwrap();
    partner.media_buying().campaigns()[&CampaignName::new("welcome").unwrap()].state()
}

#[tokio::test]
async fn a_pause_of_webhooks_pauses_every_campaign_until_resumed() {
    let world = world();
    assert_eq!(set(&world, Side::Webhooks, true, 5).await, Ok(PauseOutcome { changed: true, since: Some(at(5)) }));
    assert_eq!(state(&world), CampaignState::Paused);
    assert_eq!(set(&world, Side::Webhooks, true, 6).await, Ok(PauseOutcome { changed: false, since: Some(at(5)) }));
    assert_eq!(set(&world, Side::Webhooks, false, 7).await, Ok(PauseOutcome { changed: true, since: Some(at(5)) }));
    assert_eq!(state(&world), CampaignState::Open);
    assert_eq!(set(&world, Side::Webhooks, false, 8).await, Ok(PauseOutcome { changed: false, since: None }));
    let actions: Vec<Action> = world.state().audit.iter().map(|record| record.action).collect();
    assert_eq!(actions, [Action::PausePartner, Action::ResumePartner]);
}

#[tokio::test]
async fn an_archived_campaign_stays_archived_while_paused() {
    let world = world();
    let archived = serde_json::to_string(&file(r#","archived":true"#)).unwrap();
    world.state().partners.insert(acme(), StoredPartner { file: archived, ..stored() });
    set(&world, Side::Webhooks, true, 5).await.unwrap();
    assert_eq!(state(&world), CampaignState::Archived);
}

#[tokio::test]
async fn applying_a_file_never_ends_a_pause() {
    let world = world();
    for side in SIDES {
        set(&world, side, true, 5).await.unwrap();
    }
    for (more, change) in [("", Change::Unchanged), (r#","paused":false,"event":"hello""#, Change::Changed)] {
        let (file, before) = (file(more), item(&world));
        let partner = Partner::try_from(file.clone()).unwrap();
        let proposed = Proposed { file: &file, partner: &partner, allowance: Allowance::PublicOnly };
        let goals = Some(before.partner().unwrap().media_buying().goals());
        let pauses = before.pauses;
        let (has_webhook_secrets, has_postback_secrets) = (true, true);
        let item = Some(StoredPartner {
            token_hashes: vec![domain::inbound::credential::TokenHash::of("t")],
            file: serde_json::to_string(&self::file("")).unwrap(),
            ..before
        });
        let state = StoredState { item, has_postback_secrets, has_webhook_secrets, goals };
        let bytes = CredentialBytes { token: [1; 20], secret: [2; 20], webhook_secret: [3; 32] };
        let planned = plan(proposed, &state, bytes, PlanTime { now: at(9), lead: Duration::from_mins(3) }).unwrap();
        assert_eq!((planned.change, planned.item.pauses), (change, pauses));
        assert!(pauses.webhooks_since.is_some() && pauses.postbacks_since.is_some());
    }
}

#[tokio::test]
async fn an_unknown_partner_is_not_paused() {
    let fault = set(&World::default(), Side::Postbacks, true, 5).await;
    assert_eq!(fault, Err(PauseFault::Unknown(acme())));
}

#[tokio::test]
async fn a_pause_and_its_record_are_stored_both_or_neither() {
    for call in 0..2 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = world();
            world.state().trouble = BTreeMap::from([(call, trouble)]);
            assert!(set(&world, Side::Postbacks, true, 5).await.is_err());
            let changes = item(&world).version - 1;
            assert_eq!(u64::try_from(world.state().audit.len()).unwrap(), changes, "call {call}, {trouble:?}");
            // The same request again ends in the same place.
            set(&world, Side::Postbacks, true, 6).await.unwrap();
            assert!(item(&world).pauses.postbacks_since.is_some());
            assert_eq!(world.state().audit.len(), 1, "call {call}, {trouble:?}");
        }
    }
}

proptest! {
    /// The last request about a part decides about it, and each change has a record and a version.
    #[test]
    fn each_part_is_as_last_asked_for(asked in prop::collection::vec((0_usize..2, any::<bool>()), 0..12)) {
        let world = world();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut wanted = [false; 2];
        for (second, (side, paused)) in (1..).zip(asked) {
            wanted[side] = paused;
            runtime.block_on(set(&world, SIDES[side], paused, second)).unwrap();
        }
        let item = item(&world);
        prop_assert_eq!(SIDES.map(|side| item.pauses.since(side).is_some()), wanted);
        prop_assert_eq!(usize::try_from(item.version).unwrap(), 1 + world.state().audit.len());
    }
}
