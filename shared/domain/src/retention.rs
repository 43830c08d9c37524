//! Says how long records are kept that expire by a rule of the deployment. docs/retention.md gives the reasons.

use core::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

/// Names a kind of record whose retention a deployment chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiring {
    /// A refusal, after it was last seen, or a conflict, after an operator kept the original.
    Refusal,
    /// A click, after the link was used.
    Click,
    /// An attempt beside its delivery, after it was sent.
    Attempt,
    /// An audit record, after the change.
    AuditRecord,
}

impl Expiring {
    /// Returns the fewest and the most days.
    pub const fn bounds(self) -> RangeInclusive<u32> {
        match self {
            // A partner needs time to notice a refusal and to mend it.
            Self::Refusal => 7..=400,
            Self::Click | Self::Attempt => 30..=1_100,
            // A backup is kept for 35 days, and the erasures since a backup are found by their records.
            Self::AuditRecord => 36..=1_100,
        }
    }

    /// Returns the retention of a deployment that does not choose another.
    pub const fn default_retention(self) -> Retention {
        match self {
            Self::Refusal => Retention { days: 30 },
            // A year and some time for complaints.
            Self::Click | Self::Attempt | Self::AuditRecord => Retention { days: 400 },
        }
    }

    /// Returns a retention of so many days, if they are within the bounds.
    pub fn retention(self, days: u32) -> Option<Retention> {
        self.bounds().contains(&days).then_some(Retention { days })
    }
}

/// Says for how many days records of a kind are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u32,
}

impl Retention {
    /// Returns the number of days.
    pub const fn days(self) -> u32 {
        self.days
    }

    /// Returns when a record of this instant expires, in Unix seconds.
    pub fn end(self, from: Timestamp) -> i64 {
        from.as_second().saturating_add(self.duration().as_secs())
    }

    /// Returns the instant whose records expire now.
    pub fn oldest(self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.duration()).unwrap_or(Timestamp::MIN)
    }

    fn duration(self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.days) * 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_bounds_and_a_default_within_them() {
        for kind in [Expiring::Refusal, Expiring::Click, Expiring::Attempt, Expiring::AuditRecord] {
            let (bounds, default) = (kind.bounds(), kind.default_retention());
            assert_eq!(kind.retention(default.days()), Some(default));
            assert_eq!((kind.retention(bounds.start() - 1), kind.retention(bounds.end() + 1)), (None, None));
        }
    }

    #[test]
    fn a_record_expires_after_its_days() {
        let (retention, from) = (Expiring::Refusal.retention(9).unwrap(), Timestamp::from_second(7).unwrap());
        assert_eq!(retention.end(from), 7 + 9 * 86_400);
        assert_eq!(retention.oldest(Timestamp::from_second(retention.end(from)).unwrap()), from);
        assert_eq!(retention.oldest(Timestamp::MIN), Timestamp::MIN);
    }
}
