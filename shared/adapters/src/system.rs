//! Provides the operating system's clock and randomness.

use std::time::Duration;

use app::ports::{Clock, Randomness, Unavailable};
use domain::{
    jiff::Timestamp,
    values::{
        ids::{ChainTicket, ClaimMark},
        time::UnixMillis,
    },
};

use crate::random;

/// Reads the operating system's clock and random bytes.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Clock for System {
    fn now(&self) -> UnixMillis {
        Timestamp::now().into()
    }

    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Randomness for System {
    fn ticket(&self) -> Result<ChainTicket, Unavailable> {
        random::bytes().map(ChainTicket::from_random)
    }

    fn mark(&self) -> Result<ClaimMark, Unavailable> {
        random::bytes().map(ClaimMark::from_random)
    }
}
