//! The partners' portal: the ways in by a link and by one's own URL, the integration with a form that tries a call, the log, and the webhooks.

pub(crate) mod by_url;
pub(crate) mod code;
mod follow;
pub(crate) mod progress;
pub(crate) mod signature;

use std::{net::IpAddr, sync::Arc};

use app::{
    accept_postback::{HandledCall, Resubmission},
    operators::{
        deliveries::{self, Wanted},
        postbacks, refusals,
    },
    ports::{Partners as _, RefusalKind, StoredPartner},
    sign_in,
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    inbound::{credential::CredentialKind, refusal::KeptRequest, rules::TransactionIdRule},
    lookup::Place,
    partner::{Partner, Side},
    session::{Token, Visitor},
    values::{
        ids::{DeliveryId, Provider},
        parameter_names::Field,
    },
};
use maud::{Markup, html};

use self::follow::Following;
use super::{
    answer::answer,
    endpoints,
    listed::page,
    parts,
    postbacks::transactions,
    refusals::{command, refusal},
    timeline::{Reader, timeline},
    webhooks::{found, history, table},
};
use crate::{
    layout::{self, form_secret, gaps, time, value},
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::session_cookie,
    visit::Visit,
};

const LOG: &str = "/log";
const SENT: &str = "/sent";
const SENT_ONE: &str = "/sent-webhook";

/// Names the field by which an operator agrees that the session in this browser ends.
const LEAVE: &str = "leave";

/// Shows the page to which a link leads. Looking at it does not use the link up, because programs that scan mail look at
/// links too.
pub(crate) async fn enter<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Response<Body> {
    door(&console, &visit, visit.query.get("link"))
}

/// Draws the button that uses the link up. An operator is told first that the portal ends the own session.
fn door<P: Ports>(console: &Console<P>, visit: &Visit, link: &str) -> Response<Body> {
    let operator = match visit.visitor() {
        Some(Visitor::Operator { name, .. }) => Some(name),
        _ => None,
    };
    let body = html! {
        form.card.narrow.welcome method="post" action=(console.site.path("/portal")) {
            h1 { "Your portal at GG3" }
            p { "This link can be used once. You then see what you send us and what we send you, for 8 hours in this browser." }
            (form_secret(visit))
            input type="hidden" name="link" value=(link);
            @if let Some(name) = operator {
                p.warning role="note" { "You are signed in here as " (value(name)) ". The portal ends that session, and the link is then used up. To keep both, open the link in a private window." }
                input type="hidden" name=(LEAVE) value="1";
                button.strong { "Sign out and open the portal" }
            } @else { button.strong { "Open the portal" } }
        }
    };
    layout::page(&console.site, visit, "Portal", &body)
}

/// Uses a link up and opens a session. Asks first if the form does not say that an operator's session may end.
pub(crate) async fn follow<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let used = "This link was used before, or is older than 15 minutes. Ask GG3 for another.";
    let link = Token::parse(visit.form.get("link")).ok_or(Trouble::Forbidden(used))?;
    if matches!(visit.visitor(), Some(Visitor::Operator { .. })) && visit.form.get(LEAVE).is_empty() {
        return Ok(door(&console, &visit, visit.form.get("link")));
    }
    let token = Token::from_random((console.random)()?);
    let session = sign_in::use_link(&console.sessions, &link, &token, (console.now)()).await?;
    session.ok_or(Trouble::Forbidden(used))?;
    if let Some(old) = &visit.session {
        sign_in::end(&console.sessions, old).await?;
    }
    Ok(redirect(&console.site.path(""), &[session_cookie(&token)]))
}

/// Returns the partner whose session this is.
pub(super) fn own(visit: &Visit) -> Result<&Provider, Trouble> {
    match visit.visitor() {
        Some(Visitor::Partner { provider, .. }) => Ok(provider),
        _ => Err(Trouble::NotFound),
    }
}

/// Shows what the partner sends, under the agreed names, and the form that tries a call.
pub(super) async fn integration<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    answered: Option<&HandledCall>,
) -> Result<Response<Body>, Trouble> {
    let (stored, partner) = agreed(console, own(visit)?).await?;
    let url = base_url(console, &partner);
    let names = &partner.rules().names;
    let query = fields(&partner).filter(|(_, is_required)| *is_required);
    let query = query.map(|(field, _)| format!("{}={{{}}}", names.of(field), names.of(field))).collect::<Vec<_>>();
    let title = stored.file().ok().map(|file| file.name).filter(|name| !name.is_empty());
    let title = title.unwrap_or_else(|| partner.provider().to_string());
    let body = html! {
        h1 { (value(&title)) }
        section.card {
            h2 { "Your postback URL" }
            pre { code { (url) "?" (query.join("&")) @if partner.credential() == CredentialKind::Signature { "&signature={signature}" } } }
            p.hint { @if partner.credential() == CredentialKind::Token { "Put your own token in place of {token}. GG3 keeps only its hash and cannot show it." }
                @else { "You sign each call with the secret that GG3 gave you." } }
            (parameters(&partner))
        }
        @if let Some(since) = stored.pauses.since(Side::Postbacks) {
            p.warning role="note" { "GG3 has paused your calls since " (time(since)) ". Until it ends, a call of your server is answered 503; send it again later, and nothing is lost." }
        }
        @if let Some(since) = stored.pauses.since(Side::Webhooks) {
            p.warning role="note" { "GG3 has paused your webhooks since " (time(since)) ". They are sent when the pause ends." }
        }
        @if let Some(answered) = answered { section.card { h2 { "The answer" } (answer(answered)) } }
        (trial(console, visit, &partner))
    };
    Ok(layout::page(&console.site, visit, "Integration", &body))
}

