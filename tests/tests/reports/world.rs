//! Draws what happened over some days, and makes the archive's rows of it: repeated, late and in any order.

mod outbound;
mod transactions;

use domain::{
    archive::{ArchiveKey, ArchiveRow, ArchiveTable, ClickRow, RefusalKind, RefusalRow, Resolution},
    values::{
        ids::{ClickId, Provider, UserId},
        signature::Secret,
    },
};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::{
    outbound::{Delivered, Opened},
    transactions::{Revised, Transaction},
};

pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Counts the days of a world.
pub(crate) const DAYS: i64 = 16;

/// A row as it lies in the archive.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) table: ArchiveTable,
    /// The day of arrival in UTC.
    pub(crate) day: String,
    pub(crate) json: Value,
}

/// A content that was refused, with the instants of its calls.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) provider: Provider,
    pub(crate) codes: Vec<&'static str>,
    pub(crate) calls: Vec<i64>,
}

/// A use of a tracking link.
#[derive(Debug)]
pub(crate) struct Clicked {
    pub(crate) provider: Provider,
    pub(crate) landing: &'static str,
    pub(crate) click: ClickId,
    pub(crate) at: i64,
}

/// The drawn history. Instants are in Unix milliseconds.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) clicks: Vec<Clicked>,
    pub(crate) openings: Vec<Opened>,
    pub(crate) deliveries: Vec<Delivered>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) fn timestamp(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap()
}

pub(crate) fn key() -> ArchiveKey {
    ArchiveKey::new(Secret::new("k"))
}

/// Draws randomly, and writes rows.
pub(crate) struct Draw<'a> {
    pub(crate) rng: Rng,
    pub(crate) partners: &'a [Provider],
    /// The first instant of the world.
    pub(crate) begin: i64,
    pub(crate) world: World,
}

impl World {
    /// Draws a world that begins at this instant.
    pub(crate) fn draw(seed: u64, begin: i64, partners: &[Provider]) -> Self {
        let mut draw = Draw { rng: Rng::with_seed(seed), partners, begin, world: Self::default() };
        for n in 0..60 {
            draw.click(n);
            draw.refused(n);
            draw.transaction(n);
            draw.user(n);
        }
        let Draw { mut rng, mut world, .. } = draw;
        rng.shuffle(&mut world.rows);
        world
    }
}

impl Draw<'_> {
    /// Draws an instant. Some are exact hours, at which days of zones begin.
    pub(crate) fn instant(&mut self) -> i64 {
        let at = self.begin + self.rng.i64(0..DAYS * DAY);
        if self.rng.u8(0..4) == 0 { at - at % HOUR } else { at }
    }

    /// Draws an instant after this one.
    pub(crate) fn after(&mut self, at: i64) -> i64 {
        let most = *self.rng.choice([1, 50_000, HOUR, DAY, 4 * DAY].as_slice()).unwrap();
        at + 1 + self.rng.i64(0..most)
    }

    pub(crate) fn partner(&mut self) -> Provider {
        self.rng.choice(self.partners).unwrap().clone()
    }

    /// Writes a row that was made at this instant. It arrives then or up to two days later, and sometimes twice.
    pub(crate) fn row(&mut self, made_at: i64, row: ArchiveRow) {
        let (table, json) = (row.table(), serde_json::to_value(row).unwrap());
        for _ in 0..=self.rng.u8(0..3) / 2 {
            let arrived = timestamp(made_at + self.rng.i64(0..3) / 2 * self.rng.i64(0..2 * DAY));
            let day = arrived.strftime("%Y-%m-%d").to_string();
            self.world.rows.push(Row { table, day, json: json.clone() });
        }
    }

    fn click(&mut self, n: usize) {
        let (provider, at) = (self.partner(), self.instant());
        let landing = *self.rng.choice(["welcome", "deal"].as_slice()).unwrap();
        let click = ClickId::new(format!("c-{n}")).unwrap();
        let row = ClickRow {
            provider: provider.clone(),
            landing: serde_json::from_value(landing.into()).unwrap(),
            click_hash: key().click(&click),
            user_hash: key().user(&UserId::new(format!("u-{n}")).unwrap()),
            clicked_at: timestamp(at).into(),
        };
        self.row(at, ArchiveRow::Click(row));
        self.world.clicks.push(Clicked { provider, landing, click, at });
    }

    fn refused(&mut self, n: usize) {
        let (provider, mut at) = (self.partner(), self.instant());
        let kinds = [&["conflict"][..], &["missing", "unknown_currency"], &["missing"]];
        let codes = self.rng.choice(kinds.as_slice()).unwrap().to_vec();
        let row = |first: i64, at: i64, times: u64, resolution| RefusalRow {
            provider: provider.clone(),
            content_hash: key().content(&n.to_string()),
            kind: if codes == ["conflict"] { RefusalKind::Conflict } else { RefusalKind::Refusal },
            codes: codes.join(","),
            first_received_at: timestamp(first).into(),
            seen_at: timestamp(at).into(),
            times,
            resolution,
            resolved_at: resolution.map(|_| timestamp(at + 1).into()),
            transaction_hash: None,
            user_hash: None,
            click_hash: None,
        };
        let (first, mut calls) = (at, Vec::new());
        for times in 1..=self.rng.u64(1..5) {
            calls.push(at);
            self.row(at, ArchiveRow::Refusal(row(first, at, times, None)));
            if self.rng.u8(0..4) == 0 {
                self.row(at + 1, ArchiveRow::Refusal(row(first, at, times, Some(Resolution::OriginalKept))));
            }
            at = self.after(at);
        }
        self.world.refused.push(Refused { provider, codes, calls });
    }
}
