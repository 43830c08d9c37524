//! Imports from `alloc` what `std`'s prelude would bring. The crate is `no_std`, so that no clock, environment or
//! network is in reach.

pub(crate) use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
