use std::collections::{BTreeMap, BTreeSet};

use domain::{
    inbound::{
        click::Click,
        refusal::{ContentKey, KeptRequest, Refusal},
    },
    lookup::LookupEntry,
    outbound::{
        agreed_ids::PartnerIds,
        attempt::{AnswerExcerpt, Attempt, AttemptOutcome},
        delivery::{Delivery, Ending},
        participant::{Owed, Participant},
    },
    partner::PartnerFile,
    values::{
        ids::{CampaignName, ChainTicket, LandingName},
        signature::Secret,
        time::UnixMillis,
    },
};

use super::{erase::ErasePerson, *};
use crate::{
    accept_postback::{PostbackAnswer, tests::Rig},
    memory::{Held, REFUSALS, Trouble, World, lookup_key},
    operators::replay_conversions::tests::{acme, at, operation, put},
    ports::{DeadLetter, NewDeliveries, Refusals},
};

const ACME: &str = r#"{"provider":"acme","postback":{"status":{"parameter":"state","pending":["wait"],
    "approved":["ok"],"rejected":["no"]},"negative_amounts":"reverse","reference":"ref","keep":["goal"]}}"#;

/// All ids of the person have this mark.
const MARK: &str = "PERSON";

fn call(transaction: &str, amount: &str, more: &str) -> String {
    format!(
        "user_id=PERSON-u&click_id=c&transaction_id=PERSON-{transaction}&currency=USD&amount_decimal={amount}{more}"
    )
}

fn user() -> UserId {
    UserId::new("PERSON-u").unwrap()
}

fn ids() -> PartnerIds {
    PartnerIds { click_id: ClickId::new("PERSON-c").ok(), user_id: PartnerUserId::new("PERSON-p").ok() }
}

fn owed(user: &str) -> Delivery {
    let campaign = CampaignName::new("welcome").unwrap();
    let ids = if user == "other" { PartnerIds { click_id: None, user_id: None } } else { ids() };
    let owed = Owed { provider: acme(), campaign, ids, occurred_at: UnixMillis::from_millisecond(1) };
    let ticket = ChainTicket::from_random([1; 8]);
    Delivery::new(UserId::new(user).unwrap(), owed, UnixMillis::from_millisecond(2), ticket)
}

fn participant(latest: &str) -> Participant {
    let latest = serde_json::json!({"at": 1, "event": "e", "click_id": latest, "user_id": "PERSON-p"});
    let acme = serde_json::json!({"since": 1, "counts_from": 1, "baseline": 0, "latest": latest});
    serde_json::from_value(serde_json::json!({"partners": {"acme": acme}})).unwrap()
}

fn letter(body: &str) -> (DeadLetter, bool) {
    let (attributes, message_id) = (BTreeMap::new(), body.to_owned());
    let (sent_at, received, group) = (None, None, None);
    (DeadLetter { message_id, sent_at, received, group, attributes, body: body.to_owned() }, false)
}

/// Calls for two transactions of the person: one rose and was then reversed in part, and was contradicted by a call for
/// somebody else.
async fn called(rig: &Rig) {
    for query in [
        call("t", "100", "&state=wait&goal=PERSON-goal&PERSON-ignored=1"),
        call("t", "100", "&state=ok"),
        call("r", "-30", "&state=ok&ref=PERSON-t"),
        call("t", "100", "&state=ok").replace("user_id=PERSON-u", "user_id=other"),
        call("t", "1e3", ""),
        call("bad", "100", "&user_id=PERSON-u"),
        "user_id=other&click_id=c&transaction_id=other&currency=USD&amount_decimal=7".to_owned(),
    ] {
        rig.get(&query).await;
    }
}

/// Writes the lookups of everything that is stored.
pub(super) async fn indexed(world: &World) {
    let mut entries = Vec::new();
    {
        let state = world.state();
        for (key, original) in &state.postbacks {
            let steps = state.steps.get(key).into_iter().flatten().cloned();
            let all = steps.map(domain::inbound::correction::Revision::Step);
            let original = domain::inbound::correction::Revision::Original(original.clone());
            for revision in all.chain([original]) {
                entries.extend(LookupEntry::of_revision(&revision, lookup_key(key, revision.place())));
            }
        }
        let kept = state.conflicts.values().map(|kept| StoredRefusal::from(&kept.0));
        let kept = kept.chain(state.refusals.values().map(|kept| StoredRefusal::of_refusal(&kept.0, REFUSALS)));
        entries.extend(kept.flat_map(|kept| kept.lookups(None)));
        entries.extend(state.clicks.iter().flat_map(|click| LookupEntry::of_click(click, i64::MAX)));
        entries.extend(state.deliveries.values().flat_map(LookupEntry::of_delivery));
        for (user, (now, _)) in &state.participants {
            entries.extend(LookupEntry::of_openings(user, None, now));
        }
    }
    put(world, &entries).await;
}

