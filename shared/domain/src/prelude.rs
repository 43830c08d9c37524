//! What `std`'s prelude would bring, from `alloc`: this crate is `no_std`, so that it has no clock, no environment and
//! no network to reach for.

pub(crate) use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
