//! Calls that show records. Lists are of one partner, the newest first, and `next` continues them.

use std::sync::Arc;

use app::{
    operators::{
        More, Page, audit as trail,
        lookup_coverage::Gap,
        overview::{Standing, count},
        postbacks as transactions,
        refusals::{self as refused},
        trace::Query,
        view::{DeliveryView, EventView, RefusalView, TransactionView},
        waiting::Waiting,
    },
    ports::{Partners as _, RefusalKind, StoredPartner},
};
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::{
    inbound::status::State as TransactionState,
    jiff::{SignedDuration, Timestamp},
    lookup::Place,
    outbound::delivery::Delivery,
    partner::Side,
    values::ids::{ClickId, DeliveryId, PartnerUserId, Provider, TransactionId, UserId},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Answer, answer};
use crate::{
    pages::{kit as kits, listed::known, partners as standing, refusals::found, reports, webhooks},
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Limits the entries of a list, and says how many it has unless the call says another number.
const MOST: usize = 100;
const USUAL: usize = 20;
/// Limits the days of one list of changes.
const MOST_AUDIT: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Reads the number in the field `limit`.
fn limit(visit: &Visit) -> Result<usize, Trouble> {
    let text = visit.query.get("limit");
    if text.is_empty() {
        return Ok(USUAL);
    }
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| Trouble::Malformed(format!("limit is a number from 1 to {MOST}.")))
}

/// Reads the partner and the page of a list.
async fn listed<P: Ports>(console: &Console<P>, visit: &Visit) -> Result<([Provider; 1], Page), Trouble> {
    let named = visit.query.get("provider");
    if named.is_empty() {
        return Err(Trouble::Malformed("Name a partner: provider=….".to_owned()));
    }
    let provider = known(console, named).await?;
    let (since, after) = (instant(visit, "since")?, visit.query.get("after"));
    let unknown = || Trouble::Malformed("after is not the next of any list.".to_owned());
    let after = if after.is_empty() { None } else { Some(Place::parse(after).ok_or_else(unknown)?) };
    Ok(([provider], Page { since, after, most: limit(visit)? }))
}

/// Reads the instant in a field of the query.
fn instant(visit: &Visit, name: &str) -> Result<Option<Timestamp>, Trouble> {
    let text = visit.query.get(name);
    let wrong = |_| Trouble::Malformed(format!("{name} is an instant such as 2026-11-23T12:00:00Z."));
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
}

/// Reads one of these words in a field of the query.
fn word<T: Copy>(visit: &Visit, name: &str, all: &[(&'static str, T)]) -> Result<Option<T>, Trouble> {
    let text = visit.query.get(name);
    let found = all.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if text.is_empty() || found.is_some() {
        return Ok(found);
    }
    let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
    Err(Trouble::Malformed(format!("{name} is one of {}.", words.join(", "))))
}

/// Answers with a list under this name.
fn list(name: &str, items: &[impl Serialize], more: &More, gaps: &[Gap]) -> Response<Body> {
    let next = more.first().map(|(_, place)| place.to_string());
    answer(StatusCode::OK, &json!({name: items, "next": next, "gaps": gaps}))
}

/// Shows the stored file of a partner.
pub(super) async fn file<P: Ports>(State(console): State<Arc<Console<P>>>, Path(name): Path<String>) -> Answer {
    let stored = standing::named(&console, &name).await?;
    let file = standing::file::yaml(&stored)?;
    let shown = json!({"provider": stored.provider, "version": stored.version.to_string(), "file": file});
    Ok(answer(StatusCode::OK, &shown))
}

/// Shows the files of a partner's integration kit.
pub(super) async fn kit<P: Ports>(State(console): State<Arc<Console<P>>>, Path(name): Path<String>) -> Answer {
    let provider = standing::named(&console, &name).await?.provider;
    let files = kits::files(&console, &provider).await?;
    let files: Vec<Value> = files.iter().map(|file| json!({"path": file.path, "text": file.text})).collect();
    Ok(answer(StatusCode::OK, &json!({"provider": provider, "files": files})))
}

/// Counts what of a partner waits for an operator.
pub(super) async fn counts<P: Ports>(State(console): State<Arc<Console<P>>>, Path(name): Path<String>) -> Answer {
    let provider = standing::named(&console, &name).await?.provider;
    let ports = (&console.trace.listings, &console.trace.inbound, &console.trace.deliveries);
    let counted = count(ports, &[provider], (console.now)()).await?;
    let shown = counted.standings.first().map(|Standing { provider, conflicts, refusals, failures }| {
        json!({
            "provider": provider, "open_conflicts": conflicts, "refusals_24h": refusals, "failed_webhooks_7d": failures,
            "gaps": counted.gaps,
        })
    });
    Ok(answer(StatusCode::OK, &shown.ok_or(Trouble::NotFound)?))
}

/// Lists the partners in the order of their names.
pub(super) async fn partners<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    let (after, limit) = (visit.query.get("after"), limit(&visit)?);
    let mut stored = console.configuration.partners().await?;
    stored.retain(|stored| stored.provider.as_str() > after);
    stored.sort_by(|one, other| one.provider.cmp(&other.provider));
    let has_more = stored.len() > limit;
    stored.truncate(limit);
    let next = stored.last().filter(|_| has_more).map(|last| last.provider.clone());
    let shown: Vec<Value> = stored.iter().map(|stored| Value::Object(partner_view(stored))).collect();
    Ok(answer(StatusCode::OK, &json!({"partners": shown, "next": next})))
}

fn partner_view(stored: &StoredPartner) -> Map<String, Value> {
    let paused = [Side::Webhooks, Side::Postbacks].map(|side| {
        let since = stored.pauses.since(side).map(|since| format!("{since:.3}"));
        (format!("{}_paused_since", side.words()), json!(since))
    });
    let shown = [
        ("provider".to_owned(), json!(stored.provider)),
        ("updated_at".to_owned(), json!(format!("{:.3}", stored.updated_at))),
        ("tokens".to_owned(), json!(stored.token_hashes.len())),
    ];
    shown.into_iter().chain(paused).collect()
}

/// Shows a partner and examines it.
pub(super) async fn partner<P: Ports>(State(console): State<Arc<Console<P>>>, Path(name): Path<String>) -> Answer {
    let stored = standing::named(&console, &name).await?;
    let findings = standing::examined(&console, &stored.provider).await?;
    let mut shown = partner_view(&stored);
    shown.insert("findings".to_owned(), json!(findings));
    Ok(answer(StatusCode::OK, &shown))
}

/// Lists accepted transactions as they are now.
pub(super) async fn postbacks<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    use TransactionState::{Approved, Pending, Rejected};
    let states = [Pending, Approved, Rejected].map(|state| (state.as_str(), state));
    let state = word(&visit, "state", &states)?;
    let (providers, page) = listed(&console, &visit).await?;
    let wanted = transactions::Wanted { state, before: instant(&visit, "before")?, page };
    let ports = (&console.trace.listings, &console.trace.inbound);
    let found = transactions::list(ports, &providers, &wanted, (console.now)()).await?;
    let views: Vec<TransactionView<'_>> = found.transactions.iter().map(TransactionView::from).collect();
    Ok(list("postbacks", &views, &found.more, &found.gaps))
}

