//! The pages. Each file serves one page, or a page and the changes that it offers.

mod answer;
pub(crate) mod conflicts;
mod listed;
pub(crate) mod overview;
pub(crate) mod portal;
pub(crate) mod postbacks;
pub(crate) mod refusals;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod style;
mod timeline;
pub(crate) mod webhooks;

use domain::values::ids::ReceiptId;

/// Divides random bytes into the id of an operation and the id of a receipt, which share no byte.
fn parts(random: [u8; 32]) -> ([u8; 8], ReceiptId) {
    let (mut operation, mut receipt) = ([0; 8], [0; 16]);
    operation.iter_mut().zip(&random).for_each(|(to, from)| *to = *from);
    receipt.iter_mut().zip(random.iter().skip(8)).for_each(|(to, from)| *to = *from);
    (operation, ReceiptId::from_random(receipt))
}
