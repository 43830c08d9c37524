//! The report of `apply`: the planned changes, and the changes that were made.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use app::{
    operators::{
        apply_partners::AppliedPartner,
        plan_partners::{Change, NewCredential, Planned},
        publish_campaigns::Publication,
    },
    ports::StoredPartner,
};
use domain::{
    inbound::credential::CredentialKind,
    jiff::Timestamp,
    partner::Side,
    values::{ids::Provider, time::UnixMillis},
};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::output::{counted, say};

/// The changes that were made.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) partners: Vec<Row>,
    #[serde(rename = "catalogue", serialize_with = "publishing")]
    pub(super) publishing: Publication,
}

/// The change of one partner.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) provider: String,
    pub(super) change: Change,
    pub(super) token: Option<String>,
    pub(super) signature_secret: Option<String>,
    pub(super) webhook_secret: Option<String>,
    credential: CredentialKind,
    landings: Vec<String>,
}

impl Row {
    fn of(applied: AppliedPartner) -> Result<Self> {
        let AppliedPartner { change, item, credential: made, webhook_secret } = applied;
        let (token, signature_secret) = match made {
            Some(NewCredential::Token(token)) => (Some(token.reveal().to_owned()), None),
            Some(NewCredential::Signature(secret)) => (None, Some(secret.reveal().to_owned())),
            None => (None, None),
        };
        let webhook_secret = webhook_secret.map(|secret| secret.reveal().to_owned());
        let partner = item.partner().map_err(|faults| anyhow!("{}: {faults}", item.provider))?;
        let landings = partner.landings().map(|(name, _)| name.to_string()).collect();
        let (provider, credential) = (item.provider.to_string(), partner.credential());
        Ok(Self { provider, change, token, signature_secret, webhook_secret, credential, landings })
    }
}

fn publishing<S: Serializer>(outcome: &Publication, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("catalogue", 2)?;
    fields.serialize_field("version", &outcome.version)?;
    fields.serialize_field("published", &outcome.fresh)?;
    fields.end()
}

impl Report {
    /// Makes the report of these partners and this publication.
    pub(super) fn of(applied: Vec<AppliedPartner>, publishing: Publication) -> Result<Self> {
        let partners = applied.into_iter().map(Row::of).collect::<Result<_>>()?;
        Ok(Self { partners, publishing })
    }

    /// Prints secrets on standard output, and everything else on standard error.
    pub(super) fn show(&self, json: bool) -> Result<()> {
        let Publication { version, fresh, held, unreadable } = &self.publishing;
        if let (Some(version), true) = (version, fresh) {
            eprintln!("the campaigns of all partners are published, version {version}");
        }
        let (ours, others): (Vec<_>, Vec<_>) = held.iter().partition(|held| self.applied(&held.provider));
        for held in ours {
            for fault in &held.faults {
                eprintln!("not published: {}, campaign {}, {fault}", held.provider, held.campaign);
            }
        }
        if !others.is_empty() {
            eprintln!(
                "not published: {} of other partners; apply their files to see why",
                counted(others.len(), "campaign")
            );
        }
        for (provider, reason) in unreadable {
            eprintln!("not published: the stored item of {provider} cannot be read: {reason}");
        }
        if json {
            say!("{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        for row in &self.partners {
            let made = [
                ("token", &row.token),
                ("signing secret", &row.signature_secret),
                ("webhook secret", &row.webhook_secret),
            ];
            for (what, secret) in made.into_iter().filter_map(|(what, secret)| Some((what, secret.as_ref()?))) {
                say!("{}: {what} {secret}   (shown only once; hand it to the partner now)", row.provider)?;
            }
        }
        Ok(())
    }

    /// Returns failure if a campaign of the applied partners could not be published as it is stored. The cure is to
    /// apply the file again with a later date. Campaigns of other partners do not count.
    pub(super) fn exit_code(&self) -> ExitCode {
        let mut held = self.publishing.held.iter();
        if held.any(|held| self.applied(&held.provider)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn applied(&self, provider: &Provider) -> bool {
        self.partners.iter().any(|row| row.provider == provider.as_str())
    }
}

/// Shows the changes to come.
pub(super) fn show(plans: &[Planned]) {
    let mut unchanged = 0;
    for Planned { change, item, differences, credential, webhook_secret, .. } in plans {
        show_pauses(item);
        let word = match change {
            Change::Created => "create",
            Change::Changed => "change",
            Change::Unchanged => {
                unchanged += 1;
                continue;
            }
        };
        eprintln!("{word} {}", item.provider);
        if *change == Change::Changed {
            for line in differences {
                eprintln!("       {line}");
            }
            if credential.is_some() {
                eprintln!("       + a new credential");
            }
            if webhook_secret.is_some() {
                eprintln!("       + a secret to sign its webhooks with");
            }
            for (name, begins) in to_begin(item) {
                eprintln!("       campaign {name} begins at {begins}; events before that do not count");
            }
        }
    }
    if unchanged > 0 {
        eprintln!("keep   {} as stored", counted(unchanged, "partner"));
    }
}

/// Shows what an operator has paused, because applying the file does not end a pause.
fn show_pauses(StoredPartner { provider, pauses, .. }: &StoredPartner) {
    for (side, option) in [(Side::Webhooks, ""), (Side::Postbacks, " --inbound")] {
        if let Some(since) = pauses.since(side) {
            let part = side.words();
            eprintln!(
                "pause  {provider}: its {part} stay paused, since {since:.3}; `postbackctl resume {provider}{option}` ends it"
            );
        }
    }
}

/// Shows the stored partners without a file, because an operator might expect that removing a file removes the partner.
pub(super) fn show_unfiled(unfiled: &[Provider]) {
    if unfiled.is_empty() {
        return;
    }
    let names = unfiled.iter().map(Provider::as_str).collect::<Vec<_>>().join(", ");
    eprintln!("leave  {} without a file here: {names}", counted(unfiled.len(), "partner"));
    eprintln!("       partners are never deleted; to end one, archive its campaigns and rotate its credential");
}

/// Returns the campaigns that have not begun yet. Returns none if the item cannot be read; the later write reports that
/// fault.
fn to_begin(item: &StoredPartner) -> Vec<(String, UnixMillis)> {
    let now = UnixMillis::from(Timestamp::now());
    let Ok(partner) = item.partner() else { return Vec::new() };
    let campaigns = partner.media_buying().campaigns().values().filter(|campaign| !campaign.archived());
    let begins = campaigns.map(|campaign| (campaign.name().to_string(), campaign.terms().active_from));
    begins.filter(|(_, begins)| *begins > now).collect()
}
