//! Serves the console: pages for GG3's operators, and a portal for partners.
//!
//! [`routes`] lists every page with the visitors that may open it, and [`guard`] enforces the list before a page's own
//! code runs. [`api`] has the same for programs. Pages call the same use cases as `postbackctl`, over the ports in [`ports`]. [`function`] wires them to AWS.

mod api;
pub mod function;
mod gateway;
mod guard;
mod issuer;
mod layout;
mod pages;
mod ports;
mod reply;
mod return_path;
mod routes;
mod site;
mod visit;

#[cfg(test)]
mod tests;