/// Returns a world with every kind of record of the person, and with records of somebody else.
pub(super) async fn rig() -> Rig {
    let rig = Rig::with([ACME]);
    called(&rig).await;
    let world = &rig.world;
    let click = |id: &str, user_id: UserId| Click {
        click_id: ClickId::new(id).unwrap(),
        provider: acme(),
        landing: LandingName::new("welcome").unwrap(),
        user_id,
        clicked_at: at(1),
    };
    world.state().clicks = vec![click("PERSON-k", user()), click("k", UserId::new("other").unwrap())];
    for delivery in [owed("PERSON-u"), owed("other")] {
        world.put_if_absent(&delivery).await.unwrap();
    }
    let attempt = Attempt {
        n: 1,
        due_at: UnixMillis::from_millisecond(2),
        sent_at: UnixMillis::from_millisecond(2),
        duration_ms: 1,
        outcome: AttemptOutcome::Status(500),
        answer: AnswerExcerpt::of(b"PERSON-p is unknown"),
    };
    let kept = (owed("PERSON-u").id().clone(), 1, "1".to_owned());
    world.state().attempts.insert(kept, attempt);
    // An older opening has entries that the participant does not show any more.
    put(world, &LookupEntry::of_openings(&user(), None, &participant("PERSON-old"))).await;
    world.state().participants.insert(user(), (participant("PERSON-c"), 1));
    indexed(world).await;
    let letters = vec![
        letter(r#"{"type":"user.registered","user_id":"PERSON-u"}"#),
        letter(r#"{"type":"user.registered","user_id":"other","quest_id":"PERSON-u"}"#.replace(MARK, "X").as_str()),
        letter(r#"{"dynamodb":{"NewImage":{"participant":{"S":"{\"click_id\":\"PERSON-c\"}"}}}}"#),
        letter(r#"{"user_id":"PERSON-u", this is no JSON"#),
    ];
    world.state().dead_letter_queues.insert(DeadLetterQueue::Gg3Events, letters);
    rig
}

pub(super) type Find = FindPerson<World, World, World, World, World, Held<Provider, Partner>>;

pub(super) fn finder(world: &World) -> Find {
    let file: PartnerFile = serde_json::from_str(ACME).unwrap();
    FindPerson {
        listings: world.clone(),
        inbound: world.clone(),
        deliveries: world.clone(),
        participants: world.clone(),
        queues: world.clone(),
        partners: Held::new(world, [(acme(), Partner::try_from(file).unwrap())]),
        providers: vec![acme(), Provider::new("globex").unwrap()],
        key: key(),
    }
}

async fn find(world: &World, selector: &Selector) -> Result<Person, LookupFault> {
    finder(world).find(selector, at(10)).await
}

fn key() -> ArchiveKey {
    ArchiveKey::new(Secret::new("k"))
}

pub(super) fn eraser(world: &World) -> ErasePerson<World, World, World, World> {
    let (erasures, deliveries, queues, trail) = (world.clone(), world.clone(), world.clone(), world.clone());
    ErasePerson { erasures, deliveries, queues, trail, key: key() }
}

/// Finds the person and erases it once, at this millisecond.
pub(super) async fn erase_at(world: &World, millisecond: i64) -> Result<(), LookupFault> {
    let person = find(world, &Selector::User(user())).await?;
    Ok(eraser(world).run(&person, &operation(), UnixMillis::from_millisecond(millisecond)).await?)
}

async fn erase(world: &World) -> Result<(), LookupFault> {
    erase_at(world, 10_000).await
}

/// Returns everything that is stored, without the calls and the audit records.
pub(super) fn stored(world: &World) -> String {
    let mut state = world.state();
    let (calls, audit) = (std::mem::take(&mut state.calls), std::mem::take(&mut state.audit));
    let trouble = std::mem::take(&mut state.trouble);
    for (_, hidden) in state.dead_letter_queues.values_mut().flatten() {
        *hidden = false;
    }
    let refusals: BTreeMap<_, _> = state.refusals.drain().collect();
    let conflicts: BTreeMap<_, _> = state.conflicts.drain().collect();
    let text = format!("{state:#?}{refusals:#?}{conflicts:#?}");
    (state.refusals, state.conflicts) = (refusals.into_iter().collect(), conflicts.into_iter().collect());
    (state.calls, state.audit, state.trouble) = (calls, audit, trouble);
    text
}

pub(super) fn marked(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(MARK)).collect()
}

#[tokio::test]
async fn everything_about_a_person_is_found_and_nothing_else() {
    let rig = rig().await;
    let by_partner = Selector::PartnerUser(acme(), PartnerUserId::new("PERSON-p").unwrap());
    let (person, same) =
        (find(&rig.world, &Selector::User(user())).await.unwrap(), find(&rig.world, &by_partner).await.unwrap());
    assert_eq!(person, same);
    let Person { transactions, refusals, clicks, participants, deliveries, letters, .. } = &person;
    assert_eq!((transactions.len(), refusals.len(), clicks.len()), (2, 3, 1));
    assert_eq!((participants.len(), deliveries.len(), deliveries[0].1.len(), letters.len()), (1, 1, 1, 3));
    assert_eq!(person.open_conflicts().count(), 1);
    let nobody = find(&rig.world, &Selector::User(UserId::new("nobody").unwrap())).await.unwrap();
    assert!(nobody.is_empty() && !person.is_empty());
}

#[tokio::test]
async fn refused_calls_that_name_a_person_anywhere_are_found() {
    let rig = rig().await;
    for query in [
        "uid=PERSON-u",
        "user_id=other&ids=%5B%22PERSON-u%22%5D",
        "user_id=other&note=u%3DPERSON-u",
        "user_id=other&click_id=PERSON-k",
        "user_id=other&sub=xPERSON-u",
    ] {
        rig.get(query).await;
    }
    let text = "\u{fffd}=\u{fffd}{\"user_id\":\"PERSON-u\",".to_owned();
    let provider = Provider::new("globex").unwrap();
    let refusal = Refusal {
        key: ContentKey::of_refusal(&provider, &text),
        provider,
        request: KeptRequest { text, sent_bytes: None },
        source: [192, 0, 2, 1].into(),
        user_id: None,
        click_id: None,
        faults: Vec::new(),
        received_at: at(1),
    };
    rig.world.keep_refusal(&refusal, 99).await.unwrap();
    indexed(&rig.world).await;
    let person = find(&rig.world, &Selector::User(user())).await.unwrap();
    assert_eq!(person.refusals.len(), 3 + 5);
    erase(&rig.world).await.unwrap();
    let left = stored(&rig.world);
    let (left, others) = (marked(&left), marked(&left).into_iter().filter(|line| line.contains("xPERSON-u")).count());
    assert!(others > 0 && left.len() == others, "{left:#?}");
}

#[tokio::test]
async fn no_id_of_an_erased_person_is_left() {
    let rig = rig().await;
    assert!(marked(&stored(&rig.world)).len() > 20);
    erase(&rig.world).await.unwrap();
    let left = stored(&rig.world);
    assert_eq!(marked(&left), [""; 0]);
    assert!(!format!("{:?}", rig.world.state().audit).contains(MARK));
    for kept in ["UserId(\"other\")", "100,", "-30,", "TransactionId(\"other\")"] {
        assert!(left.contains(kept), "{kept}");
    }
    let endings: Vec<_> = rig.world.state().deliveries.values().map(Delivery::ending).collect();
    assert_eq!(endings.iter().flatten().collect::<Vec<_>>(), [&Ending::Cancelled]);
    assert_eq!(rig.world.state().dead_letter_queues[&DeadLetterQueue::Gg3Events].len(), 1);
}

#[tokio::test]
async fn an_erasure_that_failed_anywhere_ends_the_same() {
    let whole = rig().await;
    let before = whole.world.state().calls.len();
    erase(&whole.world).await.unwrap();
    let calls = whole.world.state().calls.len();
    let expected = stored(&whole.world);
    for call in before..calls {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = rig().await.world;
            world.state().trouble = BTreeMap::from([(call, trouble)]);
            if erase(&world).await.is_err() {
                stored(&world);
                erase(&world).await.unwrap();
            }
            let left = stored(&world);
            let differ: Vec<_> =
                left.lines().zip(expected.lines()).filter(|(one, other)| one != other).take(9).collect();
            assert!(differ.is_empty() && left.len() == expected.len(), "call {call}, {trouble:?}: {differ:#?}");
        }
    }
}

#[tokio::test]
async fn an_erased_person_is_erased_again_without_effect() {
    let world = rig().await.world;
    erase(&world).await.unwrap();
    indexed(&world).await;
    let once = stored(&world);
    erase(&world).await.unwrap();
    assert_eq!(stored(&world), once);
}

#[tokio::test]
async fn the_same_calls_are_duplicates_and_others_are_refused() {
    let rig = rig().await;
    let receipts = |rig: &Rig| -> BTreeSet<String> {
        let state = rig.world.state();
        state.postbacks.values().map(|it| it.receipt.receipt_id.to_string()).collect()
    };
    let before = receipts(&rig);
    erase(&rig.world).await.unwrap();
    let kept = stored(&rig.world);
    for query in
        [call("t", "100", "&state=wait"), call("t", "100", "&state=ok"), call("r", "-30", "&state=ok&ref=PERSON-t")]
    {
        let PostbackAnswer::Duplicate(receipt) = rig.get(&query).await else { panic!("{query}") };
        assert!(receipt.transaction_id.as_str().starts_with(MARK), "{receipt:?}");
    }
    for query in [
        call("t", "100", "&state=no"),
        call("t", "99", "&state=ok"),
        call("t", "100", "&state=ok").replace("user_id=PERSON-u", "user_id=other"),
        call("new", "-1", "&state=ok&ref=PERSON-t"),
    ] {
        for query in [query.clone(), format!("{query}&dry_run=true")] {
            assert!(matches!(rig.get(&query).await, PostbackAnswer::Erased(_)), "{query}");
        }
    }
    assert_eq!((stored(&rig.world), receipts(&rig)), (kept, before));
    // A new transaction counts as a new person's.
    assert!(matches!(rig.get(&call("new", "1", "&state=ok")).await, PostbackAnswer::Accepted(_)));
}
