//! Draws the events of a trace, in order.

use app::{
    operators::{
        refusals::Refused,
        trace::{Attempted, Due, Event, EventKind, NoRequest, Opening, Owed, Recorded},
    },
    ports::RefusalKind,
};
use domain::{
    inbound::{
        click::Click,
        conversion::{Conversion, Reversed},
        correction::RevisionKind,
        postback::Postback,
    },
    outbound::{
        agreed_ids::PartnerIds,
        attempt::Verdict,
        webhook::{Method, WebhookRequest},
    },
};
use maud::{Markup, html};

use crate::{
    layout::{facts, time, value},
    site::Site,
};

/// Holds the words of one event.
struct Entry {
    /// Names the kind of event, as the style sheet and people call it.
    kind: &'static str,
    /// Tells good from bad news.
    mood: Mood,
    title: String,
    facts: Vec<(String, String)>,
    /// Holds a command that repeats a request.
    command: Option<String>,
    /// Holds a page where more can be done, with the words of its link.
    link: Option<(String, &'static str)>,
}

#[derive(Clone, Copy)]
enum Mood {
    Plain,
    Good,
    Bad,
    Waits,
}

impl Mood {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Waits => "waits",
        }
    }
}

impl Entry {
    fn new(kind: &'static str, mood: Mood, title: String) -> Self {
        Self { kind, mood, title, facts: Vec::new(), command: None, link: None }
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers give texts, numbers and references alike")]
    fn fact(mut self, name: &str, text: impl ToString) -> Self {
        self.facts.push((name.to_owned(), text.to_string()));
        self
    }

    fn maybe(self, name: &str, text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => self.fact(name, text),
            None => self,
        }
    }
}

/// Says who reads a timeline.
#[derive(Clone, Copy)]
pub(super) enum Reader<'a> {
    /// A partner, who sees no id that only GG3 knows, and no link to an operators' page.
    Partner,
    /// An operator. With a site, events lead to the pages where more can be done.
    Operator(Option<&'a Site>),
}

impl<'a> Reader<'a> {
    fn site(self) -> Option<&'a Site> {
        match self {
            Self::Partner => None,
            Self::Operator(site) => site,
        }
    }
}

/// Draws the events of a trace.
pub(super) fn timeline(reader: Reader<'_>, events: &[Event]) -> Markup {
    html! {
        ol.timeline {
            @for event in events {
                @let entry = entry(reader, &event.kind);
                li class=(entry.mood.class()) {
                    div.when { (time(event.at)) }
                    div.what {
                        h2 { span.kind { (entry.kind) } " " (value(&entry.title)) }
                        (facts(&entry.facts))
                        @if let Some(command) = &entry.command { pre { code { (domain::values::printable::printable(command)) } } }
                        @if let Some((href, words)) = &entry.link { p { a href=(href) { (words) } } }
                    }
                }
            }
        }
    }
}

fn entry(reader: Reader<'_>, kind: &EventKind) -> Entry {
    match kind {
        EventKind::Click(click) => clicked(click),
        EventKind::Recorded(recorded) => revision(recorded),
        EventKind::Conversion(conversion) => converted(conversion),
        EventKind::Refused(refused) => refusal(reader.site(), refused),
        EventKind::Opening(opening) => opened(opening),
        EventKind::InVain(in_vain) => {
            let title = format!("{} opened no partner's link, so nothing counts", in_vain.user);
            let mut entry = Entry::new("progress", Mood::Waits, title);
            for one in &in_vain.campaigns {
                entry = entry.fact(&format!("{}, {}", one.provider, one.campaign), &one.progress);
            }
            entry
        }
        EventKind::Delivery(owed) => delivery(reader, owed),
        EventKind::Attempt(made) => attempt(made),
        EventKind::Due(due) => upcoming(due),
    }
}

fn clicked(Click { provider, landing, user_id, click_id, .. }: &Click) -> Entry {
    let title = format!("User {user_id} went to {provider}'s landing page {landing}");
    Entry::new("click", Mood::Plain, title).fact("click_id", click_id)
}

