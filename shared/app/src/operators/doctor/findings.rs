//! Turns what was read about a partner into findings.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    audit::{Action, AuditRecord},
    inbound::{credential::CredentialKind, fault::Fault},
    jiff::Timestamp,
    outbound::{
        campaign::CampaignState,
        delivery::{Delivery, Status},
        endpoint::Health,
        notice::NOTICES,
    },
    partner::{Pauses, Side},
    values::{
        ids::{CampaignName, Provider},
        time::UnixMillis,
    },
};
use serde_json::Value;

use super::{About, Finding, Level, Newest};
use crate::{
    operators::deliveries::is_failed,
    ports::{DeadLetter, DeadLetterQueue, EndpointKey, StoredEndpoint, StoredPartner, StoredRefusal},
    sweep_deliveries::Lateness,
};

fn finding(level: Level, about: About, found: String) -> Finding {
    Finding { level, about, found, cure: None }
}

impl Finding {
    fn cured_by(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }
}

/// Says what an operator has paused.
pub(super) fn pauses(provider: &Provider, pauses: Pauses) -> Vec<Finding> {
    let told = |(side, option): (Side, &str)| {
        let since = pauses.since(side)?;
        let found = format!("its {} are paused since {since:.3}", side.words());
        let cure = format!("`postbackctl resume {provider}{option}` ends the pause");
        Some(finding(Level::Act, About::Pause, found).cured_by(cure))
    };
    [(Side::Webhooks, ""), (Side::Postbacks, " --inbound")].into_iter().filter_map(told).collect()
}

/// Says how many tokens are valid, and when they were made, as far as audit records say so. Signing secrets are only
/// named, because they are stored elsewhere.
pub(super) fn credential(item: &StoredPartner, records: &[AuditRecord]) -> Finding {
    let about = About::Credential;
    let kind = match item.partner() {
        Ok(partner) => partner.credential(),
        Err(reason) => {
            let found = format!("its stored file cannot be read: {reason}");
            return finding(Level::Act, about, found).cured_by("correct its file and run `postbackctl apply`");
        }
    };
    let name = match kind {
        CredentialKind::Token => "token",
        CredentialKind::Signature => "signing secret",
    };
    let is_new = |record: &&AuditRecord| {
        let rotated =
            record.action == Action::RotateSecret && record.details.get("secret").is_some_and(|it| it == name);
        let first = record.details.get("new_secrets").is_some_and(|made| made.split(", ").any(|made| made == name));
        rotated || first
    };
    let made: Vec<String> = records.iter().filter(is_new).map(|record| format!("{:.3}", record.at)).take(2).collect();
    let made = if made.is_empty() { "more than 90 days ago".to_owned() } else { made.join(" and ") };
    let unknown = "when it was last used is not recorded";
    match (kind, item.token_hashes.len()) {
        (CredentialKind::Token, 0) => finding(Level::Act, about, "it has no token".to_owned())
            .cured_by(format!("`postbackctl rotate {}` makes one", item.provider)),
        (CredentialKind::Token, 2..) => {
            let cure = format!(
                "if the partner uses the newest, `postbackctl rotate {} --drop-old`; the audit tells when it was made",
                item.provider
            );
            finding(Level::Note, about, format!("two tokens are valid, made {made}; {unknown}")).cured_by(cure)
        }
        _ => finding(Level::Good, about, format!("its {name} was last made {made}; {unknown}")),
    }
}

/// Says when a transaction was last recorded.
pub(super) fn accepted(provider: &Provider, last: Option<Timestamp>, since: Timestamp) -> Finding {
    let about = About::Postbacks;
    match last {
        Some(last) if last >= since => finding(Level::Good, about, format!("a new transaction last came at {last:.3}")),
        Some(last) => finding(Level::Note, about, format!("no new transaction since {last:.3}"))
            .cured_by("ask the partner if that is right; its calls may be refused, see below"),
        None => finding(Level::Note, about, "no transaction was ever recorded".to_owned())
            .cured_by(format!("send the partner `postbackctl kit {provider}`")),
    }
}

