//! Makes the rows of the archive from the items of the tables.

use domain::archive::{
    ArchiveKey, ArchiveRow, AttemptRow, DeliveryRow, RefusalKind as ArchivedKind, RefusalRow, Resolution,
};

use super::{
    RefusalItem, RefusalKind,
    change::read,
    media_buying::{AttemptItem, DeliveryItem},
};

/// Returns the row of a late attempt in `attempts`, or `None` for any other item of that table. An attempt of an older
/// round has its row from its delivery. A late attempt that an earlier version stored does not name its partner, and has
/// no row.
pub fn late_attempt(key: &ArchiveKey, item: serde_dynamo::Item) -> Result<Option<ArchiveRow>, String> {
    let AttemptItem { delivery_id, provider, campaign, round, late, made, .. } = read(item)?;
    let of = provider.as_ref().zip(campaign.as_ref()).filter(|_| late);
    let row = |(provider, campaign)| AttemptRow::of(key, (provider, campaign, &delivery_id), (round, true), &made);
    Ok(of.map(row).map(ArchiveRow::Attempt))
}

/// Returns the row of the delivery and of its last recorded attempt. A claim and a message of the sweep have no rows.
/// Every other change removes both attributes, so that this needs no image from before the change.
pub(super) fn of_delivery(key: &ArchiveKey, item: &DeliveryItem) -> Vec<ArchiveRow> {
    let delivery = &item.delivery;
    if item.swept_at.is_some() || delivery.claim().is_some() {
        return Vec::new();
    }
    let of = (delivery.provider(), delivery.campaign(), delivery.id());
    let attempt = delivery.attempts().last();
    let attempt = attempt.map(|attempt| AttemptRow::of(key, of, (delivery.round(), false), attempt));
    let row = ArchiveRow::Delivery(DeliveryRow::of(key, delivery));
    [row].into_iter().chain(attempt.map(ArchiveRow::Attempt)).collect()
}

/// Returns the row of a refusal or a conflict as it is now.
pub(super) fn refusal(key: &ArchiveKey, item: &RefusalItem) -> RefusalRow {
    let (user_id, click_id) = item.ids();
    let kind = match item.kind {
        RefusalKind::Refusal => ArchivedKind::Refusal,
        RefusalKind::Conflict => ArchivedKind::Conflict,
    };
    let resolution = match (item.kind, item.accepted_at, item.original_kept_at) {
        (RefusalKind::Refusal, Some(at), _) => Some((Resolution::Resubmitted, at)),
        (RefusalKind::Conflict, Some(at), _) => Some((Resolution::Accepted, at)),
        (_, None, Some(at)) => Some((Resolution::OriginalKept, at)),
        (_, None, None) => None,
    };
    RefusalRow {
        provider: item.provider.clone(),
        content_hash: key.content(&item.provider_content),
        kind,
        codes: match item.kind {
            RefusalKind::Refusal => RefusalRow::codes_of(&item.faults),
            RefusalKind::Conflict => "conflict".to_owned(),
        },
        first_received_at: item.first_received_at.into(),
        seen_at: item.last_received_at.into(),
        times: item.times,
        resolution: resolution.map(|(resolution, _)| resolution),
        resolved_at: resolution.map(|(_, at)| at.into()),
        transaction_hash: item.transaction_id.as_ref().map(|id| key.transaction(&item.provider, id)),
        user_hash: user_id.map(|id| key.user(&id)),
        click_hash: click_id.map(|id| key.click(&id)),
    }
}

#[cfg(test)]
mod tests;
