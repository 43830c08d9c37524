//! Sends each sender's calls, with that sender's names and words, through the use case that accepts postbacks.

use std::sync::Arc;

use app::{
    accept_postback::{AcceptPostback, Call, PostbackAnswer},
    memory::World,
    ports::{InboundRecords, KnownPartner},
};
use domain::{
    inbound::{
        click::ClickKeys,
        conversion::Receipt,
        credential::{Credentials, TokenHash},
    },
    jiff::Timestamp,
    values::{
        ids::{ReceiptId, TransactionId},
        signature::Secret,
    },
};

use super::*;

/// A sender's calls in the order in which they come: the transaction, the amount, what the sender adds, and our answer.
struct Sequence {
    sender: &'static str,
    /// Holds the query that every call has, with `{t}` and `{a}` for transaction and amount.
    query: &'static str,
    calls: &'static [(&'static str, &'static str, &'static str, &'static str)],
    /// Lists the transactions with the state and the amount that count in the end.
    stand: &'static [(&'static str, &'static str)],
}

const SEQUENCES: [Sequence; 8] = [
    Sequence {
        sender: "adgate",
        query: "user_id=u&s2=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "2.50", "state=pending", "accepted pending"),
            ("1", "2.50", "state=pending", "duplicate pending"),
            ("1", "2.50", "state=approved", "accepted approved"),
            ("1", "2.50", "state=rejected", "accepted rejected"),
            ("1", "2.50", "state=pending", "duplicate rejected"),
            ("1", "2.50", "state=approved", "duplicate rejected"),
            ("1", "2.50", "state=rejected", "duplicate rejected"),
            // This sender never changes an amount, so a different amount is a mistake.
            ("2", "2.50", "state=pending", "accepted pending"),
            ("2", "3.00", "state=approved", "conflict amount_decimal"),
            // Events without a payout have the amount 0.
            ("3", "0", "event_id=7&state=approved", "accepted approved"),
            ("r-1", "-2.50", "state=approved", "400 negative_amount"),
            ("4", "2.50", "state=reversed", "400 unknown_status"),
        ],
        stand: &[("1", "rejected 2.50"), ("2", "pending 2.50"), ("3", "approved 0")],
    },
    Sequence {
        sender: "affise",
        query: "sub2=u&sub1=c&transaction_id={t}&currency=EUR&amount_decimal={a}",
        calls: &[
            ("1", "10", "status=2", "accepted pending"),
            // On hold is still pending.
            ("1", "10", "status=5", "duplicate pending"),
            ("1", "10", "status=1", "accepted approved"),
            ("1", "10", "status=3", "accepted rejected"),
            ("1", "10", "status=1", "duplicate rejected"),
            ("1", "10", "status=3", "duplicate rejected"),
            // The rejection overtakes everything before it.
            ("2", "10", "status=3", "accepted rejected"),
            ("2", "10", "status=2", "duplicate rejected"),
            ("2", "10", "status=1", "conflict status"),
            ("r-1", "-10", "status=3", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 10"), ("2", "rejected 10")],
    },
    Sequence {
        sender: "ayet",
        query: "external_identifier=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "1.5", "", "accepted"),
            ("1", "1.5", "", "duplicate"),
            ("r-1", "-1.5", "is_chargeback=1", "accepted"),
            ("r-1", "-1.5", "", "duplicate"),
            ("r-1", "-1.0", "", "conflict amount_decimal"),
            ("1", "1.5", "is_chargeback=0", "duplicate"),
            ("1", "1.5", "is_chargeback=1", "400 status_not_agreed"),
        ],
        stand: &[("1", "approved 1.5"), ("r-1", "approved -1.5")],
    },
    Sequence {
        sender: "bitlabs",
        query: "uid=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}&hash=abc",
        calls: &[
            // Stateful callbacks repeat the transaction.
            ("1", "1.00", "state=PENDING&reference=", "accepted pending"),
            ("1", "1.00", "state=COMPLETED&reference=", "accepted approved"),
            ("1", "1.00", "state=RECONCILED&reference=", "accepted rejected"),
            ("1", "1.00", "state=PENDING&reference=", "duplicate rejected"),
            ("1", "1.00", "state=RECONCILED&reference=", "duplicate rejected"),
            // Other callbacks reverse by a second transaction.
            ("2", "1.00", "state=NONE&reference=", "accepted approved"),
            ("2-a", "-0.40", "state=NONE&reference=2", "accepted approved"),
            ("2-a", "-0.40", "state=NONE&reference=2", "duplicate approved"),
            ("2-b", "-0.60", "state=NONE&reference=2", "accepted approved"),
            ("2-c", "-0.01", "state=NONE&reference=2", "conflict amount_decimal"),
            ("3-a", "-0.01", "state=NONE&reference=3", "accepted approved"),
            ("4-a", "-0.01", "state=RECONCILED&reference=2", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 1.00"), ("2", "approved 1.00"), ("2-b", "approved -0.60"), ("3-a", "approved -0.01")],
    },
    Sequence {
        sender: "cpx",
        query: "ext_user_id=u&subid_1=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "0.75", "status=1", "accepted approved"),
            ("1", "0.75", "status=1", "duplicate approved"),
            ("1", "0.75", "status=2", "accepted rejected"),
            ("1", "0.75", "status=1", "duplicate rejected"),
            ("1", "0.75", "status=2", "duplicate rejected"),
            ("2", "0.75", "status=2", "accepted rejected"),
            ("2", "0.75", "status=1", "conflict status"),
            ("r-1", "-0.75", "status=2", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 0.75"), ("2", "rejected 0.75")],
    },
    Sequence {
        sender: "everflow",
        query: "sub2=u&sub1=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "100", "status=pending", "accepted pending"),
            ("1", "90", "status=approved", "accepted approved"),
            ("1", "100", "status=pending", "duplicate approved"),
            ("1", "80", "status=approved", "conflict amount_decimal"),
            ("1", "100", "status=invalid", "conflict amount_decimal"),
            ("1", "90", "status=invalid", "accepted rejected"),
            ("1", "90", "status=rejected", "duplicate rejected"),
            ("1", "90", "status=approved", "duplicate rejected"),
            // A URL without the status reports approvals only.
            ("2", "5", "", "accepted approved"),
            ("2", "5", "status=approved", "duplicate approved"),
            ("r-1", "-90", "status=approved", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 90"), ("2", "approved 5")],
    },
    Sequence {
        sender: "keitaro",
        query: "user_id=u&click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "30", "status=lead", "accepted pending"),
            ("1", "30", "status=sale", "accepted approved"),
            ("1", "30", "status=rejected", "accepted rejected"),
            ("1", "30", "status=lead", "duplicate rejected"),
            ("1", "30", "status=sale", "duplicate rejected"),
            ("1", "30", "status=rejected", "duplicate rejected"),
            // A rebill is another transaction.
            ("2", "30", "status=rebill", "accepted approved"),
            ("3", "30", "status={status}", "400 macro_not_replaced"),
            ("r-1", "-30", "status=rejected", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 30"), ("2", "approved 30")],
    },
    Sequence {
        sender: "tune",
        query: "aff_sub=u&aff_click_id=c&transaction_id={t}&currency=USD&amount_decimal={a}",
        calls: &[
            ("1", "12", "status=pending", "accepted pending"),
            ("1", "11.5", "status=approved", "accepted approved"),
            ("1", "11.5", "status=rejected", "accepted rejected"),
            ("1", "12", "status=pending", "duplicate rejected"),
            ("1", "11.5", "status=approved", "duplicate rejected"),
            ("1", "11.5", "status=rejected", "duplicate rejected"),
            ("r-1", "-12", "status=rejected", "400 negative_amount"),
        ],
        stand: &[("1", "rejected 11.5")],
    },
];

fn use_case(world: &World, partner: Partner) -> AcceptPostback<World> {
    let credentials = Credentials::Tokens(vec![TokenHash::of("good")]);
    let known = KnownPartner { partner: Arc::new(partner), credentials };
    world.accept_postback([known], ClickKeys::new(vec![Secret::new("k")]).unwrap())
}

fn told(answer: PostbackAnswer) -> String {
    let said = |status: &str, Receipt { state, .. }: Receipt| {
        state.map_or_else(|| status.to_owned(), |state| format!("{status} {state}"))
    };
    match answer {
        PostbackAnswer::Accepted(receipt) => said("accepted", receipt),
        PostbackAnswer::Duplicate(receipt) => said("duplicate", receipt),
        PostbackAnswer::Conflict(conflict) => {
            let names: Vec<String> = conflict.differences.into_iter().map(|(name, _)| name).collect();
            format!("conflict {}", names.join(" "))
        }
        PostbackAnswer::Malformed(faults) => format!("400 {}", json!(faults[0].code).as_str().unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_senders_calls_are_answered_as_written_down() {
    for Sequence { sender, query, calls, stand } in &SEQUENCES {
        let partner = resolved_by(&format!("provider: acme\nsender: {sender}\n"));
        let world = World::default();
        let accept = use_case(&world, partner);
        for (at, (transaction, amount, more, answer)) in calls.iter().enumerate() {
            let query = format!("{}&{more}", query.replace("{t}", transaction).replace("{a}", amount));
            let call = Call {
                provider: "acme",
                token: Some("good"),
                query: query.as_bytes(),
                body: b"",
                content_type: None,
                is_post: false,
                page_part: None,
                source: [192, 0, 2, 1].into(),
            };
            let receipt_id = ReceiptId::from_random([u8::try_from(at).unwrap(); 16]);
            let handled = accept.handle(&call, Timestamp::UNIX_EPOCH, receipt_id).await;
            assert_eq!(told(handled.answer), *answer, "{sender}, call {}: {query}", at + 1);
        }
        for (transaction, expected) in *stand {
            let provider = domain::values::ids::Provider::new("acme").unwrap();
            let read = world.transaction(&provider, &TransactionId::new(*transaction).unwrap()).await;
            let history = read.unwrap().unwrap();
            let postback = history.stands().postback;
            let stands = format!("{} {}", postback.state(), postback.content.amount_decimal);
            assert_eq!(stands, *expected, "{sender}, transaction {transaction}");
        }
    }
}

#[test]
fn every_sender_with_statuses_or_reversals_has_a_sequence() {
    let played: Vec<&str> = SEQUENCES.iter().map(|sequence| sequence.sender).collect();
    let presets = all().unwrap().iter().filter(|it| it.status.is_some() || it.negative_amounts.is_some());
    assert_eq!(presets.map(|preset| preset.name.as_str()).collect::<Vec<_>>(), played);
}
