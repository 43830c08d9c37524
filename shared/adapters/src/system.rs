//! The operating system's clock and dice.

use std::time::Duration;

use app::ports::{Surroundings, Unavailable};
use domain::{
    ids::{Mark, Ticket},
    jiff::Timestamp,
    moment::Moment,
};

use crate::random;

/// The operating system's clock and dice.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Surroundings for System {
    fn now(&self) -> Moment {
        Timestamp::now().into()
    }

    fn ticket(&self) -> Result<Ticket, Unavailable> {
        random::bytes().map(Ticket::from_random)
    }

    fn mark(&self) -> Result<Mark, Unavailable> {
        random::bytes().map(Mark::from_random)
    }

    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
