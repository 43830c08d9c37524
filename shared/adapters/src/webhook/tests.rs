//! Tests the client against real sockets on loopback.

mod answers;
mod floods;
mod guard;
mod harness;
mod hostile;
mod hostile_http2;
mod reuse;
mod secure;