/// Lists refused calls.
pub(super) async fn refusals<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    kept(&console, &visit, RefusalKind::Refusal, "refusals").await
}

/// Lists open conflicts.
pub(super) async fn conflicts<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    kept(&console, &visit, RefusalKind::Conflict, "conflicts").await
}

async fn kept<P: Ports>(console: &Console<P>, visit: &Visit, kind: RefusalKind, name: &str) -> Answer {
    let (providers, page) = listed(console, visit).await?;
    let ports = (&console.trace.listings, &console.trace.inbound);
    let found = refused::list(ports, kind, &providers, &page, (console.now)()).await?;
    let views: Vec<RefusalView<'_>> = found.items.iter().map(RefusalView::from).collect();
    Ok(list(name, &views, &found.more, &found.gaps))
}

/// Returns a content id of the two parts of a path.
pub(super) fn content_id((provider, digest): &(String, String)) -> String {
    format!("{provider}#{digest}")
}

/// Shows a refused call.
pub(super) async fn refusal<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(parts): Path<(String, String)>,
) -> Answer {
    let found = found(&console, &content_id(&parts), RefusalKind::Refusal).await?;
    Ok(answer(StatusCode::OK, &RefusalView::from(&found)))
}

/// Shows a conflict with what stands.
pub(super) async fn conflict<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    Path(parts): Path<(String, String)>,
) -> Answer {
    let found = found(&console, &content_id(&parts), RefusalKind::Conflict).await?;
    Ok(answer(StatusCode::OK, &RefusalView::from(&found)))
}

/// Lists webhooks that are owed.
pub(super) async fn deliveries<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    let named = word(&visit, "status", &webhooks::statuses())?.unwrap_or_default();
    let (providers, page) = listed(&console, &visit).await?;
    let found = webhooks::listed(&console, &providers, page, named).await?;
    let owed: Vec<_> = found.deliveries.into_iter().map(|stored| stored.delivery).collect();
    let waiting = waiting(&console, &owed).await;
    let views: Vec<DeliveryView<'_>> = owed.iter().map(|one| DeliveryView::of(one, waiting.what(one))).collect();
    Ok(list("deliveries", &views, &found.more, &found.gaps))
}

/// Finds what these deliveries wait for.
async fn waiting<P: Ports>(console: &Console<P>, deliveries: &[Delivery]) -> Waiting {
    let ports = (&console.trace.partners, &console.trace.endpoints);
    Waiting::of(ports, deliveries, (console.now)().into()).await
}

