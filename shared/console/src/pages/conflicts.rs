//! Lists conflicts, shows both sides of one, and takes an operator's decision about it.

use std::{collections::BTreeMap, sync::Arc};

use app::{
    operators::refusals::{self, Refused},
    ports::{RefusalKind, Resolutions as _, Source as _, Unavailable},
    resolve_conflict::{self, Resolution},
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    inbound::{acceptance::Unacceptable, postback::Content, refusal::ContentKey},
    session::Role,
    values::{ids::TransactionId, parameter_names::Field},
};
use maud::{Markup, html};

use super::{
    begin,
    listed::{chosen, filter, next_partners, older},
    reason,
    refusals::found,
};
use crate::{
    layout::{self, form_secret, gaps, time, value},
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::Site,
    visit::Visit,
};

const LIST: &str = "/conflicts";
const ONE: &str = "/conflict";

/// Lists open conflicts by partner, the newest first.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let chosen = chosen(&console, &visit).await?;
    let ports = (&console.trace.listings, &console.trace.inbound);
    let listed = refusals::list(ports, RefusalKind::Conflict, &chosen.providers, &chosen.page, (console.now)()).await?;
    let words = if visit.may(Role::Operator) { "Compare and decide" } else { "Compare" };
    let body = html! {
        h1 { "Open conflicts" }
        p.lead { "A partner sent a transaction again with another content. What is recorded stays until an operator decides." }
        (filter(&console.site, &visit, LIST, &html! {}))
        (gaps(&listed.gaps))
        @if listed.items.is_empty() { section.card.empty { p { "No open conflicts. New ones are listed after a few seconds." } } }
        @for refused in &listed.items {
            section.card {
                (heading(&console.site, refused))
                (sides(refused))
                p { a.button href=(console.site.path_with(ONE, &[("key", &refused.stored.provider_content)])) { (words) } }
            }
        }
        (older(&console.site, LIST, &listed.more, &[]))
        (next_partners(&console.site, LIST, chosen.next.as_ref()))
    };
    Ok(layout::page(&console.site, &visit, "Conflicts", &body))
}

/// Shows one conflict with both of its sides, and the form for a decision.
pub(crate) async fn one<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let refused = found(&console, visit.query.get("key"), RefusalKind::Conflict).await?;
    let body = html! {
        h1 { "Conflict" }
        section.card { (heading(&console.site, &refused)) (sides(&refused)) (kept(&refused)) (outcome(&refused)) }
        @if refused.stored.accepted.is_none() {
            @if visit.may(Role::Operator) { (decision(&console.site, &visit, &refused)) }
            @else { p.warning role="note" { "Your role sees conflicts. An operator decides about them." } }
        }
    };
    Ok(layout::page(&console.site, &visit, "Conflict", &body))
}

/// Takes the decision of an operator, by the use case that `postbackctl conflicts resolve` calls.
pub(crate) async fn resolve<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let (_, key) = ContentKey::parse(visit.form.get("key")).ok_or(Trouble::NotFound)?;
    decided(&console, &visit, &key).await?;
    Ok(redirect(&console.site.path_with(ONE, &[("key", key.as_str())]), &[]))
}

/// Takes the decision in the field `decision`. Returns an error if it could not be stored.
pub(crate) async fn decided<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    key: &ContentKey,
) -> Result<Resolution, Trouble> {
    let now = (console.now)();
    let (operation, receipt_id) = begin(console, visit)?;
    let found = console.resolutions.find_conflict(key, now).await?.ok_or(Trouble::NotFound)?;
    let transaction: TransactionId = found.conflict.transaction_id;
    let of = (&transaction, key);
    let resolution = match visit.form.get("decision") {
        "accept" => {
            let keys = console.click_keys.load(&()).await?;
            let none = || Unavailable { service: "secrets", reason: "there are no keys of click ids".into() };
            let keys = keys.ok_or_else(none)?;
            resolve_conflict::accept(&console.resolutions, &keys, of, (&operation, now), receipt_id).await?
        }
        "keep" => resolve_conflict::keep_original(&console.resolutions, of, (&operation, now)).await?,
        _ => {
            let words = "Choose to accept what came, or to keep what is recorded: accept or keep.";
            return Err(Trouble::Malformed(words.to_owned()));
        }
    };
    told(&resolution).map_or(Ok(resolution), Err)
}