/// Reads a partner, and its agreement.
pub(crate) async fn agreed<P: Ports>(
    console: &Console<P>,
    provider: &Provider,
) -> Result<(StoredPartner, Partner), Trouble> {
    let stored = console.configuration.partner(provider).await?.ok_or(Trouble::NotFound)?;
    // The reason may quote the file, and is for operators.
    let partner = stored.partner().map_err(|_| Trouble::Lost("the configuration cannot be read; tell GG3".into()))?;
    Ok((stored, partner))
}

fn base_url<P: Ports>(console: &Console<P>, partner: &Partner) -> String {
    let token = if partner.credential() == CredentialKind::Token { "/{token}" } else { "" };
    format!("{}/postback/{}{token}", console.site.api(), partner.provider())
}

/// Returns the parameters that the partner may send, and which of them are required.
fn fields(partner: &Partner) -> impl Iterator<Item = (Field, bool)> {
    let rules = partner.rules();
    let derived = rules.transaction_id == TransactionIdRule::Derived;
    let needs_event = derived || rules.event_ids.is_some();
    let further = [Field::Status, Field::Reference].into_iter().filter(|field| rules.names.has(*field));
    Field::ALL.into_iter().chain(further).map(move |field| {
        let is_required = match field {
            Field::TransactionId => !derived,
            Field::EventId => needs_event,
            Field::EventName | Field::Status | Field::Reference => false,
            Field::UserId | Field::ClickId | Field::Currency | Field::AmountDecimal => true,
        };
        (field, is_required)
    })
}

fn parameters(partner: &Partner) -> Markup {
    html! {
        div.wide tabindex="0" { table {
            thead { tr { th scope="col" { "your parameter" } th scope="col" { "what it is" } th scope="col" { "required" } } }
            tbody { @for (field, is_required) in fields(partner) {
                tr { th scope="row" { code { (partner.rules().names.of(field)) } } td { (meaning(field)) } td { @if is_required { "yes" } @else { span.none { "no" } } } }
            } }
        } }
    }
}

fn meaning(field: Field) -> &'static str {
    match field {
        Field::UserId => "the user, as it arrived on your landing page",
        Field::ClickId => "the click, as it arrived on your landing page",
        Field::TransactionId => "your own identifier of this conversion, used once for ever",
        Field::Currency => "a code of ISO 4217, such as USD",
        Field::AmountDecimal => "the amount, such as 100.00",
        Field::EventId => "the event of a campaign with several events",
        Field::EventName => "the event's name for people",
        Field::Status => "where the transaction stands",
        Field::Reference => "the transaction that a negative amount reverses",
    }
}

/// Draws the form that tries a call. Its fields have our names, so that no agreed name can take the place of another field.
fn trial<P: Ports>(console: &Console<P>, visit: &Visit, partner: &Partner) -> Markup {
    html! {
        form.card method="post" action=(console.site.path("/try")) {
            h2 { "Try a call" }
            p { "It is checked exactly like a call of your server, by your present agreement, and nothing is recorded." }
            (form_secret(visit))
            div.grid { @for (field, _) in fields(partner) {
                label { (partner.rules().names.of(field)) input name=(field.as_str()) value=(visit.form.get(field.as_str())) autocomplete="off"; }
            } }
            div.choices { button.strong { "Try it" } }
        }
    }
}

/// Tries a call of the partner, as a dry run of the use case that handles the partner's calls.
pub(crate) async fn try_out<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = own(&visit)?;
    let (stored, partner) = agreed(&console, provider).await?;
    let text = call(&partner, &visit);
    let request = KeptRequest { text, sent_bytes: None };
    let kept = Resubmission { provider, request: &request, source: agreed_address(&stored) };
    let (_, receipt_id) = parts((console.random)()?);
    let answered = Box::pin((console.accept)().resubmit(&kept, (console.now)(), receipt_id)).await;
    let answered = answered.filter(|answered| answered.dry_run);
    let unread = || Trouble::Malformed("These values cannot be sent as they are.".to_owned());
    integration(&console, &visit, Some(&answered.ok_or_else(unread)?)).await
}

