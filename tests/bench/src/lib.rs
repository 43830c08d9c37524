//! What GG3 Postback costs: the release binaries, driven through a Runtime API and an AWS on loopback, beside contenders
//! that do the same.
//!
//! - [`world`] is what functions find: [`fake_aws`], a [`partner`], trusted by [`authority`].
//! - [`contender`] is who is measured, at which [`job`].
//! - [`rounds`], [`instructions`], [`throttle`], [`webhooks`], [`growth`] and [`probe`] measure; [`results`] is what comes
//!   of it, [`targets`], [`packages`] and [`cost`] are what it means, and [`report`] and [`plot`] say it.

#![allow(
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    reason = "it measures, and no money of anybody's passes through here; a JSON value answers null for what it has not"
)]

pub mod authority;
pub mod contender;
pub mod cost;
pub mod fake_aws;
pub mod growth;
pub mod instructions;
pub mod job;
pub mod packages;
pub mod partner;
pub mod plot;
pub mod probe;
pub mod report;
pub mod results;
pub mod rounds;
pub mod sandbox;
pub mod server;
pub mod stats;
pub mod targets;
pub mod throttle;
pub mod webhooks;
pub mod world;