/// Returns why nothing was changed, or `None` if the decision is stored.
fn told(resolution: &Resolution) -> Option<Trouble> {
    let words = match resolution {
        Resolution::Accepted(_) | Resolution::OriginalKept => return None,
        Resolution::AcceptedBefore(receipt) => {
            format!("Somebody accepted this conflict before, with receipt {}, for ever.", receipt.receipt_id)
        }
        Resolution::Unknown => return Some(Trouble::NotFound),
        Resolution::OfAnother(other) => format!("This conflict belongs to transaction {other}."),
        Resolution::Unacceptable(Unacceptable::NoOriginal) => "There is no transaction to correct.".to_owned(),
        Resolution::Unacceptable(Unacceptable::Erased) => {
            "The person of this transaction was erased. Keep the original.".to_owned()
        }
        Resolution::Unacceptable(Unacceptable::DoesNotFit(other, differences)) => {
            let each =
                differences.iter().map(|one| format!("{}: {} is recorded, {} came", one.field, one.original, one.sent));
            let each = each.collect::<Vec<_>>().join("; ");
            format!(
                "Transaction {other} would not bear it: {each}. Keep the original, or accept what corrects the other amount first."
            )
        }
    };
    Some(Trouble::Conflict(words))
}

fn heading(site: &Site, refused: &Refused) -> Markup {
    let item = &refused.stored;
    let transaction = item.transaction_id.as_ref().map_or("", |id| id.as_str());
    let search = format!("{}/{transaction}", item.provider);
    html! {
        h2 { (item.provider) ", transaction " a href=(site.path_with("/search", &[("q", &search)])) { (value(transaction)) } }
        p.when { "came " (time(item.first_received_at)) @if item.times > 1 { ", " (item.times) " times, last " (time(item.last_received_at)) } }
    }
}

/// Draws what is recorded beside what came, parameter by parameter.
fn sides(refused: &Refused) -> Markup {
    let item = &refused.stored;
    let recorded: BTreeMap<Field, &str> = match &refused.current {
        Some(current) => current.differences.iter().map(|one| (one.field, one.current.as_str())).collect(),
        None => item.differences.iter().map(|one| (one.field, one.original.as_str())).collect(),
    };
    let mut rows = item.content.as_ref().map(fields).unwrap_or_default();
    rows.extend(item.state.map(|state| (Field::Status, state.to_string())));
    // Sums of several transactions differ in no parameter of this one.
    let others = item.differences.iter().filter(|one| !rows.iter().any(|(field, _)| *field == one.field));
    let others: Vec<_> = others.map(|one| (one.field, one.sent.clone())).collect();
    rows.extend(others);
    let is_recorded = refused.current.as_ref().map_or("recorded", |_| "recorded now");
    html! {
        div.wide tabindex="0" { table.sides {
            thead { tr { th scope="col" { "parameter" } th scope="col" { (is_recorded) } th scope="col" { "came" } } }
            tbody {
                @for (field, sent) in &rows {
                    @let other = recorded.get(field);
                    tr.differs[other.is_some()] {
                        th scope="row" { (field) }
                        td { (value(other.unwrap_or(&sent.as_str()))) }
                        td { (value(sent)) }
                    }
                }
            }
        } }
    }
}

fn fields(content: &Content) -> Vec<(Field, String)> {
    let Content { user_id, click_id, currency, amount_decimal, event_id, event_name } = content;
    vec![
        (Field::AmountDecimal, amount_decimal.to_string()),
        (Field::Currency, currency.to_string()),
        (Field::UserId, user_id.to_string()),
        (Field::ClickId, click_id.to_string()),
        (Field::EventId, event_id.as_ref().map_or_else(String::new, ToString::to_string)),
        (Field::EventName, event_name.as_ref().map_or_else(String::new, ToString::to_string)),
    ]
}

/// Draws the kept parameters, which are no part of the content.
fn kept(refused: &Refused) -> Markup {
    let extra = refused.stored.extra.iter();
    layout::facts(&extra.map(|(name, text)| (format!("kept {name}"), text.clone())).collect::<Vec<_>>())
}

fn outcome(refused: &Refused) -> Markup {
    let item = &refused.stored;
    html! {
        @if let Some(receipt) = &item.accepted {
            p.done role="status" { "Accepted" @if let Some(at) = item.accepted_at { " at " (time(at)) } ": receipt " code { (receipt.receipt_id) } ". GG3 receives it." }
        } @else if let Some(at) = item.original_kept_at {
            p.done role="status" { "What is recorded was kept at " (time(at)) ". The conflict is deleted later, unless the same content comes again." }
        }
    }
}

fn decision(site: &Site, visit: &Visit, refused: &Refused) -> Markup {
    let item = &refused.stored;
    html! {
        form.card method="post" action=(site.path(ONE)) {
            h2 { "Decide" }
            (form_secret(visit))
            input type="hidden" name="key" value=(item.provider_content);
            (reason())
            div.choices {
                @if item.original_kept_at.is_none() { button name="decision" value="keep" { "Keep what is recorded" } }
                button.strong name="decision" value="accept" { "Accept what came, for ever" }
            }
            p.hint { "Accepting records what came as a correction. GG3 receives it, and a resend of it counts as a duplicate." }
        }
    }
}