/// Counts the refused calls by their codes.
pub(super) fn refused(provider: &Provider, refused: &Newest<StoredRefusal>, since: Timestamp) -> Finding {
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    let code = |fault: &Fault| fault.code.to_string();
    for item in refused.items.iter().filter(|item| item.accepted.is_none()) {
        // A call with several faults of one code counts once.
        for code in item.faults.iter().map(code).collect::<BTreeSet<String>>() {
            *codes.entry(code).or_default() += item.times;
        }
    }
    if codes.is_empty() {
        return finding(Level::Good, About::Refusals, format!("no call was refused since {since:.3}"));
    }
    let mut counted: Vec<(String, u64)> = codes.into_iter().collect();
    counted.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let counted: Vec<String> = counted.into_iter().map(|(code, times)| format!("{code} {times}")).collect();
    let among = if refused.has_more { format!(", among the newest {}", refused.items.len()) } else { String::new() };
    let found = format!("refused calls by code{among}: {}", counted.join(", "));
    finding(Level::Act, About::Refusals, found).cured_by(format!(
        "`postbackctl refusals --provider {provider}` shows them; docs/partners.md says what each code means. Wrong tokens and \
         calls over the rate are not kept: see the alarms WrongCredential and RateExceeded"
    ))
}

/// Counts the open conflicts.
pub(super) fn conflicts(provider: &Provider, conflicts: &Newest<StoredRefusal>) -> Finding {
    let open = conflicts.items.iter().filter(|item| item.is_open()).count();
    if open == 0 {
        return finding(Level::Good, About::Conflicts, "no conflict is open".to_owned());
    }
    let more = if conflicts.has_more { " at least" } else { "" };
    finding(Level::Act, About::Conflicts, format!("open conflicts:{more} {open}"))
        .cured_by(format!("decide about each: `postbackctl conflicts --provider {provider}`"))
}

/// Says how the hosts do to which the partner's webhooks go.
pub(super) fn endpoints(
    item: &StoredPartner,
    endpoints: &[(EndpointKey, StoredEndpoint)],
    now: Timestamp,
) -> Vec<Finding> {
    let Ok(partner) = item.partner() else { return Vec::new() };
    let policy = partner.media_buying().endpoints();
    let told = |(key, stored): &(EndpointKey, StoredEndpoint)| {
        let host = &key.host;
        let waits = stored.makes_wait(policy, now.into());
        if let Health::Down { since, fault, .. } = stored.endpoint.health() {
            let meanwhile = if waits {
                "its webhooks wait and spend no attempt, except one at a time"
            } else {
                "its webhooks go on with their six attempts"
            };
            let found = format!(
                "{host} is down since {:.3}: the last attempt looked at {fault}; {meanwhile}",
                since.timestamp()
            );
            let cure = format!(
                "tell the partner; `postbackctl probe {} --campaign …` calls it once. The first webhook that is taken makes it up",
                item.provider
            );
            return Some(finding(Level::Act, About::Endpoints, found).cured_by(cure));
        }
        let recovered = stored.endpoint.recovered_at().map(UnixMillis::timestamp);
        let recovered = recovered.map(|at| format!("{host} is up again since {at:.3}"));
        if waits {
            let since = recovered.unwrap_or_else(|| format!("{host} is up"));
            let found = format!("{since}; webhooks wait for their turn, as its rate allows");
            return Some(finding(Level::Note, About::Endpoints, found));
        }
        recovered.map(|found| finding(Level::Good, About::Endpoints, found))
    };
    let told: Vec<Finding> = endpoints.iter().filter_map(told).collect();
    if told.is_empty() {
        return [finding(Level::Good, About::Endpoints, "none of its hosts was ever down".to_owned())].into();
    }
    told
}

/// Counts the webhooks of each campaign by their state, and says which are late, failed or wait.
pub(super) fn webhooks(
    item: &StoredPartner,
    owed: &Newest<Delivery>,
    (since, now): (Timestamp, Timestamp),
) -> Vec<Finding> {
    let Ok(partner) = item.partner() else { return Vec::new() };
    let mut by_campaign: BTreeMap<&CampaignName, Vec<&Delivery>> = BTreeMap::new();
    for delivery in &owed.items {
        by_campaign.entry(delivery.campaign()).or_default().push(delivery);
    }
    let campaigns = partner.media_buying().campaigns();
    let state = |name: &CampaignName| {
        let notices = (name.as_str() == NOTICES).then_some(CampaignState::Open);
        campaigns.get(name).map(domain::outbound::campaign::Campaign::state).or(notices)
    };
    let mut found: Vec<Finding> = by_campaign
        .into_iter()
        .map(|(name, deliveries)| campaign(&item.provider, name, state(name), &deliveries, (owed.has_more, now.into())))
        .collect();
    if found.is_empty() && !campaigns.is_empty() {
        found.push(finding(Level::Note, About::Webhooks, format!("no webhook became owed since {since:.3}")));
    }
    found
}

