//! A partner's integration kit: the guide in its own names, made from the text of docs/partners.md, with the examples,
//! vectors and the description of the API that the guide names. A kit holds no secret.

mod campaigns;
mod files;
mod page;
mod sender;
mod states;

use std::fmt::Write;

use anyhow::Result;
use domain::{
    inbound::{credential::CredentialKind, rules::TransactionIdRule, status::State, tracking_link::BaseUrl},
    partner::{Partner, PartnerFile},
    values::parameter_names::Field,
};

pub use self::files::{File, archive};
use self::page::{Names, Page};

/// Stands for the URL of the API where it is not known.
pub const UNKNOWN_API: &str = "https://{api}";
/// Holds the page of GG3 to which a kit's links lead unless others are given.
pub const GG3_PAGE: &str = "https://gg3.xyz/";

/// Makes a partner's kit. Its sources hold no secret.
#[derive(Debug, Clone, Copy)]
pub struct Kit<'a> {
    /// The partner's stored file.
    pub file: &'a PartnerFile,
    /// The partner that the file describes.
    pub partner: &'a Partner,
    /// The URL of the API, without a slash at its end, or [`UNKNOWN_API`].
    pub api_url: &'a str,
    /// The pages of GG3 to which the kit makes links.
    pub pages: &'a [BaseUrl],
}

