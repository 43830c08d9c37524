//! Sends a test webhook to a partner's own server, and explains the answer.
//!
//! The console may read no secret. A partner may give its own, which is used once and kept nowhere. Otherwise a test is
//! signed with a secret that is made for it alone, so it can pass for no real webhook.

use std::sync::Arc;

use adapters::webhook::Signer;
use app::operators::test_webhook::{CLICK_ID, Signing, TestFault, TestWebhook, TestedWebhook, USER_ID, Which};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    audit::Operation,
    outbound::{agreed_ids::TrackingId, campaign::CampaignState, test_webhook::PERMITS},
    partner::Partner,
    values::{
        ids::{CampaignName, Provider},
        signature::Secret,
    },
};
use maud::{Markup, html};

use super::{begin, begin_because, parts, portal::agreed, portal::own, reason, timeline::curl};
use crate::{
    layout::{self, form_secret, value, words},
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Names the operators' page.
const PAGE: &str = "/webhooks-test";
/// Names the partner's own page.
const OWN: &str = "/sent-test";

/// Shows operators the form for a partner.
pub(crate) async fn ask<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = Provider::new(visit.query.get("provider")).map_err(|_| Trouble::NotFound)?;
    let (_, partner) = agreed(&console, &provider).await?;
    Ok(shown(&console, &visit, PAGE, &partner, None))
}

/// Shows a partner the form for its own webhooks.
pub(crate) async fn own_ask<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let (_, partner) = agreed(&console, own(&visit)?).await?;
    Ok(shown(&console, &visit, OWN, &partner, None))
}

/// Sends what an operator chose.
pub(crate) async fn send<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = Provider::new(visit.form.get("provider")).map_err(|_| Trouble::NotFound)?;
    let (_, partner) = agreed(&console, &provider).await?;
    let tested = tested(&console, &visit, &partner).await?;
    Ok(shown(&console, &visit, PAGE, &partner, Some(&tested)))
}

/// Sends what a partner chose to its own server. The audit record names the partner.
pub(crate) async fn own_send<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = own(&visit)?;
    let (_, partner) = agreed(&console, provider).await?;
    let secret = visit.form.get("secret");
    let signing = if secret.is_empty() {
        Signing::throwaway((console.random)()?)
    } else {
        let secrets = vec![Secret::new(secret)];
        Signer::try_new(&secrets).map_err(|fault| Trouble::Malformed(format!("Nothing was sent: {fault}.")))?;
        Signing::Own(secrets)
    };
    let operation = begin_because(&console, &visit, &format!("partner {provider}"), "a test from the portal")?;
    let tested = sent(&console, &visit, &partner, signing, operation).await?;
    Ok(shown(&console, &visit, OWN, &partner, Some(&tested)))
}

/// Sends a partner's server the test that the fields `campaign`, `click_id` and `user_id` describe. It is signed with a
/// secret of its own.
pub(crate) async fn tested<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    partner: &Partner,
) -> Result<TestedWebhook, Trouble> {
    let (operation, _) = begin(console, visit)?;
    let signing = Signing::throwaway((console.random)()?);
    sent(console, visit, partner, signing, operation).await
}

async fn sent<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    partner: &Partner,
    signing: Signing,
    operation: Operation,
) -> Result<TestedWebhook, Trouble> {
    let now = (console.now)();
    let (random, _) = parts((console.random)()?);
    let which = Which::Campaign(visit.form.get("campaign"));
    let ids = (given(visit, TrackingId::ClickId), given(visit, TrackingId::UserId));
    let made = TestWebhook::make(partner, which, ids, signing, console.allowance, (random, now));
    let test = made.map_err(trouble)?;
    let sending = test.send_permitted(partner.provider(), &console.permits, &console.servers, (&operation, now));
    Box::pin(sending).await.map_err(trouble)
}

