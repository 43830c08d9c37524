//! Holds the types that both flows use. Nothing in this module depends on a flow.

pub mod config_fault;
pub(crate) mod digest;
pub(crate) mod escapes;
pub mod id_form;
pub mod ids;
pub mod money;
pub mod parameter_names;
pub mod placeholder;
pub mod printable;
pub mod signature;
pub(crate) mod spelling;
pub mod time;
pub(crate) mod url_text;