impl Kit<'_> {
    /// Returns the guide as Markdown. Fails if the partner's file names an unknown sender.
    pub fn text(&self) -> Result<String> {
        let page = Page::published();
        let names = Names::of_partner(&self.partner.rules().names);
        let signs = self.partner.credential() == CredentialKind::Signature;
        let approved = || self.example(self.word(State::Approved).unwrap_or_default());
        let mut text = String::new();
        let name = if self.file.name.is_empty() { self.file.provider.as_str() } else { &self.file.name };
        writeln!(text, "# GG3 Postback for {name}\n")?;
        writeln!(
            text,
            "What you send us and what we send you, in your own names. The files that it names come with it.\n"
        )?;

        self.landing(&mut text, &page, &names)?;
        let call = page.section("Call your postback URL")?;
        writeln!(text, "## Call your postback URL\n")?;
        match self.sender()? {
            Some(sender) => self.call_by_sender(&mut text, sender)?,
            None => writeln!(
                text,
                "    {}\n\nPut your tracker's own macro in place of each name in braces. The macro of `{}` has to give back the\nvalue that arrived on your landing page, not an identifier of your own.\n",
                self.postback_url(&self.macros()),
                names.of("click_id")
            )?,
        }
        writeln!(text, "{}\n", names.put_into(call.intro_after_block()).trim_end())?;
        self.agreed(&mut text)?;
        self.states(&mut text)?;
        if !signs {
            text.push_str(&names.put_into(call.part("Send it with a token")?));
            writeln!(text, "POSTBACK_URL is `{}`.\n", self.base_url())?;
        }

        page.section("Read the answer")?.write(&mut text, |body| names.put_into(body))?;
        if signs {
            let sign = page.section("Sign instead of a token, if you like")?;
            writeln!(text, "## Sign it\n")?;
            text.push_str(&names.put_into(sign.body));
            writeln!(text, "With your own names:\n\n    {}\n", self.example_call(approved()))?;
        }
        let mut sent = approved();
        sent.push(("dry_run", "true".to_owned()));
        let dry_run = self.example_call(sent);
        let dry_run = if signs { format!("    {dry_run}") } else { format!("    curl -i '{dry_run}'") };
        page.section("Try it")?.write(&mut text, |body| page::with_block(&names.put_into(body), &dry_run))?;
        self.media_buying(&mut text, &page, &names)?;
        Ok(self.placed(&text))
    }

    /// Replaces the placeholders of the page.
    fn placed(&self, text: &str) -> String {
        text.replace("(partners.md#", "(#")
            .replace(UNKNOWN_API, self.api_url)
            .replace("{provider}", self.partner.provider().as_str())
    }

    fn landing(&self, text: &mut String, page: &Page, names: &Names) -> Result<()> {
        let section = page.section("Keep what arrives on your landing page")?;
        let names_of = &self.partner.rules().names;
        let ids = [(names_of.of(Field::UserId), "12345"), (names_of.of(Field::ClickId), "67890")];
        let ids = ids.map(|(name, value)| (name, domain::inbound::tracking_link::LinkValue::Text(value)));
        let lines: Vec<String> = self.partner.landings().map(|(_, url)| format!("    {}", url.with(&ids))).collect();
        section.write(text, |body| {
            let body = names.put_into(body);
            if lines.is_empty() { body } else { page::with_block(&body, &lines.join("\n")) }
        })
    }

    /// Returns the partner's postback URL without a query.
    fn base_url(&self) -> String {
        let base = format!("{}/postback/{}", self.api_url, self.partner.provider());
        match self.partner.credential() {
            CredentialKind::Token => format!("{base}/{{token}}"),
            CredentialKind::Signature => base,
        }
    }

    fn query(&self, value: &dyn Fn(Field) -> String) -> String {
        let sent = self.sent().map(|field| format!("{}={}", self.partner.rules().names.of(field), value(field)));
        sent.collect::<Vec<_>>().join("&")
    }

    fn postback_url(&self, value: &dyn Fn(Field) -> String) -> String {
        let signature = match self.partner.credential() {
            CredentialKind::Token => "",
            CredentialKind::Signature => "&signature={signature}",
        };
        format!("{}?{}{signature}", self.base_url(), self.query(value))
    }

    /// Returns the parameters that the partner sends. These are the required ones, the event id if the partner has
    /// several events, and the status and the reference if they are agreed.
    fn sent(&self) -> impl Iterator<Item = Field> {
        let rules = self.partner.rules();
        let derived = rules.transaction_id == TransactionIdRule::Derived;
        let events = derived || rules.event_ids.is_some();
        let always = Field::ALL.into_iter().filter(move |field| match field {
            Field::TransactionId => !derived,
            Field::EventId => events,
            Field::EventName => false,
            _ => true,
        });
        let some = [Field::Status, Field::Reference].into_iter().filter(|field| rules.names.has(*field));
        always.chain(some)
    }

    /// Returns the tracker's macro of a parameter. This is the configured macro if there is one, and otherwise the
    /// partner's name of the parameter in braces.
    fn macros(&self) -> impl Fn(Field) -> String {
        let known = self.file.media_buying.as_ref().map(|section| section.macros.clone()).unwrap_or_default();
        let names = self.partner.rules().names.clone();
        move |field| known.get(field.as_str()).cloned().unwrap_or_else(|| format!("{{{}}}", names.of(field)))
    }

    fn agreed(&self, text: &mut String) -> Result<()> {
        let (rules, file) = (self.partner.rules(), &self.file.postback);
        let names = &rules.names;
        let mut lines = Vec::new();
        if rules.transaction_id == TransactionIdRule::Derived {
            lines.push(format!(
                "`{}` may be left out; `{}` is then required.",
                names.of(Field::TransactionId),
                names.of(Field::EventId)
            ));
        }
        if rules.require_click {
            lines.push(format!("`{}` is one of ours, with the user it was given to.", names.of(Field::ClickId)));
        }
        let click_id = names.of(Field::ClickId);
        if let Some(days) = rules.click.valid_days {
            lines.push(format!("A `{click_id}` of ours is valid for {days} days after the click."));
        }
        if rules.click.once_per_event {
            let event_id = names.of(Field::EventId);
            lines.push(format!("A `{click_id}` of ours counts for one transaction of each `{event_id}`."));
        }
        lines.extend(rules.ids.iter().map(|(field, form)| format!("`{}` is {form}.", names.of(*field))));
        let lists = [
            (format!("`{}` is one of", names.of(Field::EventId)), file.event_ids.clone().unwrap_or_default()),
            (format!("`{}` besides ISO 4217:", names.of(Field::Currency)), file.currencies.clone()),
            (
                format!("`{}` is at most", names.of(Field::AmountDecimal)),
                file.max_amount.iter().map(|(currency, amount)| format!("{amount} {currency}")).collect(),
            ),
            ("You call from".to_owned(), file.allow_from.clone().unwrap_or_default()),
        ];
        for (what, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            lines.push(format!("{what} {}.", list.join(", ")));
        }
        if !rules.keep.is_empty() {
            let names: Vec<String> = file.keep.iter().map(|name| format!("`{name}`")).collect();
            lines.push(format!("We keep your further parameters {}.", names.join(", ")));
        }
        if !rules.ignore.is_empty() {
            let names: Vec<String> = file.ignore.iter().map(|name| format!("`{name}`")).collect();
            lines.push(format!("Your parameters {} say nothing to us.", names.join(", ")));
        }
        if let Some(answer) = &rules.answer {
            let (accepted, duplicate) = (&answer.accepted, &answer.duplicate);
            lines.push(format!(
                "We answer 200 with the word `{accepted}` or, to a duplicate, `{duplicate}`, as plain text without a receipt."
            ));
        }
        if !lines.is_empty() {
            writeln!(text, "Agreed with you:\n\n- {}\n", lines.join("\n- "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
