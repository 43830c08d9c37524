//! Lists refused calls with their faults, and handles one of them again.

use std::sync::Arc;

use app::{
    accept_postback::{HandledCall, PostbackAnswer, Resubmission},
    operators::{
        refusals::{self, Refused, ToAgree},
        resubmit_refusal::resubmit,
    },
    ports::{Partners as _, RefusalKind, StoredRefusal},
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    inbound::{credential::CredentialKind, refusal::ContentKey},
    session::Role,
    values::printable::printable,
};
use maud::{Markup, html};

use super::{
    answer::{answer, faults},
    begin,
    listed::{chosen, filter, next_partners, older},
    reason,
};
use crate::{
    layout::{self, form_secret, gaps, time, value},
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::Site,
    visit::Visit,
};

const LIST: &str = "/refusals";
const ONE: &str = "/refusal";

/// Lists refused calls by partner, the newest first.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let chosen = chosen(&console, &visit).await?;
    let ports = (&console.trace.listings, &console.trace.inbound);
    let listed = refusals::list(ports, RefusalKind::Refusal, &chosen.providers, &chosen.page, (console.now)()).await?;
    let body = html! {
        h1 { "Refused calls" }
        p.lead { "Calls with a good credential that were not accepted." }
        (filter(&console.site, &visit, LIST, &html! {}))
        (gaps(&listed.gaps))
        @if listed.items.is_empty() { section.card.empty { p { "No refused calls. New ones are listed after a few seconds." } } }
        @for refused in &listed.items {
            section.card {
                (refusal(refused))
                p { a.button href=(console.site.path_with(ONE, &[("key", &refused.stored.provider_content)])) { "Look closer" } }
            }
        }
        (older(&console.site, LIST, &listed.more, &[]))
        (next_partners(&console.site, LIST, chosen.next.as_ref()))
    };
    Ok(layout::page(&console.site, &visit, "Refusals", &body))
}

/// Draws a refused call with its faults.
pub(super) fn refusal(refused: &Refused) -> Markup {
    let item = &refused.stored;
    html! {
        h2 { (item.provider) ", " (time(item.last_received_at)) }
        p.when {
            @if item.times > 1 { "came " (item.times) " times since " (time(item.first_received_at)) }
            @if let Some(source) = item.source { " from " (value(&source.to_string())) }
        }
        (faults(&item.faults))
        @for ToAgree { parameter, word } in &refused.to_agree {
            p.hint { "To accept it, agree on " code { "postback.status" } " with the parameter " (value(parameter)) ", and list " (value(word)) "." }
        }
        @if let Some(receipt) = &item.accepted {
            p.done role="status" { "Recorded after all: receipt " code { (receipt.receipt_id) } }
        }
    }
}

/// Shows one refused call as a command, and the form that handles it again.
pub(crate) async fn one<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let refused = found(&console, visit.query.get("key"), RefusalKind::Refusal).await?;
    shown(&console, &visit, &refused, None).await
}

/// Handles a refused call again by the present configuration, as `postbackctl refusals resubmit` does.
pub(crate) async fn send_again<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let refused = found(&console, visit.form.get("key"), RefusalKind::Refusal).await?;
    let answered = handled_again(&console, &visit, &refused).await?;
    match &answered.answer {
        PostbackAnswer::Accepted(_) | PostbackAnswer::Duplicate(_) if !answered.dry_run => {
            Ok(redirect(&console.site.path_with(ONE, &[("key", &refused.stored.provider_content)]), &[]))
        }
        _ => shown(&console, &visit, &refused, Some(&answered)).await,
    }
}

/// Handles a kept call as if the partner had sent it now.
pub(crate) async fn handled_again<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    refused: &Refused,
) -> Result<HandledCall, Trouble> {
    let item = &refused.stored;
    let now = (console.now)();
    let (operation, receipt_id) = begin(console, visit)?;
    let unkept = || Trouble::Conflict("This call is not kept whole. The partner must send it again.".to_owned());
    let (Some(request), Some(source)) = (item.kept_request(), item.source) else { return Err(unkept()) };
    let kept = Resubmission { provider: &item.provider, request: &request, source };
    let sent = (&operation, now);
    let answered = Box::pin(resubmit((console.accept)(), &console.resubmissions, &kept, sent, receipt_id)).await;
    let answered = answered.ok_or_else(unkept)?;
    match answered.answer {
        PostbackAnswer::Unavailable(fault) => Err(Trouble::Unavailable(fault)),
        _ => Ok(answered),
    }
}

/// Reads the refusal or the conflict of this key.
pub(crate) async fn found<P: Ports>(console: &Console<P>, key: &str, kind: RefusalKind) -> Result<Refused, Trouble> {
    let (_, key) = ContentKey::parse(key).ok_or(Trouble::NotFound)?;
    let found = refusals::find(&console.trace.inbound, &key, (console.now)()).await?;
    found.filter(|found| found.stored.kind == kind).ok_or(Trouble::NotFound)
}

async fn shown<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    refused: &Refused,
    answered: Option<&HandledCall>,
) -> Result<Response<Body>, Trouble> {
    let item = &refused.stored;
    let stored = console.configuration.partner(&item.provider).await?;
    let partner = stored.and_then(|stored| stored.partner().ok());
    let credential = partner.map_or(CredentialKind::Token, |partner| partner.credential());
    let is_whole = item.kept_request().is_some_and(|request| request.is_whole()) && item.source.is_some();
    let body = html! {
        h1 { "Refused call" }
        @if let Some(answered) = answered { section.card { h2 { "The answer now" } (answer(answered)) } }
        section.card { (refusal(refused)) (command(&console.site, item, credential)) }
        @if item.accepted.is_some() || !visit.may(Role::Operator) {
        } @else if is_whole {
            form.card method="post" action=(console.site.path(ONE)) {
                h2 { "Handle it again" }
                p { "The call is handled as if the partner had sent it now, by the partner's present configuration." }
                (form_secret(visit))
                input type="hidden" name="key" value=(item.provider_content);
                (reason())
                div.choices { button.strong { "Handle it again" } }
            }
        } @else {
            p.warning role="note" { "This call is not kept whole. The partner must send it again." }
        }
    };
    Ok(layout::page(&console.site, visit, "Refusal", &body))
}

/// Draws a refused call as a command for a shell. Its credential is left out.
pub(super) fn command(site: &Site, item: &StoredRefusal, credential: CredentialKind) -> Markup {
    let request = item.request.as_deref().unwrap_or_default().replace('\'', "%27");
    let url = format!("{}/postback/{}", site.api(), item.provider);
    html! {
        @if !request.is_empty() {
            @match credential {
                CredentialKind::Token => {
                    p.hint { "The call, with the token in place of " code { "$TOKEN" } ":" }
                    pre { code { (printable(&format!("curl -i '{url}/'\"$TOKEN\"'?{request}'"))) } }
                },
                CredentialKind::Signature => {
                    p.hint { "The call, with a new signature of it in place of " code { "$SIGNATURE" } ":" }
                    pre { code { (printable(&format!("curl -i '{url}?{request}&signature='\"$SIGNATURE\""))) } }
                },
            }
        }
        @if let Some(bytes) = item.request_bytes { p.hint { "Only the beginning of " (bytes) " bytes is kept." } }
    }
}
