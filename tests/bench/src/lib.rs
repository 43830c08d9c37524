//! Measures the cost of GG3 Postback: drives the release binaries through a Runtime API and an AWS on loopback, beside
//! contenders that do the same.
//!
//! - [`world`] is the functions' surroundings: [`fake_aws`], a [`partner`] and [`floods`], trusted by [`authority`].
//! - [`contender`] lists the measured programs, and [`job`] their jobs.
//! - [`rounds`], [`instructions`], [`throttle`], [`webhooks`], [`growth`], [`worst`] and [`probe`] measure. [`results`]
//!   holds the figures; [`targets`], [`packages`] and [`cost`] interpret them; [`report`] and [`plot`] show them.

#![allow(
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    reason = "a benchmark handles no money, and a JSON value answers null for a missing key"
)]

pub mod authority;
pub mod contender;
pub mod cost;
pub mod fake_aws;
pub mod floods;
pub mod growth;
pub mod instructions;
pub mod job;
pub mod packages;
pub mod partner;
pub mod plot;
pub mod probe;
pub mod report;
pub mod reports;
pub mod results;
pub mod rounds;
pub mod sandbox;
pub mod server;
pub mod stats;
pub mod targets;
pub mod throttle;
pub mod webhooks;
pub mod world;
pub mod worst;
