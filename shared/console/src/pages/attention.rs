//! Shows what the whole stack sets aside or warns of: dead letters and alarms.
//!
//! Letters are only counted here. Looking at one hides it from a redrive for a moment and shows ids of persons, so it
//! is left to `postbackctl`.

use std::sync::Arc;

use app::{
    operators::dead_letters::depths,
    ports::{Alarm, Alarms as _, DeadLetterQueue, Unavailable},
};
use axum::{body::Body, extract::State, response::Response};
use futures_util::future::join;
use maud::{Markup, html};

use crate::{
    layout::{self, time, value, words},
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

const PAGE: &str = "/dead-letters";

/// Holds the dead letters of each queue and the alarms that ring. A service that does not answer spoils only its part.
pub(super) struct Attention {
    letters: Result<Vec<(DeadLetterQueue, usize)>, Unavailable>,
    alarms: Result<Vec<Alarm>, Unavailable>,
}

impl Attention {
    /// Asks both services at the same time.
    pub(super) async fn read<P: Ports>(console: &Console<P>) -> Self {
        let (letters, alarms) = join(depths(&console.dead_letters), console.alarms.ringing()).await;
        for fault in letters.as_ref().err().into_iter().chain(alarms.as_ref().err()) {
            Trouble::Unavailable(fault.clone()).log();
        }
        Self { letters, alarms }
    }

    /// Returns the number of dead letters that somebody has to deal with, if it is known.
    pub(super) fn letters(&self) -> Option<usize> {
        let letters = self.letters.as_ref().ok()?;
        Some(letters.iter().filter(|(queue, _)| queue.needs_a_hand()).map(|(_, count)| count).sum())
    }

    /// Returns the number of alarms that ring, if it is known.
    pub(super) fn alarms(&self) -> Option<usize> {
        self.alarms.as_ref().ok().map(Vec::len)
    }

    /// Draws the alarms, and the queues that hold letters.
    pub(super) fn section(&self, site: &Site) -> Markup {
        html! {
            section.card #attention {
                h2 { "Alarms and dead letters" }
                @match &self.alarms {
                    Err(_) => p.warning role="note" { "CloudWatch does not answer, so alarms are missing here." },
                    Ok(alarms) if alarms.is_empty() => p.hint { "No alarm rings." },
                    Ok(alarms) => ul.findings { @for alarm in alarms { (ringing(alarm)) } },
                }
                @match &self.letters {
                    Err(_) => p.warning role="note" { "SQS does not answer, so dead letters are missing here." },
                    Ok(letters) => ul.findings { @for (queue, count) in letters.iter().filter(|(_, count)| *count > 0) { li {
                        span.status.bad[queue.needs_a_hand()] { (count) }
                        div { a href=(address(site, *queue)) { (queue.name()) } span.cure { (about(*queue).0) "." } }
                    } } },
                }
                p.links { a.button href=(site.path(PAGE)) { "All queues of dead letters" } }
            }
        }
    }
}

fn ringing(Alarm { name, says, since, address }: &Alarm) -> Markup {
    html! { li {
        span.status.bad { "alarm" }
        div {
            @if let Some(address) = address { a href=(address) rel="noreferrer" { (value(name)) } } @else { (value(name)) }
            @if let Some(since) = since { ", since " (time(*since)) }
            span.cure { (words(says)) }
        }
    } }
}

fn address(site: &Site, queue: DeadLetterQueue) -> String {
    format!("{}#{}", site.path(PAGE), queue.name())
}

/// Returns what usually brings a letter into this queue, and what mends it.
fn about(queue: DeadLetterQueue) -> (&'static str, &'static str) {
    match queue {
        DeadLetterQueue::Conversion => {
            ("The deployed version cannot read an accepted postback", "Deploy a version that can")
        }
        DeadLetterQueue::Gg3Conversions => {
            ("GG3's consumer received a conversion 20 times and never deleted it", "GG3 corrects its consumer")
        }
        DeadLetterQueue::Gg3Events => ("GG3 sent a malformed event", "GG3 corrects its events"),
        DeadLetterQueue::BrokenLinks => (
            "An event came by a link whose tracking names nobody; the rest of the event counted",
            "Nothing has to be done",
        ),
        DeadLetterQueue::UnknownTypes => {
            ("GG3 sent an event of a type that this version does not know", "Deploy a version that knows the type")
        }
        DeadLetterQueue::Webhooks | DeadLetterQueue::WebhookRetries => (
            "A partner or campaign is not configured, or its webhook URL may not be called",
            "Correct the partner's file",
        ),
        DeadLetterQueue::Lookup => ("The deployed version cannot read a changed item", "Deploy a version that can"),
    }
}

/// Lists the queues of dead letters, with what mends each.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let letters = depths(&console.dead_letters).await?;
    let body = html! {
        h1 { "Dead letters" }
        p.lead { "Messages that could not be processed. SQS deletes them 14 days after they were first sent. First correct the cause, and then put them back." }
        @for (queue, count) in &letters {
            section.card id=(queue.name()) {
                h2 { (queue.name()) " " span.status.good[*count == 0].bad[*count > 0 && queue.needs_a_hand()] { (count) } }
                @let (usually, mend) = about(*queue);
                p { "Usually: " (usually) ". " (mend) "." }
                pre { code { "postbackctl dead-letters " (queue.name()) "\npostbackctl redrive " (queue.name()) " --max 1" } }
            }
        }
        p.hint { "Counts are approximate, as SQS gives them. " code { "postbackctl" } " shows each message with its reason; the runbook has more under Dead letters." }
    };
    Ok(layout::page(&console.site, &visit, "Dead letters", &body))
}