fn revision(Recorded { revision, is_current }: &Recorded) -> Entry {
    let (postback, receipt) = (revision.postback(), revision.receipt());
    let Postback { provider, transaction_id, content, click, state, extra, .. } = postback;
    let (kind, verb) = match revision.kind() {
        RevisionKind::Original => ("postback", "Accepted from"),
        RevisionKind::Step => ("step", "Raised by"),
        RevisionKind::Correction => ("correction", "Accepted by an operator, of"),
    };
    let amount = format!("{} {}", content.amount_decimal, content.currency);
    let title = format!("{verb} {provider}, transaction {transaction_id}: {amount}");
    let reversed = revision.reversed().map(|reversed| match reversed {
        Reversed::Known { transaction_id, .. } => format!("transaction {transaction_id}"),
        Reversed::Unknown => "a transaction that is not recorded".to_owned(),
    });
    let in_force = is_current.map(|is| if is { "in force" } else { "replaced by a later record" });
    let entry = Entry::new(kind, Mood::Good, title)
        .maybe("record", in_force)
        .fact("user_id", &content.user_id)
        .fact("click_id", format!("{} ({click})", content.click_id))
        .maybe("event_id", content.event_id.as_ref())
        .maybe("event_name", content.event_name.as_ref())
        .maybe("state", state.as_ref())
        .maybe("takes its amount from", reversed)
        .fact("receipt", &receipt.receipt_id)
        .maybe("ignored", (!receipt.ignored.is_empty()).then(|| receipt.ignored.join(", ")));
    extra.iter().fold(entry, |entry, (name, text)| entry.fact(&format!("kept {name}"), text))
}

fn converted(Conversion { provider, transaction_id, receipt_id, state, .. }: &Conversion) -> Entry {
    let title = format!("For GG3, put on gg3-conversions: {provider}, transaction {transaction_id}");
    Entry::new("conversion", Mood::Plain, title).maybe("state", state.as_ref()).fact("receipt", receipt_id)
}

fn refusal(site: Option<&Site>, refused: &Refused) -> Entry {
    let item = &refused.stored;
    let transaction = item.transaction_id.as_ref().map_or_else(String::new, |id| format!(", transaction {id}"));
    let seen = (item.times > 1).then(|| format!("{} times", item.times));
    if item.kind == RefusalKind::Conflict {
        let mood = if item.is_open() { Mood::Bad } else { Mood::Plain };
        let title = format!("{}{transaction}: another content came", item.provider);
        let outcome = match (&item.accepted, item.original_kept_at) {
            (Some(receipt), _) => Some(format!("accepted, receipt {}", receipt.receipt_id)),
            (None, Some(at)) => Some(format!("the original was kept at {at:.0}")),
            (None, None) => None,
        };
        let mut entry = Entry::new("conflict", mood, title).maybe("came", seen).maybe("decision", outcome);
        for one in &item.differences {
            entry = entry.fact(&one.field.to_string(), format!("{} is recorded, {} came", one.original, one.sent));
        }
        let key = [("key", item.provider_content.as_str())];
        let words = if item.is_open() { "Compare and decide" } else { "Compare" };
        entry.link = site.map(|site| (site.path_with("/conflict", &key), words));
        return entry;
    }
    let title = format!("{}'s call was refused", item.provider);
    let recorded = item.accepted.as_ref().map(|receipt| format!("recorded after all, receipt {}", receipt.receipt_id));
    let mut entry = Entry::new("refusal", Mood::Bad, title).maybe("came", seen).maybe("outcome", recorded);
    for fault in &item.faults {
        let name = fault.parameter.as_deref().unwrap_or("request");
        entry = entry.fact(name, format!("{}. {}", fault.expected, fault.fix));
    }
    let key = [("key", item.provider_content.as_str())];
    entry.link = site.map(|site| (site.path_with("/refusal", &key), "Look closer"));
    entry.maybe("sent", item.request.as_ref())
}

