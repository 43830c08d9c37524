//! The client against real sockets on loopback.

mod answers;
mod guard;
mod harness;
mod hostile;
mod reuse;
mod secure;