/// Writes the fields of the form as a call under the agreed names. The call is a dry run, whatever the fields are.
fn call(partner: &Partner, visit: &Visit) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (field, _) in fields(partner) {
        let sent = visit.form.get(field.as_str());
        if !sent.is_empty() {
            text.append_pair(partner.rules().names.of(field), sent);
        }
    }
    text.append_pair("dry_run", "true").finish()
}

/// Returns an address from which the partner may call, because the browser's own address says nothing about the
/// partner's server.
fn agreed_address(stored: &StoredPartner) -> IpAddr {
    let nets = stored.file().ok().and_then(|file| file.postback.allow_from).unwrap_or_default();
    let first = nets.first().and_then(|net| net.split('/').next()?.parse().ok());
    first.unwrap_or(IpAddr::from([192, 0, 2, 1]))
}

/// Shows the partner's newest refused calls and accepted postbacks.
pub(crate) async fn log<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let own = [own(&visit)?.clone()];
    let (_, partner) = agreed(&console, &own[0]).await?;
    let now = (console.now)();
    let ports = (&console.trace.listings, &console.trace.inbound);
    let refused = refusals::list(ports, RefusalKind::Refusal, &own, &page(visit.query.get("refused"))?, now).await?;
    let wanted = postbacks::Wanted { page: page(visit.query.get("accepted"))?, ..postbacks::Wanted::default() };
    let accepted = postbacks::list(ports, &own, &wanted, now).await?;
    let older = |field: &str, more: &[(Provider, Place)]| {
        let place = more.first().map(|(_, place)| console.site.path_with(LOG, &[(field, &place.to_string())]));
        html! { @if let Some(href) = place { p { a href=(href) { "Older" } } } }
    };
    let following = Following::of(&visit, now);
    let count = |since| {
        let came = refused.items.iter().filter(|one| one.stored.last_received_at >= since).count();
        let recorded = accepted.transactions.iter().filter(|one| one.recorded_at >= since).count();
        // The page lists the newest only.
        let lists =
            [(came, refused.items.len(), &refused.more), (recorded, accepted.transactions.len(), &accepted.more)];
        lists.map(|(new, listed, more)| (new, new == listed && !more.is_empty()))
    };
    let body = html! {
        h1 { "Log" }
        p.lead { "Your calls as they arrived. New ones are listed after a few seconds." }
        (following.shown(&console.site, LOG, now, count))
        (gaps(&refused.gaps))
        h2 { "Refused calls" }
        @if refused.items.is_empty() { section.card.empty { p { "No refused calls." } } }
        @for one in &refused.items { section.card { (refusal(one)) (command(&console.site, &one.stored, partner.credential())) } }
        (older("refused", &refused.more))
        h2 { "Accepted postbacks" }
        (transactions(None, &accepted.transactions))
        (older("accepted", &accepted.more))
    };
    Ok(following.keep_up(layout::page(&console.site, &visit, "Log", &body)))
}

/// Lists the webhooks that the partner was sent or is owed.
pub(crate) async fn sent<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let own = [own(&visit)?.clone()];
    let wanted = Wanted { page: page(visit.query.get("after"))?, ..Wanted::default() };
    let (listings, records) = (&console.trace.listings, &console.trace.deliveries);
    let listed = deliveries::list(listings, records, &own, &wanted, (console.now)()).await?;
    let older = listed.more.first().map(|(_, place)| console.site.path_with(SENT, &[("after", &place.to_string())]));
    let hosts = endpoints::section(&console, &own[0]).await?;
    let body = html! {
        h1 { "Webhooks" }
        p.lead { "What we send you when your users reach the goals of your campaigns." }
        (gaps(&listed.gaps))
        @if !visit.reads_only() {
            p.links {
                a.button href=(console.site.path("/sent-test")) { "Send a test" } " "
                a.button href=(console.site.path("/sent-again")) { "Send failed ones again" }
            }
        }
        (hosts)
        (table(&console.site, SENT_ONE, &listed.deliveries, false))
        @if let Some(href) = older { p { a href=(href) { "Older" } } }
    };
    Ok(layout::page(&console.site, &visit, "Webhooks", &body))
}

/// Shows one of the partner's own webhooks with its request and its attempts.
pub(crate) async fn sent_one<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let id = DeliveryId::new(visit.query.get("id")).map_err(|_| Trouble::NotFound)?;
    let stored = found(&console, &id).await?;
    if stored.delivery.provider() != own(&visit)? {
        return Err(Trouble::NotFound);
    }
    let events = history(&console, id.clone()).await?;
    let body = html! { h1 { "Webhook " (value(id.as_str())) } (timeline(Reader::Partner, &events)) };
    Ok(layout::page(&console.site, &visit, "Webhook", &body))
}
