//! Reads which partners and which page a list shows, and draws the filter and the links to older entries.

use app::{
    operators::{More, Page},
    ports::{Partners, StoredPartner, Unavailable},
};
use domain::{lookup::Place, values::ids::Provider};
use maud::{Markup, html};

use crate::{
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

/// Limits the partners that a page reads, because each costs about a hundred reads.
const MOST_PARTNERS: usize = 12;
/// Limits the entries of each partner on a page.
const MOST: usize = 20;

/// Holds the partners and the page that a list shows.
pub(crate) struct Chosen {
    pub(crate) providers: Vec<Provider>,
    /// Holds the last of the partners if others follow.
    pub(crate) next: Option<Provider>,
    pub(crate) page: Page,
}

/// Returns the partners that follow the one in the field `following`, as many as a page reads. Also returns the last of
/// them if others follow.
pub(crate) async fn some<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
) -> Result<(Vec<StoredPartner>, Option<Provider>), Unavailable> {
    let mut stored = console.configuration.partners().await?;
    let following = visit.query.get("following");
    stored.retain(|stored| stored.provider.as_str() > following);
    stored.sort_by(|one, other| one.provider.cmp(&other.provider));
    let has_more = stored.len() > MOST_PARTNERS;
    stored.truncate(MOST_PARTNERS);
    let next = stored.last().filter(|_| has_more).map(|last| last.provider.clone());
    Ok((stored, next))
}

/// Returns the names of these partners.
pub(crate) fn names(stored: Vec<StoredPartner>) -> Vec<Provider> {
    stored.into_iter().map(|stored| stored.provider).collect()
}

/// Returns the page of a list that begins after this place, or the first page if the text is empty.
pub(crate) fn page(after: &str) -> Result<Page, Trouble> {
    let unknown = || Trouble::Malformed("This place is not in any list.".into());
    let after = if after.is_empty() { None } else { Some(Place::parse(after).ok_or_else(unknown)?) };
    Ok(Page { since: None, after, most: MOST })
}

/// Reads the partner that a field names.
pub(crate) async fn known<P: Ports>(console: &Console<P>, named: &str) -> Result<Provider, Trouble> {
    let unknown = || Trouble::Malformed(format!("There is no partner {named}."));
    let provider = Provider::new(named).map_err(|_| unknown())?;
    Ok(console.configuration.partner(&provider).await?.ok_or_else(unknown)?.provider)
}

/// Reads the fields `provider`, `after` and `following`.
pub(crate) async fn chosen<P: Ports>(console: &Console<P>, visit: &Visit) -> Result<Chosen, Trouble> {
    let (named, after) = (visit.query.get("provider"), visit.query.get("after"));
    if named.is_empty() && !after.is_empty() {
        return Err(Trouble::Malformed("A place belongs to the list of one partner.".into()));
    }
    let page = page(after)?;
    if named.is_empty() {
        let (stored, next) = some(console, visit).await?;
        return Ok(Chosen { providers: names(stored), next, page });
    }
    Ok(Chosen { providers: vec![known(console, named).await?], next: None, page })
}

/// Draws the form that chooses a partner. `rest` is drawn inside the form.
pub(crate) fn filter(site: &Site, visit: &Visit, path: &str, rest: &Markup) -> Markup {
    html! {
        form.filter action=(site.path(path)) {
            label { "Partner" input name="provider" value=(visit.query.get("provider")) placeholder="all"; }
            (rest)
            button { "Show" }
        }
    }
}

/// Draws a link to the partners that follow.
pub(crate) fn next_partners(site: &Site, path: &str, next: Option<&Provider>) -> Markup {
    html! {
        @if let Some(last) = next {
            nav.older aria-label="Other partners" {
                a href=(site.path_with(path, &[("following", last.as_str())])) { "Partners after " (last) }
            }
        }
    }
}

/// Draws links to older entries. `fields` are the other fields of the list.
pub(crate) fn older(site: &Site, path: &str, more: &More, fields: &[(&str, &str)]) -> Markup {
    html! {
        @if !more.is_empty() {
            nav.older aria-label="Older entries" {
                @for (provider, place) in more {
                    @let place = place.to_string();
                    @let own = [("provider", provider.as_str()), ("after", place.as_str())];
                    a href=(site.path_with(path, &[&own, fields].concat())) { "Older of " (provider) }
                }
            }
        }
    }
}
