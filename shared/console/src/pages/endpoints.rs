//! Shows how the hosts do to which a partner's webhooks go.

use app::ports::{EndpointKey, Endpoints as _, Source as _, StoredEndpoint};
use domain::{
    outbound::endpoint::{EndpointPolicy, Health},
    values::{ids::Provider, time::UnixMillis},
};
use maud::{Markup, html};

use crate::{
    layout::{time, value},
    ports::{Console, Ports},
    reply::Trouble,
};

/// Draws the hosts of a partner that were ever looked at, or nothing if there are none.
pub(super) async fn section<P: Ports>(console: &Console<P>, provider: &Provider) -> Result<Markup, Trouble> {
    let hosts = console.trace.endpoints.of_partner(provider).await?;
    let partner = console.partners.load(provider).await?;
    let policy = partner.map(|partner| partner.media_buying().endpoints()).unwrap_or_default();
    let now = UnixMillis::from((console.now)());
    Ok(html! {
        @if !hosts.is_empty() {
            section.card {
                h2 { "Hosts" }
                ul.findings { @for host in &hosts { (host_of(host, policy, now)) } }
            }
        }
    })
}

fn host_of((key, stored): &(EndpointKey, StoredEndpoint), policy: EndpointPolicy, now: UnixMillis) -> Markup {
    let waits = stored.makes_wait(policy, now);
    let (mood, state) = match stored.endpoint.health() {
        Health::Up => ("good", "up"),
        Health::Suspected { .. } => ("waits", "suspected"),
        Health::Down { .. } => ("bad", "down"),
    };
    html! { li {
        span class=(format!("status {mood}")) { (state) }
        div {
            (value(&key.host))
            @match stored.endpoint.health() {
                Health::Down { since, fault, .. } => {
                    " is down since " (time(since.timestamp())) ". A webhook that failed: " (value(fault)) "."
                },
                Health::Suspected { since, .. } => { " has taken no webhook since one failed at " (time(since.timestamp())) "." },
                Health::Up => @match stored.endpoint.recovered_at() {
                    Some(at) => { " is up again since " (time(at.timestamp())) "." },
                    None => { " takes webhooks." },
                },
            }
            @if waits {
                span.cure { "Webhooks wait for it and spend no attempt, except those that are tried or whose turn has come." }
            } @else if stored.endpoint.down_since().is_some() {
                span.cure { "Each webhook is sent up to six times. The first one that is taken ends this." }
            }
        }
    } }
}