/// Shows a webhook with all its attempts.
pub(super) async fn delivery<P: Ports>(State(console): State<Arc<Console<P>>>, Path(id): Path<String>) -> Answer {
    let id = DeliveryId::new(id).map_err(|_| Trouble::NotFound)?;
    let delivery = webhooks::found(&console, &id).await?.delivery;
    let waiting = waiting(&console, std::slice::from_ref(&delivery)).await;
    let shown = DeliveryView::of(&delivery, waiting.what(&delivery));
    let events: Vec<EventView> = webhooks::history(&console, id).await?.iter().map(EventView::from).collect();
    Ok(answer(StatusCode::OK, &json!({"delivery": shown, "events": events})))
}

/// Shows everything that is stored about a transaction, a click, a user or a delivery.
pub(super) async fn trace<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    let query = query(&visit)?;
    let found = Box::pin(console.trace.run(query, (console.now)())).await?;
    let events: Vec<EventView> = found.events.iter().map(EventView::from).collect();
    let unread: Vec<Value> =
        found.unread_transactions.iter().map(|one| json!([one.provider, one.transaction_id])).collect();
    let shown = json!({
        "events": events, "gaps": found.gaps, "is_cut": found.cut > 0, "unread_transactions": unread,
        "unreadable": found.unreadable, "unread_partners": found.unread_partners.keys().collect::<Vec<_>>(),
    });
    Ok(answer(StatusCode::OK, &shown))
}

/// Reads the subject of a trace.
fn query(visit: &Visit) -> Result<Query, Trouble> {
    let field = |name: &str| Some(visit.query.get(name).to_owned()).filter(|text| !text.is_empty());
    let wrong = |name: &'static str| {
        move |_| Trouble::Malformed(format!("{name} has 1 to 255 bytes without control characters."))
    };
    let of_partner = |name: &'static str| {
        let text = field(name);
        let words = format!("Write {name} as the partner's name, / and the id: acme/T-1.");
        let pair = text.map(|text| {
            let (provider, rest) = text.split_once('/')?;
            Some((Provider::new(provider).ok()?, rest.to_owned()))
        });
        pair.map(|pair| pair.ok_or(Trouble::Malformed(words))).transpose()
    };
    let transaction = of_partner("transaction")?
        .map(|(provider, id)| TransactionId::new(id).map(|id| (provider, id)).map_err(wrong("transaction")));
    let partner_user = of_partner("partner_user")?
        .map(|(provider, id)| PartnerUserId::new(id).map(|id| (provider, id)).map_err(wrong("partner_user")));
    let query = Query {
        transaction: transaction.transpose()?,
        partner_user: partner_user.transpose()?,
        user: field("user").map(UserId::new).transpose().map_err(wrong("user"))?,
        click: field("click").map(ClickId::new).transpose().map_err(wrong("click"))?,
        delivery: field("delivery").map(DeliveryId::new).transpose().map_err(wrong("delivery"))?,
        most: limit(visit)?,
    };
    if (Query { most: query.most, ..Query::default() }) == query {
        let words = "Name a subject: transaction, partner_user, user, click or delivery.";
        return Err(Trouble::Malformed(words.to_owned()));
    }
    Ok(query)
}

/// Answers a question over long times. While the query is under way, the answer is 202 and says where to ask again.
pub(super) async fn report<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    let now = (console.now)();
    let asked = reports::asked(&visit, now)?;
    let at = reports::asked_at(&visit, now).unwrap_or(now);
    if let Some(report) = reports::answer(&console, &asked, at).await? {
        return Ok(answer(StatusCode::OK, &report));
    }
    let target = visit.query.with("at", &at.to_string());
    let url = format!("{}{}{}?{target}", console.site.api(), super::BASE, visit.page);
    let mut response = answer(StatusCode::ACCEPTED, &json!({"ask_again_at": url}));
    let again = HeaderValue::from_static(reports::AGAIN_SECONDS);
    response.headers_mut().insert(header::RETRY_AFTER, again);
    response.headers_mut().extend(HeaderValue::try_from(url).ok().map(|url| (header::LOCATION, url)));
    Ok(response)
}

/// Lists the changes that operators have made, 7 days unless the call says otherwise.
pub(super) async fn audit<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Answer {
    let now = (console.now)();
    let until = instant(&visit, "until")?.unwrap_or(now).min(now);
    let week = SignedDuration::from_hours(7 * 24);
    let since = instant(&visit, "since")?.unwrap_or_else(|| until.saturating_sub(week).unwrap_or(Timestamp::MIN));
    if since > until || until.duration_since(since) > MOST_AUDIT {
        return Err(Trouble::Malformed("since is before until, and at most 31 days before.".to_owned()));
    }
    let named = visit.query.get("provider");
    let provider = if named.is_empty() { None } else { Some(known(&console, named).await?) };
    let mut records = trail::list(&console.audits, (since, until), provider.as_ref()).await?;
    let next = trail::cut(&mut records, limit(&visit)?).map(|until| format!("{until:.3}"));
    Ok(answer(StatusCode::OK, &json!({ "records": records, "next": next })))
}
