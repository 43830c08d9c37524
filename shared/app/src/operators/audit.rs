//! Lists the changes that operators have made.

use domain::{
    audit::{Action, AuditRecord, Subject, day},
    jiff::{SignedDuration, Timestamp},
    retention::Expiring,
    values::ids::Provider,
};

use crate::ports::{AuditTrail, Unavailable};

/// Returns the records of the changes from `since` to `now`, the newest first. If a partner is given, returns only the
/// records about this partner.
pub async fn list(
    trail: &impl AuditTrail,
    (since, now): (Timestamp, Timestamp),
    provider: Option<&Provider>,
) -> Result<Vec<AuditRecord>, Unavailable> {
    let most = SignedDuration::from_hours(i64::from(*Expiring::AuditRecord.bounds().end()) * 24);
    let oldest = now.saturating_sub(most).unwrap_or(Timestamp::MIN);
    let wanted = |record: &AuditRecord| {
        let in_time = record.at >= since && record.at <= now && !record.has_expired(now);
        in_time && provider.is_none_or(|provider| record.subject.concerns(provider))
    };
    let (mut found, first) = (Vec::new(), day(since.max(oldest)));
    let mut next = Some(day(now));
    while let Some(day) = next.filter(|day| *day >= first) {
        let records = trail.of_day(day).await?;
        found.extend(records.into_iter().rev().filter(wanted));
        next = day.yesterday().ok();
    }
    Ok(found)
}

/// Cuts a list after so many records, but not within an instant. Returns the instant up to which the rest reaches, or
/// `None` if nothing was cut off.
pub fn cut(records: &mut Vec<AuditRecord>, most: usize) -> Option<Timestamp> {
    let last = records.get(most.checked_sub(1)?)?.at;
    let kept = records.partition_point(|record| record.at >= last);
    let rest = records.get(kept).map(|record| record.at);
    records.truncate(kept);
    rest
}

/// Names an action for people.
pub fn action_words(action: Action) -> String {
    let name = serde_json::to_value(action).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}

/// Names a subject for people.
pub fn subject_words(subject: &Subject) -> String {
    match subject {
        Subject::Partner { provider } => provider.to_string(),
        Subject::SystemKeys => "the system's keys".to_owned(),
        Subject::Catalogue => "the campaigns of all partners".to_owned(),
        Subject::Conflict { provider, content_id } | Subject::Refusal { provider, content_id } => {
            format!("{provider}, content id {content_id}")
        }
        Subject::Conversions { providers, from, to } => {
            let providers: Vec<&str> = providers.iter().map(Provider::as_str).collect();
            format!("conversions of {}, from {from:.3} to {to:.3}", providers.join(", "))
        }
        Subject::Delivery { provider, delivery_id } => format!("{provider}, delivery {delivery_id}"),
        Subject::Queue { queue } => format!("queue {queue}"),
        Subject::Lookups => "the lookups".to_owned(),
        Subject::Person => "a person".to_owned(),
        Subject::Unknown => "unknown to this version".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        audit::{Author, Channel, Operation},
        jiff::ToSpan,
    };

    use super::*;
    use crate::memory::World;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + hours.hours()
    }

    fn partner(name: &str) -> Subject {
        Subject::Partner { provider: Provider::new(name).unwrap() }
    }

    /// Returns a world with an audit record for each of these subjects, made at this hour.
    async fn world(records: &[(i64, Subject)]) -> World {
        let world = World::default();
        let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [0; 8]);
        for (hours, subject) in records {
            let record = operation.record(at(*hours), Action::ChangePartner, subject.clone());
            // A repeated call with the same record makes no second record.
            world.append(&record).await.unwrap();
            world.append(&record).await.unwrap();
        }
        world
    }

    async fn listed(world: &World, since: i64, now: i64, provider: Option<&str>) -> Vec<i64> {
        let provider = provider.map(|name| Provider::new(name).unwrap());
        let found = list(world, (at(since), at(now)), provider.as_ref()).await.unwrap();
        found.iter().map(|record| record.at.as_second() / 3600).collect()
    }

    #[tokio::test]
    async fn records_are_listed_newest_first_over_several_days() {
        let (acme, globex) = (partner("acme"), partner("globex"));
        let world = world(&[(1, acme.clone()), (30, acme.clone()), (31, globex), (60, acme)]).await;
        assert_eq!(listed(&world, 0, 61, None).await, [60, 31, 30, 1]);
        assert_eq!(listed(&world, 30, 59, None).await, [31, 30]);
        assert_eq!(listed(&world, 0, 61, Some("acme")).await, [60, 30, 1]);
    }

    #[tokio::test]
    async fn an_expired_record_is_not_listed() {
        let world = world(&[(1, partner("acme")), (2, partner("acme"))]).await;
        assert_eq!(listed(&world, 0, 1 + 400 * 24, None).await, [2]);
    }

    #[tokio::test]
    async fn a_cut_list_is_continued_by_instants() {
        let world = World::default();
        // Three records of one instant stay together.
        for (id, second) in [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3)] {
            let operation = Operation::new(Author::new("jo").unwrap(), Channel::Api, None, [id; 8]);
            let at = Timestamp::from_second(second).unwrap();
            world.append(&operation.record(at, Action::PublishCampaigns, Subject::Catalogue)).await.unwrap();
        }
        let (mut seen, mut until) = (Vec::new(), Timestamp::from_second(9).unwrap());
        for sizes in [4, 1] {
            let mut page = list(&world, (Timestamp::UNIX_EPOCH, until), None).await.unwrap();
            let next = cut(&mut page, 2);
            assert_eq!(page.len(), sizes);
            seen.extend(page.into_iter().map(|record| record.at.as_second()));
            until = next.unwrap_or(until);
        }
        assert_eq!(seen, [3, 2, 2, 2, 1]);
        assert_eq!(cut(&mut Vec::new(), 2), None);
    }
}
