//! Sends a partner a notice for an operator, to try if notices arrive. It is owed like every notice.

use domain::{
    audit::{Action, Operation, Subject},
    jiff::Timestamp,
    outbound::{delivery::Delivery, notice::Notice},
    partner::Partner,
    values::ids::{ChainTicket, DeliveryId, Provider},
};
use thiserror::Error;

use crate::ports::{Replaced, ResendQueue, Rounds, Source, Unavailable};

/// The reason why no notice was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotifyFault {
    /// A service failed. If the notice is stored, the sweep sends it within half an hour.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such partner.
    #[error("there is no partner {0}")]
    Unknown(Provider),
    /// The partner's file does not say where it is told.
    #[error("the file of {0} says no notify.url; nobody is told")]
    Nowhere(Provider),
    /// A notice with the same number exists.
    #[error("there is a notice with the same number")]
    Exists,
}

/// Makes a test notice owed and sends its message. `random` numbers the notice. Returns its id, which is the webhook-id of
/// its attempts.
pub async fn test(
    (partners, rounds, resends): (&impl Source<Key = Provider, Value = Partner>, &impl Rounds, &impl ResendQueue),
    provider: &Provider,
    random: [u8; 8],
    (operation, now): (&Operation, Timestamp),
) -> Result<DeliveryId, NotifyFault> {
    let partner = partners.load(provider).await?.ok_or_else(|| NotifyFault::Unknown(provider.clone()))?;
    if partner.notify_url().is_none() {
        return Err(NotifyFault::Nowhere(provider.clone()));
    }
    let ticket = ChainTicket::from_random(random);
    let notice = Notice::Test { number: ticket.to_string() };
    let delivery = Delivery::of_notice(provider.clone(), notice, now.into(), ticket.clone());
    let audit = operation.record(now, Action::TestNotices, Subject::Partner { provider: provider.clone() });
    let audit = audit.with("delivery_id", delivery.id());
    match rounds.owe_notice(&delivery, &audit).await? {
        Replaced::Changed => return Err(NotifyFault::Exists),
        Replaced::Done => {}
    }
    if let Some(message) = delivery.first_message(ticket) {
        resends.send(&message, 0).await?;
    }
    Ok(delivery.id().clone())
}

#[cfg(test)]
mod tests {
    use domain::{partner::PartnerFile, values::time::UnixMillis};
    use serde_json::json;

    use super::*;
    use crate::{
        memory::{Held, World},
        operators::replay_conversions::tests::{acme, at, operation},
    };

    fn partner(notify: Option<&str>) -> Partner {
        let mut file = json!({"provider": "acme"});
        if let Some(url) = notify {
            file["notify"] = json!({"url": url});
        }
        Partner::try_from(serde_json::from_value::<PartnerFile>(file).unwrap()).unwrap()
    }

    async fn test_of(world: &World, partner: Option<Partner>, random: u8) -> Result<DeliveryId, NotifyFault> {
        let partners = Held::new(world, partner.map(|partner| (acme(), partner)));
        super::test((&partners, world, world), &acme(), [random; 8], (&operation(), at(5))).await
    }

    #[tokio::test]
    async fn a_test_is_owed_sent_and_audited() {
        let world = World::default();
        let url = Some("https://status.example/gg3");
        let id = test_of(&world, Some(partner(url)), 1).await.unwrap();
        let other = test_of(&world, Some(partner(url)), 2).await.unwrap();
        assert_ne!(id, other);
        let state = world.state();
        assert_eq!(state.deliveries[&id].notice().map(Notice::kind), Some("gg3.test"));
        let sent: Vec<_> = state.resends.iter().map(|(message, _)| message.delivery_id.clone()).collect();
        assert_eq!(sent, [id.clone(), other]);
        assert_eq!(state.deliveries[&id].created_at(), UnixMillis::from(at(5)));
        let actions: Vec<Action> = state.audit.iter().map(|record| record.action).collect();
        assert_eq!(actions, [Action::TestNotices; 2]);
    }

    #[tokio::test]
    async fn nobody_is_told_if_the_file_says_nowhere() {
        let world = World::default();
        assert_eq!(test_of(&world, Some(partner(None)), 1).await, Err(NotifyFault::Nowhere(acme())));
        assert_eq!(test_of(&world, None, 1).await, Err(NotifyFault::Unknown(acme())));
        assert!(world.state().deliveries.is_empty() && world.state().audit.is_empty());
    }
}
