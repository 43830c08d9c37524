//! Shows a partner's file, checks a changed one, and publishes it, as `postbackctl apply` does. A change that needs a new
//! signing secret is left to `postbackctl`, because the console may store none.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use app::{
    operators::{
        apply_partners::{Applied, AppliedPartner, ApplyFault, LookFault, apply, look},
        plan_partners::{Change, CredentialBytes, NewCredential, PlanFault, PlanTime, Planned, plan_all},
        publish_campaigns::PublishFault,
    },
    ports::{Partners as _, StoredPartner},
};
use axum::{body::Body, extract::State, response::Response};
use domain::{session::Role, values::ids::Provider};
use maud::{Markup, html};
use partner_files::{Schema, ValidFile, parse};

use super::{
    super::{begin, reason},
    heading,
};
use crate::{
    layout::{self, form_secret, words},
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

const PAGE: &str = "/partner-file";

/// Compares files with the published schema. It is made when the first file is checked.
static SCHEMA: LazyLock<Result<Schema, String>> =
    LazyLock::new(|| Schema::published().map_err(|fault| fault.to_string()));

/// Holds a valid file, compared with what is stored.
pub(crate) struct Compared {
    pub(crate) planned: Planned,
    /// Says what an operator should know about the file.
    pub(crate) notes: Vec<String>,
}

impl Compared {
    /// Returns the stored version that the file would replace, or 0 for a new partner.
    pub(crate) fn replaces(&self) -> u64 {
        self.planned.item.version.saturating_sub(1)
    }

    /// Returns the name of the change.
    pub(crate) fn change(&self) -> &'static str {
        match self.planned.change {
            Change::Created => "created",
            Change::Changed => "changed",
            Change::Unchanged => "unchanged",
        }
    }
}

/// Returns the stored file as YAML, with the version that is stored.
pub(crate) fn yaml(stored: &StoredPartner) -> Result<String, Trouble> {
    let unreadable =
        |fault: String| Trouble::Conflict(format!("The stored file of {} cannot be read: {fault}.", stored.provider));
    let file = stored.file().map_err(unreadable)?;
    partner_files::yaml(&file).map_err(unreadable)
}

/// Checks a file and compares it with what is stored. Returns the faults of a file that cannot be published, each with
/// its line.
pub(crate) async fn compared<P: Ports>(
    console: &Console<P>,
    provider: &Provider,
    text: &str,
) -> Result<Result<Compared, Vec<String>>, Trouble> {
    let schema = SCHEMA.as_ref().map_err(|fault| Trouble::Later(format!("Files cannot be checked: {fault}.")))?;
    let file = match parse(Path::new(&format!("{provider}.yaml")), text, schema, console.allowance) {
        Ok(file) => file,
        Err(faults) => return Ok(Err(faults)),
    };
    let stored = look((&console.configuration, &console.publishing), &[file.proposed()]).await;
    let stored = stored.map_err(|fault| match fault {
        LookFault::Unavailable(fault) => Trouble::Unavailable(fault),
        LookFault::NoCatalogue => {
            Trouble::Conflict("This deployment has no table for campaigns. Deploy it again.".to_owned())
        }
    })?;
    let time = PlanTime { now: (console.now)(), lead: console.campaign_lead };
    let bytes = bytes([(console.random)()?, (console.random)()?, (console.random)()?]);
    let proposed = stored.iter().map(|stored| (file.proposed(), stored, bytes));
    let planned = match plan_all(proposed, time) {
        Ok(plans) => plans.into_iter().next().ok_or(Trouble::NotFound)?,
        Err(PlanFault::Forbidden(forbidden)) => {
            return Ok(Err(forbidden.iter().flat_map(|(_, faults)| file.located(faults)).collect()));
        }
        Err(fault @ PlanFault::Unreadable { .. }) => {
            return Err(Trouble::Conflict(format!("Nothing was changed: {fault}.")));
        }
    };
    Ok(Ok(Compared { planned, notes: ValidFile::notes(&file) }))
}

fn bytes([token, secret, webhook_secret]: [[u8; 32]; 3]) -> CredentialBytes {
    let short = |long: [u8; 32]| {
        let mut short = [0; 20];
        short.iter_mut().zip(long).for_each(|(to, from)| *to = from);
        short
    };
    CredentialBytes { token: short(token), secret: short(secret), webhook_secret }
}

/// Says what was published.
pub(crate) struct Done {
    /// Holds the new token, which is shown once.
    pub(crate) token: Option<String>,
    /// Says what an operator has to do about it, if anything.
    pub(crate) warnings: Vec<String>,
}

/// Publishes a file that replaces this stored version, with the reason in the field `why`.
pub(crate) async fn published<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    compared: Compared,
    version: &str,
) -> Result<Done, Trouble> {
    let provider = compared.planned.item.provider.clone();
    let raced =
        || Trouble::Conflict(format!("{provider} was changed by somebody else in the meantime. Check the file again."));
    if version.parse() != Ok(compared.replaces()) {
        return Err(raced());
    }
    if !compared.planned.secrets.is_empty() {
        let words = format!(
            "{provider} would need a new signing secret, and the console may store none. Apply the file with postbackctl apply."
        );
        return Err(Trouble::Conflict(words));
    }
    let (operation, _) = begin(console, visit)?;
    let ports = (&console.configuration, &console.publishing);
    let plans = vec![compared.planned];
    let Applied { partners, publication, fault } =
        Box::pin(apply(ports, &console.clock, plans, console.campaign_lead, &operation)).await;
    let mut warnings = Vec::new();
    for held in publication.held.iter().filter(|held| held.provider == provider) {
        let faults = held.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        warnings.push(format!("Campaign {} is not published: {faults}.", held.campaign));
    }
    match fault {
        None => {}
        Some(ApplyFault::Changed(_)) => return Err(raced()),
        Some(ApplyFault::Unclear(..)) => warnings.push(
            "A service did not answer, so it is unknown if the file is stored. Check the same file again: if nothing would change, it is.".to_owned(),
        ),
        Some(ApplyFault::Unpublished(PublishFault::Unavailable(_) | PublishFault::Races)) => {
            warnings.push("The file is stored, but its campaigns are not published yet. Publish the same file again.".to_owned());
        }
    }
    let made = partners.into_iter().next().and_then(|AppliedPartner { credential, .. }| credential);
    let token = made.and_then(|made| match made {
        NewCredential::Token(token) => Some(token.reveal().to_owned()),
        NewCredential::Signature(_) => None,
    });
    Ok(Done { token, warnings })
}

