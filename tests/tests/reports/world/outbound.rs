//! Draws users who open partners' links and reach goals, and the deliveries of their webhooks.

use domain::{
    archive::{ArchiveRow, AttemptRow, DeliveryRow, OpeningRow},
    outbound::delivery::Status,
    values::ids::{DeliveryId, Provider, ReportId, UserId},
};

use super::{DAY, Draw, key, timestamp};

/// A user's openings of a partner's link.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) provider: Provider,
    pub(crate) user: usize,
    pub(crate) at: Vec<i64>,
}

/// A delivery as it ended, or as far as it is.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) provider: Provider,
    pub(crate) user: usize,
    pub(crate) campaign: &'static str,
    pub(crate) reached_at: i64,
    pub(crate) status: Status,
    /// The instant of the delivery.
    pub(crate) arrived_at: Option<i64>,
    pub(crate) attempts: usize,
}

impl Draw<'_> {
    /// Draws a user.
    pub(crate) fn user(&mut self, n: usize) {
        let (provider, mut at) = (self.partner(), self.instant());
        let user_hash = key().user(&UserId::new(format!("gg3-{n}")).unwrap());
        let mut openings = Vec::new();
        for opening in 0..self.rng.usize(1..4) {
            openings.push(at);
            let row = OpeningRow {
                provider: provider.clone(),
                opening_hash: key().opening(&ReportId::new(format!("evt-{n}-{opening}")).unwrap()),
                user_hash: user_hash.clone(),
                opened_at: timestamp(at).into(),
                click_hash: None,
                partner_user_hash: None,
            };
            self.row(at, ArchiveRow::Opening(row));
            at = self.after(at);
        }
        let mut reached_at = openings[0];
        for campaign in ["sign-up", "fifty-quests"] {
            if self.rng.u8(0..3) == 0 {
                continue;
            }
            reached_at += self.rng.i64(0..2) * self.rng.i64(0..9 * DAY);
            self.delivery(provider.clone(), n, campaign, reached_at);
        }
        self.world.openings.push(Opened { provider, user: n, at: openings });
    }

    fn delivery(&mut self, provider: Provider, user: usize, campaign: &'static str, reached_at: i64) {
        let (id, mut at) = (DeliveryId::new(format!("d-{user}-{campaign}")).unwrap(), reached_at);
        let row = |revision, status, attempts, ended_at: Option<i64>| DeliveryRow {
            provider: provider.clone(),
            campaign: serde_json::from_value(campaign.into()).unwrap(),
            delivery_hash: key().delivery(&id),
            user_hash: key().user(&UserId::new(format!("gg3-{user}")).unwrap()),
            click_hash: None,
            revision,
            status,
            round: 1,
            attempts,
            occurred_at: timestamp(reached_at).into(),
            created_at: timestamp(reached_at).into(),
            ended_at: ended_at.map(|at| timestamp(at).into()),
        };
        self.row(at, ArchiveRow::Delivery(row(1, Status::Pending, 0, None)));
        let ending = *self.rng.choice([Status::Delivered, Status::Retrying, Status::Exhausted].as_slice()).unwrap();
        let (attempts, mut status, mut arrived_at) = (self.rng.usize(0..4), Status::Pending, None);
        for n in 1..=attempts {
            at = self.after(at);
            status = if n == attempts { ending } else { Status::Retrying };
            let ended_at = (!matches!(status, Status::Pending | Status::Retrying)).then_some(at);
            arrived_at = ended_at.filter(|_| status == Status::Delivered);
            self.row(at, ArchiveRow::Delivery(row(u32::try_from(2 * n).unwrap(), status, n, ended_at)));
            let attempt = AttemptRow {
                provider: provider.clone(),
                campaign: serde_json::from_value(campaign.into()).unwrap(),
                delivery_hash: key().delivery(&id),
                round: 1,
                n: u8::try_from(n).unwrap(),
                late: false,
                due_at: timestamp(at).into(),
                sent_at: timestamp(at).into(),
                took_ms: 1,
                outcome: "200".to_owned(),
                verdict: "delivered",
            };
            self.row(at, ArchiveRow::Attempt(attempt));
        }
        self.world.deliveries.push(Delivered { provider, user, campaign, reached_at, status, arrived_at, attempts });
    }
}