fn opened(Opening { user, provider, attribution, campaigns }: &Opening) -> Entry {
    let title = format!("{user} opened {provider}'s link to GG3");
    let latest = format!("{:.0}, reported by event {}", attribution.latest.at.timestamp(), attribution.latest.event);
    let entry =
        Entry::new("opening", Mood::Plain, title).fact("ids", ids(&attribution.latest.ids)).fact("latest", latest);
    campaigns.iter().fold(entry, |entry, one| entry.fact(one.campaign.as_str(), &one.progress))
}

fn delivery(reader: Reader<'_>, Owed { stored, request, wait }: &Owed) -> Entry {
    let delivery = &stored.delivery;
    let title = format!("A webhook is owed to {} for its campaign {}", delivery.provider(), delivery.campaign());
    let waits = (!wait.is_none()).then_some(wait);
    let mut entry = Entry::new("delivery", Mood::Plain, title)
        .fact("status", delivery.status())
        .maybe("waits", waits)
        .maybe("user", matches!(reader, Reader::Operator(_)).then(|| delivery.participant()))
        .fact("ids", ids(delivery.ids()))
        .fact("goal reached", format!("{:.0}", delivery.occurred_at().timestamp()))
        .fact("webhook-id", delivery.id());
    match request {
        Ok(request) => entry.command = Some(curl(request, delivery.id().as_str())),
        Err(reason) => entry = entry.fact("request", no_request(reason)),
    }
    let id = [("id", delivery.id().as_str())];
    entry.link = reader.site().map(|site| (site.path_with("/webhook", &id), "Attempts, and sending it again"));
    entry
}

fn attempt(Attempted { provider, campaign, kept, .. }: &Attempted) -> Entry {
    let attempt = &kept.attempt;
    let mood = if attempt.outcome.verdict() == Verdict::Delivered { Mood::Good } else { Mood::Bad };
    let title = format!("Attempt {} of round {} to {provider}, {campaign}: {}", attempt.n, kept.round, attempt.outcome);
    Entry::new("attempt", mood, title)
        .fact("took", format!("{} ms", attempt.duration_ms))
        .maybe("answer", Some(&attempt.answer).filter(|answer| !answer.is_empty()))
        .maybe("recorded", kept.late.is_some().then_some("late, after another worker had taken over"))
}

fn upcoming(Due { delivery_id, provider, round, n, wait, .. }: &Due) -> Entry {
    let title = format!("Attempt {n} of round {round} to {provider} is due");
    let waits = (!wait.is_none()).then_some(wait);
    Entry::new("due", Mood::Waits, title).maybe("waits", waits).fact("webhook-id", delivery_id)
}

/// Returns the ids by which a partner knows a user.
fn ids(ids: &PartnerIds) -> String {
    let click = ids.click_id.as_ref().map(|id| format!("click_id {id}"));
    let user = ids.user_id.as_ref().map(|id| format!("user_id {id}"));
    click.into_iter().chain(user).collect::<Vec<_>>().join(", ")
}

/// Returns a webhook as a command for a shell. The command lacks the signature, which only GG3 can make.
pub(super) fn curl(request: &WebhookRequest, id: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let json = if request.method() == Method::Post { " -X POST -H 'content-type: application/json'" } else { "" };
    let body = request.body().map_or(String::new(), |body| format!(" -d {}", quoted(body)));
    format!("curl -i{json} -H 'webhook-id: {id}'{body} {}", quoted(request.url().as_str()))
}

fn no_request(reason: &NoRequest) -> String {
    match reason {
        NoRequest::NoPartner => "the partner is not configured any more".to_owned(),
        NoRequest::NoCampaign => "the campaign is not configured any more".to_owned(),
        NoRequest::Unread(_) => "the configuration cannot be read now".to_owned(),
        NoRequest::NotCallable(fault) => format!("the configured URL cannot be called: {fault}"),
        NoRequest::Unmade(fault) => fault.to_string(),
    }
}