fn campaign(
    provider: &Provider,
    name: &CampaignName,
    state: Option<CampaignState>,
    deliveries: &[&Delivery],
    (has_more, now): (bool, UnixMillis),
) -> Finding {
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in deliveries {
        *by_status.entry(delivery.status().as_str()).or_default() += 1;
    }
    let counted: Vec<String> = by_status.iter().map(|(status, count)| format!("{status} {count}")).collect();
    let among = if has_more { ", among the newest" } else { "" };
    let found = format!("{name}{among}: {}", counted.join(", "));
    let waits = deliveries.iter().filter_map(|delivery| delivery.next());
    let late = waits.filter(|next| next.due_at.plus(Lateness::default().grace) < now).count();
    let failed = deliveries.iter().filter(|delivery| is_failed(delivery.status())).count();
    let has = |status: Status| deliveries.iter().any(|delivery| delivery.status() == status);
    let is_waiting = has(Status::Pending) || has(Status::Retrying);
    let told = |level, found| finding(level, About::Webhooks, found);
    if state == Some(CampaignState::Paused) && is_waiting {
        return told(Level::Act, found + "; it is paused, so what is owed waits").cured_by(format!(
            "`postbackctl resume {provider}`, or `paused: false` in its file if that pauses the campaign"
        ));
    }
    if failed > 0 {
        return told(Level::Act, found).cured_by(format!(
            "`postbackctl probe {provider} --campaign {name}` tries its server; then `postbackctl resend --provider {provider} \
             --status exhausted --since 7d`"
        ));
    }
    if late > 0 {
        let found = format!("{found}; {late} are more than 15 minutes late");
        return told(Level::Act, found)
            .cured_by(format!("`postbackctl deliveries --provider {provider} --overdue`, and see docs/runbook.md"));
    }
    if has(Status::Retrying) {
        return told(Level::Note, found).cured_by(format!(
            "its server fails; resends come by themselves. `postbackctl probe {provider} --campaign {name}` tries it"
        ));
    }
    told(Level::Good, found)
}

/// Says how many dead letters of each queue name the partner.
pub(super) fn letters(letters: &BTreeMap<DeadLetterQueue, usize>) -> Vec<Finding> {
    if letters.is_empty() {
        return vec![finding(Level::Good, About::DeadLetters, "no dead letter names it".to_owned())];
    }
    let found = |(queue, count): (&DeadLetterQueue, &usize)| {
        let queue = queue.name();
        let cure = format!("`postbackctl dead-letters {queue}` says why; then `postbackctl redrive {queue}`");
        finding(Level::Act, About::DeadLetters, format!("dead letters in {queue}: {count}")).cured_by(cure)
    };
    letters.iter().map(found).collect()
}

/// Returns true if a dead letter names this partner: as its group, or as `provider` or in a key of the JSON in its body.
pub(super) fn names(letter: &DeadLetter, provider: &Provider) -> bool {
    letter.group.as_deref() == Some(provider.as_str())
        || serde_json::from_str(&letter.body).is_ok_and(|body: Value| is_named(&body, provider.as_str()))
}

fn is_named(value: &Value, provider: &str) -> bool {
    // An item of a stream writes a text as `{"S":"acme"}`, and keys begin with the partner's name.
    let is_it = |text: &Value| text.as_str().or_else(|| text["S"].as_str()) == Some(provider);
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, member)| (name == "provider" && is_it(member)) || is_named(member, provider))
        }
        Value::Array(items) => items.iter().any(|item| is_named(item, provider)),
        Value::String(text) => text.strip_prefix(provider).is_some_and(|rest| rest.starts_with('#')),
        _ => false,
    }
}