/// Shows a partner's file, or an empty one for a new partner.
pub(crate) async fn show<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let name = visit.query.get("name");
    if name.is_empty() {
        let text = "provider: NAME\npostback:\n  currencies: [USD]\n";
        return Ok(editor(&console.site, &visit, None, text, &html! {}));
    }
    let stored = super::named(&console, name).await?;
    Ok(editor(&console.site, &visit, Some(&stored.provider), &yaml(&stored)?, &html! {}))
}

/// Checks a file or publishes it.
pub(crate) async fn change<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let (name, text) = (visit.form.get("name"), visit.form.get("file"));
    let provider = Provider::new(name).map_err(|fault| Trouble::Malformed(format!("The partner's name {fault}.")))?;
    let compared = match compared(&console, &provider, text).await? {
        Ok(compared) => compared,
        Err(faults) => {
            let is_known = console.configuration.partner(&provider).await?.is_some();
            let known = Some(&provider).filter(|_| is_known);
            return Ok(editor(&console.site, &visit, known, text, &faulty(&faults)));
        }
    };
    let known = Some(&provider).filter(|_| compared.replaces() > 0);
    match visit.form.get("do") {
        "check" => {
            let site = &console.site;
            let is_change = compared.planned.change != Change::Unchanged;
            let found = html! {
                (plan(&compared))
                @if is_change { (publishing(site, &visit, &provider, text, &compared)) }
            };
            Ok(editor(site, &visit, known, text, &found))
        }
        "publish" => {
            let done = published(&console, &visit, compared, visit.form.get("version")).await?;
            let body = html! { (heading(&console.site, &provider)) (told(&done)) };
            Ok(layout::page(&console.site, &visit, provider.as_str(), &body))
        }
        _ => Err(Trouble::Malformed("Choose to check or to publish.".to_owned())),
    }
}

fn told(Done { token, warnings }: &Done) -> Markup {
    html! {
        section.card {
            h2 { "Its file" }
            @for warning in warnings { p.warning role="note" { (words(warning)) } }
            @if warnings.is_empty() { p.done role="status" { "Published. Calls and webhooks follow it within a minute." } }
            @if let Some(token) = token {
                pre { code { (token) } }
                p.hint { "This token is shown only here; hand it to the partner now." }
            }
        }
    }
}

fn faulty(faults: &[String]) -> Markup {
    html! { section.card {
        div role="status" { h2 { "The file has faults" } }
        ul.faults { @for fault in faults { li { (words(fault)) } } }
    } }
}

fn plan(compared: &Compared) -> Markup {
    let Compared { planned, notes } = compared;
    html! { section.card {
        h2 { @match planned.change {
            Change::Created => "This partner would be made",
            Change::Changed => "This would change",
            Change::Unchanged => "Nothing would change",
        } }
        @if !planned.differences.is_empty() {
            pre.diff { @for line in &planned.differences {
                code.added[line.starts_with('+')].removed[line.starts_with('-')] { (words(line)) } "\n"
            } }
        }
        @if planned.credential.is_some() { p { "It gets a new credential." } }
        @for note in notes { p.warning role="note" { (words(note)) } }
    } }
}

fn editor(site: &Site, visit: &Visit, known: Option<&Provider>, text: &str, found: &Markup) -> Response<Body> {
    let name = known.map_or(visit.form.get("name"), |known| known.as_str());
    let body = html! {
        @if let Some(known) = known { (heading(site, known)) } @else { h1 { "A new partner" } }
        (found)
        form.card method="post" action=(site.path(PAGE)) {
            h2 { "Its file" }
            (form_secret(visit))
            @if known.is_some() { input type="hidden" name="name" value=(name); }
            @else { label { "Its name in URLs, as the file's provider" input name="name" value=(name) required autocomplete="off"; } }
            label { "YAML, in the form of docs/partner-files.md"
                textarea.file name="file" rows="28" spellcheck="false" readonly[!visit.may(Role::Admin)] { "\n" (text) } }
            @if visit.may(Role::Admin) {
                div.choices { button.strong name="do" value="check" { "Check" } }
            } @else { p.hint { "An administrator changes it." } }
        }
    };
    layout::page(site, visit, known.map_or("A new partner", |known| known.as_str()), &body)
}

/// Draws the form that publishes the file that was just checked.
fn publishing(site: &Site, visit: &Visit, provider: &Provider, text: &str, compared: &Compared) -> Markup {
    html! {
        form.card method="post" action=(site.path(PAGE)) {
            h2 { "Publish it" }
            (form_secret(visit))
            input type="hidden" name="name" value=(provider);
            input type="hidden" name="version" value=(compared.replaces());
            input type="hidden" name="file" value=(text);
            (reason())
            div.choices { button.strong name="do" value="publish" { "Publish " (provider) } }
        }
    }
}
