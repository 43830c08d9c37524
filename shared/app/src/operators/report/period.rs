//! Divides a period into the days or hours of a time zone.

use domain::jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{Offset, TimeZone},
};

use super::ReportFault;

/// Bounds the spans of a query, because Athena takes at most 256 KiB of SQL.
const MOST_SPANS: usize = 2_400;

/// The period of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after the period.
    pub to: Timestamp,
    /// The time zone of the report's days and hours.
    pub zone: TimeZone,
}

/// A division of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Hour,
}

/// A day or an hour of a period, or the whole period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The name in the report: `2026-10-25`, or `2026-10-25 02:00+02:00`.
    pub(super) name: String,
    /// The day in the report's time zone.
    pub(super) day: Date,
}

/// The time between two instants of one day in UTC. It belongs to the part of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) begins: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) part: usize,
}

/// The parts of a period in order, and the spans of which they consist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) parts: Vec<Part>,
    pub(super) spans: Vec<Span>,
}

impl Calendar {
    /// Divides a period into days or hours, or into a single part without a unit.
    pub(super) fn new(period: &Period, unit: Option<Unit>) -> Result<Self, ReportFault> {
        let mut calendar = Self::default();
        let mut begins = period.from;
        while begins < period.to {
            let (part, ends) = match unit {
                Some(unit) => unit.at(begins, &period.zone).ok_or(ReportFault::PeriodTooLong)?,
                None => (Part::default(), period.to),
            };
            let ends = ends.min(period.to);
            calendar.add(part, begins, ends)?;
            begins = ends;
        }
        Ok(calendar)
    }

    /// Adds a part, divided at every midnight of UTC, so that the query can find a span by its day.
    fn add(&mut self, part: Part, mut begins: Timestamp, ends: Timestamp) -> Result<(), ReportFault> {
        while begins < ends {
            if self.spans.len() == MOST_SPANS {
                return Err(ReportFault::PeriodTooLong);
            }
            let midnight = utc_day(begins).tomorrow().ok().and_then(utc_begin).unwrap_or(ends);
            self.spans.push(Span { begins, ends: midnight.min(ends), part: self.parts.len() });
            begins = midnight;
        }
        self.parts.push(part);
        Ok(())
    }
}

impl Unit {
    /// Returns the day or hour that contains this instant, and the instant at which it ends.
    fn at(self, instant: Timestamp, zone: &TimeZone) -> Option<(Part, Timestamp)> {
        let local = instant.to_zoned_datetime(zone.clone());
        let day = local.date();
        match self {
            Self::Day => {
                let ends = local.tomorrow().ok()?.start_of_day().ok()?.timestamp();
                Some((Part { name: day.to_string(), day }, ends))
            }
            Self::Hour => {
                let past = i64::from(local.minute()) * 60 + i64::from(local.second());
                let second = local.timestamp().as_second();
                let ends = Timestamp::from_second(second - past + 3600).ok()?;
                Some((Part { name: local.strftime("%Y-%m-%d %H:00%:z").to_string(), day }, ends))
            }
        }
    }
}

/// Returns the day of an instant in UTC.
pub(super) fn utc_day(instant: Timestamp) -> Date {
    Offset::UTC.to_datetime(instant).date()
}

fn utc_begin(day: Date) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()
}

/// Returns the first day on which rows about the period can have arrived. An event may be dated some seconds ahead of
/// its arrival, so this is the day before the period's first day in UTC.
pub(super) fn first_day(from: Timestamp) -> Date {
    utc_day(from.saturating_sub(24.hours()).unwrap_or(Timestamp::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(zone: &str, from: &str, to: &str) -> Period {
        let zone = TimeZone::get(zone).unwrap();
        let [from, to] = [from, to].map(|day| {
            let day: Date = day.parse().unwrap();
            day.to_zoned_datetime(zone.clone()).unwrap().timestamp()
        });
        Period { from, to, zone }
    }

    fn hours(calendar: &Calendar, part: usize) -> i64 {
        let spans = calendar.spans.iter().filter(|span| span.part == part);
        spans.map(|span| span.ends.as_second() - span.begins.as_second()).sum::<i64>() / 3600
    }

    #[test]
    fn days_of_a_zone_have_23_24_or_25_hours() {
        for (zone, from, to, expected) in [
            ("Europe/Warsaw", "2026-10-24", "2026-10-27", [24, 25, 24]),
            ("Europe/Warsaw", "2026-03-28", "2026-03-31", [24, 23, 24]),
            ("America/New_York", "2026-10-31", "2026-11-03", [24, 25, 24]),
            ("Asia/Kolkata", "2026-10-31", "2026-11-03", [24, 24, 24]),
        ] {
            let calendar = Calendar::new(&period(zone, from, to), Some(Unit::Day)).unwrap();
            assert_eq!(calendar.parts.len(), 3);
            assert_eq!([0, 1, 2].map(|part| hours(&calendar, part)), expected, "{zone} {from}");
            assert_eq!(calendar.parts[0].name, from);
        }
    }

    #[test]
    fn an_hour_that_comes_twice_has_two_names() {
        let calendar = Calendar::new(&period("Europe/Warsaw", "2026-10-25", "2026-10-26"), Some(Unit::Hour)).unwrap();
        let names: Vec<&str> = calendar.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names.len(), 25);
        assert_eq!(names[2..4], ["2026-10-25 02:00+02:00", "2026-10-25 02:00+01:00"]);
        let calendar = Calendar::new(&period("Asia/Kolkata", "2026-10-25", "2026-10-26"), Some(Unit::Hour)).unwrap();
        assert_eq!((calendar.parts.len(), calendar.parts[1].name.as_str()), (24, "2026-10-25 01:00+05:30"));
    }

    #[test]
    fn spans_follow_each_other_and_stay_in_one_day_of_utc() {
        for unit in [None, Some(Unit::Day), Some(Unit::Hour)] {
            for zone in ["Europe/Warsaw", "Australia/Lord_Howe", "Africa/Cairo", "UTC"] {
                let period = period(zone, "2026-04-01", "2026-05-02");
                let Calendar { parts, spans } = Calendar::new(&period, unit).unwrap();
                assert_eq!((spans[0].begins, spans.last().unwrap().ends), (period.from, period.to));
                assert!(spans.windows(2).all(|pair| pair[0].ends == pair[1].begins && pair[0].part <= pair[1].part));
                let last = |span: &Span| Timestamp::from_millisecond(span.ends.as_millisecond() - 1).unwrap();
                assert!(spans.iter().all(|span| utc_day(span.begins) == utc_day(last(span))));
                let names: std::collections::BTreeSet<_> = parts.iter().map(|part| &part.name).collect();
                assert_eq!(names.len(), parts.len(), "{zone} {unit:?}");
            }
        }
    }

    #[test]
    fn a_period_with_too_many_spans_is_refused() {
        let years = period("UTC", "2020-01-01", "2026-01-01");
        assert!(Calendar::new(&years, None).is_ok());
        let hours = Calendar::new(&years, Some(Unit::Hour));
        assert!(matches!(hours, Err(ReportFault::PeriodTooLong)));
    }
}
