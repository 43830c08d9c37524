//! Follows a GG3 user to a partner and the partner's postback back to GG3.
//!
//! A user opens a [`tracking_link`], which records a [`click`]. Later the partner calls its postback URL with
//! [`parameters`], some of them perhaps in a [`body`], and a [`credential`]. They are read by the agreed [`rules`] into a [`postback`], which becomes a
//! [`conversion`] for GG3, or a [`refusal`] with its list of [`fault`]s. Later postbacks of the same [`transaction`]
//! raise its [`status`], repeat it or conflict with it. Partners read JSON, or an agreed [`answer`]. An operator turns a conflict into a [`correction`].

pub mod answer;
pub mod body;
pub mod click;
pub mod conversion;
pub mod correction;
pub mod credential;
pub mod fault;
pub mod parameters;
pub mod postback;
pub mod refusal;
pub mod rules;
pub mod status;
pub mod tracking_link;
pub mod transaction;
