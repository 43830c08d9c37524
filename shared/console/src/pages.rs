//! The pages. Each file serves one page, or a page and the changes that it offers.

mod answer;
pub(crate) mod attention;
pub(crate) mod audit;
pub(crate) mod conflicts;
pub(crate) mod days;
mod endpoints;
pub(crate) mod kit;
pub(crate) mod listed;
mod once;
pub(crate) mod overview;
pub(crate) mod partners;
pub(crate) mod portal;
pub(crate) mod postbacks;
pub(crate) mod refusals;
pub(crate) mod reports;
pub(crate) mod resend;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod style;
pub(crate) mod test_webhook;
mod timeline;
pub(crate) mod webhooks;

use domain::{
    audit::{Author, AuthorName, Operation, Why},
    session::Visitor,
    values::ids::ReceiptId,
};
use maud::{Markup, html};

use crate::{
    ports::{Console, Ports},
    reply::Trouble,
    visit::Visit,
};

/// Begins the change that an operator's form asks for, with the reason that it gives. Also draws the id of a receipt.
pub(crate) fn begin<P: Ports>(console: &Console<P>, visit: &Visit) -> Result<(Operation, ReceiptId), Trouble> {
    let Some(Visitor::Operator { author, name, .. }) = visit.visitor() else { return Err(Trouble::NotFound) };
    // Without a mail address, the name is the subject again.
    let name = AuthorName::new(name.as_str()).ok().filter(|name| name.as_str() != author.as_str());
    let (operation, receipt_id) = begun(console, visit, author.clone(), visit.form.get("why"))?;
    Ok((operation.named(name), receipt_id))
}

/// Begins a change in the name of a partner, with the reason that the form gives.
fn begin_as<P: Ports>(console: &Console<P>, visit: &Visit, name: &str) -> Result<Operation, Trouble> {
    begin_because(console, visit, name, visit.form.get("why"))
}

/// Begins a change in the name of a partner, for this reason.
fn begin_because<P: Ports>(console: &Console<P>, visit: &Visit, name: &str, why: &str) -> Result<Operation, Trouble> {
    let author = Author::new(name).map_err(|_| Trouble::NotFound)?;
    begun(console, visit, author, why).map(|(operation, _)| operation)
}

fn begun<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    author: Author,
    why: &str,
) -> Result<(Operation, ReceiptId), Trouble> {
    let why = Why::new(why).map_err(|fault| Trouble::Malformed(format!("The reason {fault}.")))?;
    let (id, receipt_id) = parts((console.random)()?);
    let operation = Operation::new(author, visit.channel, Some(why), id);
    Ok((operation.keeping_records(console.audit_retention), receipt_id))
}

/// Draws the field for the reason of a change.
fn reason() -> Markup {
    html! { label { "Reason, for the audit record" input name="why" required maxlength="1000" autocomplete="off"; } }
}

/// Divides random bytes into the id of an operation and the id of a receipt, which share no byte.
fn parts(random: [u8; 32]) -> ([u8; 8], ReceiptId) {
    let (mut operation, mut receipt) = ([0; 8], [0; 16]);
    operation.iter_mut().zip(&random).for_each(|(to, from)| *to = *from);
    receipt.iter_mut().zip(random.iter().skip(8)).for_each(|(to, from)| *to = *from);
    (operation, ReceiptId::from_random(receipt))
}
