//! The section of a kit about the partner's sender: the URL with the sender's macros, and what to check in that URL.

use std::fmt::Write;

use anyhow::{Result, anyhow};
use domain::{inbound::credential::CredentialKind, values::parameter_names::Field};

use super::Kit;
use partner_files::senders::{self, Sender};

impl Kit<'_> {
    /// Returns the preset of the partner's sender, if its file names one.
    pub(super) fn sender(&self) -> Result<Option<&'static Sender>> {
        self.file.sender.as_deref().map(senders::find).transpose().map_err(|fault| anyhow!(fault))
    }

    /// Writes the URL to paste into the sender, and everything that the integrator must know about that URL.
    pub(super) fn call_by_sender(&self, text: &mut String, sender: &Sender) -> Result<()> {
        let title = &sender.title;
        writeln!(text, "    {}\n", self.url_in_sender(sender))?;
        write!(text, "Paste this URL into {title}")?;
        if self.partner.credential() == CredentialKind::Token {
            write!(text, ", with your token in place of `{{token}}`")?;
        }
        let click_id = self.partner.rules().names.of(Field::ClickId);
        writeln!(text, ". `{click_id}` has to give back the value\nthat arrived on your landing page.\n")?;
        let doubts = self.doubts(sender);
        if !doubts.is_empty() {
            writeln!(text, "Check before you use it:\n\n- {}\n", doubts.join("\n- "))?;
        }
        if !sender.notes.is_empty() {
            writeln!(text, "About {title}:\n\n- {}\n", sender.notes.join("\n- "))?;
        }
        Ok(())
    }

    fn url_in_sender(&self, sender: &Sender) -> String {
        let field = |field: Field| {
            let name = self.partner.rules().names.of(field);
            sender
                .value(field)
                .map_or_else(|| format!("{name}={}", missing(field)), |value| format!("{name}={}", value.is))
        };
        let mut query: Vec<String> = self.pasted(sender).map(field).collect();
        if self.partner.credential() == CredentialKind::Signature {
            query.push("signature={signature}".to_owned());
        }
        format!("{}?{}", self.base_url(), query.join("&"))
    }

    /// Returns the parameters in the pasted URL. These are all that the partner sends, except those that the sender
    /// adds by itself.
    fn pasted<'a>(&'a self, sender: &'a Sender) -> impl Iterator<Item = Field> + 'a {
        self.sent().filter(|field| !sender.appended.contains(field))
    }

    fn doubts(&self, sender: &Sender) -> Vec<String> {
        let (title, names) = (&sender.title, &self.partner.rules().names);
        let mut doubts = Vec::new();
        for field in self.pasted(sender) {
            let (name, stand_in) = (names.of(field), missing(field));
            match sender.value(field) {
                None if field == Field::Currency => doubts.push(format!(
                    "`{name}`: we know no macro of {title} for it. Put your currency's code, such as USD, in place of `{stand_in}`."
                )),
                None if field == Field::Status => doubts.push(format!(
                    "`{name}`: we have not read which macro of {title} carries it. Put that macro in place of `{stand_in}`, or leave `{name}` out if {title} calls for approved conversions only."
                )),
                None => doubts.push(format!(
                    "`{name}`: we have not read which macro of {title} carries it. Put that macro in place of `{stand_in}`."
                )),
                Some(value) => doubts.extend(
                    sender.doubt(value).map(|reason| format!("`{name}`: check `{}` in {title}. {reason}", value.is)),
                ),
            }
        }
        for (field, parameter) in &sender.parameters {
            let doubt = sender.doubt(parameter).filter(|_| names.of(*field) == parameter.is);
            doubts.extend(
                doubt.map(|reason| format!("`{}`: check this name in {title}'s links. {reason}", parameter.is)),
            );
        }
        if self.partner.credential() == CredentialKind::Signature {
            doubts.push(format!("{title} may not be able to sign its calls. Ask us for a token instead."));
        }
        doubts
    }
}

/// Returns the placeholder for a macro that the preset does not know. A call that still contains the placeholder is
/// refused, because it looks like an unreplaced macro.
fn missing(field: Field) -> String {
    format!("{{your-macro-for-{field}}}")
}

#[cfg(test)]
mod tests;
