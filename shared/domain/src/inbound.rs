//! Follows a GG3 user to a partner, and the partner's postback to GG3.
//!
//! A user opens a [`tracking_link`], which records a [`click`]. Later the partner calls its postback URL with a
//! [`credential`] and with [`parameters`], some of which may be in a [`body`]. The parameters are read by the agreed
//! [`rules`]. The result is a [`postback`], which becomes a [`conversion`] for GG3, or a [`refusal`] with a list of
//! [`fault`]s. A later postback of the same [`transaction`] raises the [`status`], repeats an earlier postback or
//! conflicts with it. If a request lacks parameters, [`astray`] looks for them where they may have gone, and [`doubt`]
//! judges those that nobody agreed on. The partner is
//! answered in JSON, or with an agreed [`answer`]. An operator can accept a conflict ([`acceptance`]), which makes a
//! [`correction`]. A partner's calls have a [`rate`].

pub mod acceptance;
pub mod answer;
pub mod astray;
pub mod body;
pub mod click;
pub mod conversion;
pub mod correction;
pub mod credential;
pub mod doubt;
pub mod fault;
pub mod parameters;
pub mod postback;
pub mod rate;
pub mod refusal;
pub mod rules;
pub mod status;
pub mod tracking_link;
pub mod transaction;
