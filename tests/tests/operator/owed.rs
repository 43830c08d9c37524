//! Makes deliveries that are stored without an event.

use domain::{
    outbound::{
        agreed_ids::PartnerIds,
        attempt::{AnswerExcerpt, AttemptOutcome, FinishedAttempt},
        delivery::{AttemptDecision, Claim, Delivery},
        participant::Owed,
        retry::RetryPolicy,
    },
    values::{
        ids::{CampaignName, ChainTicket, ClaimMark, ClickId, Provider, UserId},
        time::UnixMillis,
    },
};

use crate::fixture::fresh;

/// Makes a delivery that becomes owed at this instant.
pub(crate) fn owed(provider: &str, at: UnixMillis) -> Delivery {
    let owed = Owed {
        provider: Provider::new(provider).unwrap(),
        campaign: CampaignName::new("welcome").unwrap(),
        ids: PartnerIds { click_id: ClickId::new("c-1").ok(), user_id: None },
        occurred_at: at,
    };
    Delivery::new(UserId::new(fresh("u")).unwrap(), owed, at, ChainTicket::from_random([1; 8]))
}

/// Returns a new delivery after the partner answered 410 at the instant at which it became owed.
pub(crate) fn gone(made: &Delivery) -> Delivery {
    let (at, next) = (made.created_at(), made.next().unwrap().clone());
    let mark = ClaimMark::new("m").unwrap();
    let claim = Claim { round: 1, n: 1, ticket: next.ticket, mark, due_at: next.due_at, until: at };
    let (outcome, answer) = (AttemptOutcome::Status(410), AnswerExcerpt::default());
    let finished = FinishedAttempt { sent_at: at, ended_at: at, outcome, answer, retry_after: None };
    let ticket = ChainTicket::from_random([2; 8]);
    match made.with_claim(claim.clone()).record(&claim, &finished, RetryPolicy::default(), ticket) {
        AttemptDecision::Stored { delivery, .. } => delivery,
        other => panic!("{other:?}"),
    }
}
