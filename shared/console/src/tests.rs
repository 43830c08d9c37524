//! Walks all pages with all kinds of visitors, over ports in memory.

mod api;
mod attacks;
mod attention;
mod days;
mod files;
mod pages;
mod partners;
mod portal;
mod reports;
mod resend;
mod rig;
mod sign_in;
mod test_webhooks;
mod visitors;
