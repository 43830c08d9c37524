//! An operator sends a refused call again, by the configuration as it is now.
//!
//! The call is handled like a partner's, by the same use case, and may change several tables. So its audit record is stored
//! before it: there is no change without a record, and a record alone says that the call was sent again and refused again.

use domain::{
    audit::{Action, Operation, Subject},
    inbound::{
        click::ClickKeys,
        refusal::{ContentKey, Refusal},
    },
    jiff::Timestamp,
    values::ids::{Provider, ReceiptId},
};

use crate::{
    accept_postback::{AcceptPostback, Answered, Resubmission},
    ports::{AuditTrail, KnownPartner, Postbacks, Refusals, Source, Unavailable},
};

/// Sends a kept request again. Returns none, and does nothing, where not all of it was kept.
pub async fn resubmit<P, K, B, R>(
    accept: &AcceptPostback<P, K, B, R>,
    trail: &impl AuditTrail,
    kept: &Resubmission<'_>,
    (operation, now): (&Operation, Timestamp),
    receipt_id: ReceiptId,
) -> Result<Option<Answered>, Unavailable>
where
    P: Source<Key = Provider, Value = KnownPartner>,
    K: Source<Key = (), Value = ClickKeys>,
    B: Postbacks,
    R: Refusals,
{
    if !Refusal::is_kept_whole(kept.request) {
        return Ok(None);
    }
    let content_id = ContentKey::of_refusal(kept.provider, kept.request).as_str().to_owned();
    let subject = Subject::Refusal { provider: kept.provider.clone(), content_id };
    let audit = operation.record(now, Action::ResubmitRefusal, subject).with("receipt_id_if_new", &receipt_id);
    trail.append(&audit).await?;
    Ok(accept.resubmit(kept, now, receipt_id).await)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use domain::{
        audit::{Author, Channel},
        inbound::credential::Credentials,
        partner::{Partner, PartnerFile},
        values::signature::Secret,
    };

    use super::*;
    use crate::{
        accept_postback::Answer,
        cache::{Cache, CachePolicy},
        memory::{Held, Trouble, World},
    };

    const REQUEST: &str = "user_id=u&click_id=c&transaction_id=t&currency=USD&amount_decimal=1";

    async fn resubmit_in(world: &World, request: &str) -> Result<Option<Answered>, Unavailable> {
        let file: PartnerFile = serde_json::from_str(r#"{"provider":"acme"}"#).unwrap();
        let partner = Arc::new(Partner::try_from(file).unwrap());
        let provider = partner.provider().clone();
        let known = KnownPartner { partner, credentials: Credentials::Tokens(Vec::new()) };
        let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
        let accept = AcceptPostback {
            partners: Cache::new(Held::new(world, [(provider.clone(), known)]), CachePolicy::default()),
            keys: Cache::new(Held::new(world, [((), keys)]), CachePolicy::default()),
            postbacks: world.clone(),
            refusals: world.clone(),
        };
        let kept = Resubmission { provider: &provider, request, source: [192, 0, 2, 1].into() };
        let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [0; 8]);
        let receipt_id = ReceiptId::from_random([1; 16]);
        resubmit(&accept, world, &kept, (&operation, Timestamp::UNIX_EPOCH), receipt_id).await
    }

    #[tokio::test]
    async fn a_resubmitted_call_is_recorded_with_its_audit_record() {
        let world = World::default();
        let answered = resubmit_in(&world, REQUEST).await.unwrap().unwrap();
        assert!(matches!(answered.answer, Answer::Accepted(_)));
        let state = world.state();
        assert_eq!((state.postbacks.len(), state.audit.len()), (1, 1));
        assert_eq!(state.audit[0].action, Action::ResubmitRefusal);
    }

    #[tokio::test]
    async fn no_call_is_resubmitted_without_its_audit_record() {
        for call in 0..4 {
            for trouble in [Trouble::Before, Trouble::After] {
                let world = World::default();
                world.state().trouble = BTreeMap::from([(call, trouble)]);
                let _ = resubmit_in(&world, REQUEST).await;
                let state = world.state();
                assert!(state.postbacks.len() <= state.audit.len(), "call {call}, {trouble:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_call_that_was_not_kept_whole_leaves_no_record() {
        let world = World::default();
        let sent = resubmit_in(&world, "user_id=\u{fffd}").await.unwrap();
        assert!(sent.is_none() && world.state().audit.is_empty());
    }
}
