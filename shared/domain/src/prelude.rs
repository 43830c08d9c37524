//! Imports from `alloc` what the prelude of `std` would bring, because this crate is `no_std`.

pub(crate) use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