/// Returns the id that a form gives, or the usual one.
fn given(visit: &Visit, id: TrackingId) -> &str {
    let usual = match id {
        TrackingId::ClickId => CLICK_ID,
        TrackingId::UserId => USER_ID,
    };
    Some(visit.form.get(id.as_str())).filter(|given| !given.is_empty()).unwrap_or(usual)
}

fn trouble(fault: TestFault) -> Trouble {
    match fault {
        TestFault::Unavailable(fault) => Trouble::Unavailable(fault),
        TestFault::NoCampaign(..) => Trouble::Malformed("Choose a campaign: there is none of this name.".to_owned()),
        TestFault::Unmade(why) => Trouble::Malformed(format!("Nothing was sent: {why}.")),
        TestFault::TooOften => Trouble::TooOften(
            "Nothing was sent: a partner's server gets at most 3 tests a minute. Try again in a minute.",
        ),
    }
}

/// Returns the campaigns whose webhooks can be tested.
fn campaigns(partner: &Partner) -> impl Iterator<Item = &CampaignName> {
    let all = partner.media_buying().campaigns().iter();
    all.filter(|(_, campaign)| campaign.state() != CampaignState::Archived).map(|(name, _)| name)
}

fn shown<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    page: &str,
    partner: &Partner,
    tested: Option<&TestedWebhook>,
) -> Response<Body> {
    let is_own = page == OWN;
    let body = html! {
        h1 { @if is_own { "Send a test" } @else { "Send " (partner.provider()) " a test" } }
        p.lead {
            "A webhook of a campaign goes out now, as a real one would, and the answer is explained. Its webhook-id begins with "
            code { "test-" } ", no user has reached a goal, and it is not sent again."
        }
        @if let Some(tested) = tested { (answered(tested)) }
        @if campaigns(partner).next().is_none() {
            section.card.empty { p { "There is no campaign, so there is no webhook to send." } }
        } @else {
            form.card method="post" action=(console.site.path(page)) {
                (form_secret(visit))
                @if !is_own { input type="hidden" name="provider" value=(partner.provider()); }
                div.grid {
                    label { "Campaign" select name="campaign" { @for name in campaigns(partner) {
                        option value=(name) selected[name.as_str() == visit.form.get("campaign")] { (name) }
                    } } }
                    @for id in TrackingId::ALL.into_iter().filter(|id| partner.media_buying().ids().contain(*id)) {
                        label { (id.as_str()) input name=(id.as_str()) value=(given(visit, id)) autocomplete="off"; }
                    }
                }
                @if is_own {
                    label { "Your secret, if your server is to accept the signature. It is used for this test and kept nowhere"
                        input type="password" name="secret" placeholder="whsec_…" autocomplete="off"; }
                } @else { (reason()) }
                div.choices { button.strong { "Send the test" } }
                p.hint {
                    @if is_own { "Without your secret, the" } @else { "The" }
                    " test is signed with a secret that is made for it alone: a server that verifies signatures refuses it. "
                    @if !is_own { code { "postbackctl probe" } " signs with the partner's own secret, which the console may not read. " }
                    "At most " (PERMITS) " tests a minute are sent to a partner."
                }
            }
        }
    };
    layout::page(&console.site, visit, "Send a test", &body)
}

fn answered(tested: &TestedWebhook) -> Markup {
    let (answered, is_good) = (&tested.answered, tested.is_good());
    let outcome = answered.outcome.to_string();
    html! {
        section.card {
            h2 { "The answer" }
            p.answer.good[is_good].bad[!is_good] role="status" { strong { (words(&outcome)) } " in " (tested.took_ms()) " ms" }
            p { (tested.advice()) }
            @if !answered.answer.is_empty() { p { "It began: " (value(&answered.answer.to_string())) } }
            h2 { "The request" }
            pre tabindex="0" { code { (domain::values::printable::printable(&curl(&tested.request, tested.id.as_str()))) } }
            p.hint { "It was sent once, with the headers webhook-timestamp and webhook-signature beside those shown." }
        }
    }
}
