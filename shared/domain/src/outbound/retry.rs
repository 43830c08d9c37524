//! Decides when a failed webhook is sent again. Splits a wait that is longer than SQS allows into hops.

use core::time::Duration;

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use thiserror::Error;

use crate::values::time::UnixMillis;

/// Counts the resends of a round.
pub const RESENDS: u8 = 5;
/// Counts the attempts of a round: the first attempt and the resends.
pub const ATTEMPTS: u8 = 1 + RESENDS;
/// Sets the shortest delay before the first resend.
pub const MIN_INITIAL_INTERVAL: Duration = Duration::from_secs(1);
/// Sets the longest delay before the first resend.
pub const MAX_INITIAL_INTERVAL: Duration = Duration::from_hours(6);
/// Sets the delay before the first resend if none was agreed.
pub const DEFAULT_INITIAL_INTERVAL: Duration = Duration::from_mins(10);
/// Sets the longest wait for which a partner's `Retry-After` can ask.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(6);
/// Sets the longest delay of an SQS message, in seconds.
pub const MAX_HOP_SECONDS: u16 = 900;

/// Decides when the resends of one campaign's webhooks are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    initial_interval: Duration,
}

/// Reports an initial interval outside its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 1 second to 6 hours, in whole milliseconds; this one is {0:?}")]
pub struct RetryPolicyFault(Duration);

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { initial_interval: DEFAULT_INITIAL_INTERVAL }
    }
}

impl RetryPolicy {
    /// Makes the policy with this delay before the first resend.
    pub fn try_new(initial_interval: Duration) -> Result<Self, RetryPolicyFault> {
        let bounded = (MIN_INITIAL_INTERVAL..=MAX_INITIAL_INTERVAL).contains(&initial_interval);
        // Instants are cut to the millisecond, so an interval with a fraction of a millisecond would be shorter than
        // agreed.
        let kept = initial_interval.subsec_nanos().is_multiple_of(1_000_000);
        if bounded && kept { Ok(Self { initial_interval }) } else { Err(RetryPolicyFault(initial_interval)) }
    }

    /// Returns the delay before the first resend.
    pub fn initial_interval(self) -> Duration {
        self.initial_interval
    }

    /// Returns when the next attempt is due after attempt `n` failed at `failed_at`. This is `n` × the initial interval
    /// after the failure, or the instant for which the partner asked, whichever is later. Returns `None` after the last
    /// attempt of a round.
    ///
    /// The wait for which a partner asks is capped at 6 hours. The agreed wait is not capped.
    pub fn due(self, n: u8, failed_at: UnixMillis, asked: Option<RetryAfter>) -> Option<UnixMillis> {
        if !(1..ATTEMPTS).contains(&n) {
            return None;
        }
        let agreed = failed_at.plus(self.initial_interval.saturating_mul(n.into()));
        let asked = match asked {
            None => agreed,
            Some(RetryAfter::Delay(delay)) => failed_at.plus(delay.min(MAX_RETRY_AFTER)),
            Some(RetryAfter::At(moment)) => moment.min(failed_at.plus(MAX_RETRY_AFTER)),
        };
        Some(agreed.max(asked))
    }
}

/// Holds the wait for which a partner's `Retry-After` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// The partner asks to wait this long after its answer.
    Delay(Duration),
    /// The partner asks to wait until this instant.
    At(UnixMillis),
}

impl RetryAfter {
    /// Reads the header's value as RFC 9110 defines it: seconds, or a date in one of three forms. Common deviations are
    /// understood, because a webhook that is sent too early harms the partner: a fraction, which is rounded up, the
    /// word seconds, parameters after a `;`, quotes, and dates of RFC 3339. Returns `None` for any other value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(value).ok()?.trim_matches(|sign: char| sign.is_whitespace() || sign == '"');
        let text = text.split(';').next().unwrap_or_default().trim_end();
        parse_seconds(text).map(Self::Delay).or_else(|| parse_date(text).map(Self::At))
    }
}

/// Reads `30`, `30.5`, `30s` or `30 seconds`, and rounds up. If there are several numbers, as in `30, 60`, the greatest
/// counts.
fn parse_seconds(text: &str) -> Option<Duration> {
    let mut numbers = text.trim_end_matches(',').split(',').map(one_number);
    numbers.try_fold(0, |greatest, number| Some(number?.max(greatest))).map(Duration::from_secs)
}

fn one_number(text: &str) -> Option<u64> {
    let text = text.trim().trim_start_matches('+');
    let end = text.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let is_known = ["", "s", "sec", "secs", "second", "seconds"].contains(&unit.trim().to_ascii_lowercase().as_str());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !is_known || (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    // A number with too many digits means a very long time.
    let seconds = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    Some(seconds.saturating_add(fraction.bytes().any(|digit| digit != b'0').into()))
}

/// Reads a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`
/// or `1994-11-06T08:49:37Z`. The day of the week adds nothing to the date, so it is skipped.
fn parse_date(text: &str) -> Option<UnixMillis> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(UnixMillis::from(timestamp));
    }
    let (day, rest) = text.split_once(' ')?;
    let is_utc = |zone: &str| ["GMT", "UTC", "UT", "Z", "+0000"].iter().any(|known| zone.eq_ignore_ascii_case(known));
    let zoned = rest.rsplit_once(' ').filter(|(_, zone)| is_utc(zone)).map(|(rest, _)| rest);
    let (formats, rest): (&[&str], &str) = if day.ends_with(',') {
        (&["%d %b %Y %H:%M:%S", "%d-%b-%y %H:%M:%S"], zoned?)
    } else {
        (&["%b %e %H:%M:%S %Y"], zoned.unwrap_or(rest))
    };
    let parsed = formats.iter().find_map(|format| strtime::parse(format, rest.trim()).ok())?;
    let datetime = parsed.to_datetime().ok()?;
    // Some servers mean "never" by the last day of the year 9999, which is beyond a timestamp's range.
    Some(UnixMillis::from(TimeZone::UTC.to_timestamp(datetime).unwrap_or(Timestamp::MAX)))
}

/// Returns the delay to give a message that is due at `due`, from 0 to 900 seconds.
///
/// The delay is rounded up to whole seconds, so that a message is never early.
pub fn hop(now: UnixMillis, due: UnixMillis) -> u16 {
    let wait_ms = due.as_millisecond().saturating_sub(now.as_millisecond()).max(0);
    let wait_seconds = wait_ms / 1000 + i64::from(wait_ms % 1000 > 0);
    u16::try_from(wait_seconds).unwrap_or(MAX_HOP_SECONDS).min(MAX_HOP_SECONDS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prelude::*;

    fn at(text: &str) -> UnixMillis {
        UnixMillis::from(text.parse::<jiff::Timestamp>().unwrap())
    }

    fn policy(seconds: u64) -> RetryPolicy {
        RetryPolicy::try_new(Duration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn an_interval_is_one_second_to_six_hours() {
        assert_eq!(RetryPolicy::default(), policy(600));
        for good in [1, 600, 21_600] {
            assert!(RetryPolicy::try_new(Duration::from_secs(good)).is_ok());
        }
        let finer = [Duration::from_millis(999), Duration::from_millis(21_600_001), Duration::from_micros(1_000_001)];
        for bad in [Duration::ZERO, Duration::MAX].into_iter().chain(finer) {
            assert_eq!(RetryPolicy::try_new(bad), Err(RetryPolicyFault(bad)));
        }
    }

    #[test]
    fn resend_n_is_due_n_intervals_after_the_previous_failure() {
        let failed = at("2026-11-23T12:00:00Z");
        let due: Vec<Option<UnixMillis>> = (0..=8).map(|n| policy(600).due(n, failed, None)).collect();
        let minutes = |minutes| Some(failed.plus(Duration::from_mins(minutes)));
        let resends = [minutes(10), minutes(20), minutes(30), minutes(40), minutes(50)];
        assert_eq!(due.first(), Some(&None));
        assert_eq!(due.get(1..6), Some(&resends[..]));
        assert_eq!(due.get(6..), Some(&[None, None, None][..]));
    }

    #[test]
    fn retry_after_is_read_in_every_form_of_http() {
        let date = RetryAfter::At(at("1994-11-06T08:49:37Z"));
        let seconds = |seconds| RetryAfter::Delay(Duration::from_secs(seconds));
        for (value, read) in [
            ("120", seconds(120)),
            (" 0\t", seconds(0)),
            ("99999999999999999999999999", seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", date),
            ("Sunday, 06-Nov-94 08:49:37 GMT", date),
            ("Sun Nov  6 08:49:37 1994", date),
            ("Mon, 06 Nov 1994 08:49:37 GMT", date),
            ("Sun, 06 Nov 1994 08:49:37 gmt", date),
            ("Sun, 06 Nov 1994 08:49:37 +0000", date),
            ("Sun, 06 Nov 1994 08:49:37 UTC", date),
            ("Sun Nov 06 08:49:37 1994", date),
            (" Sun, 06 Nov 1994 08:49:37 GMT; x", date),
            ("1994-11-06T08:49:37Z", date),
            ("1994-11-06T09:49:37+01:00", date),
        ] {
            assert_eq!(RetryAfter::parse(value.as_bytes()), Some(read), "{value}");
        }
    }

    #[test]
    fn seconds_that_are_spelled_differently_are_rounded_up() {
        for (value, seconds) in [
            ("30.0", 30),
            ("30.", 30),
            ("30.001", 31),
            (".5", 1),
            ("1.5", 2),
            (" 30", 30),
            ("\u{a0}30 ", 30),
            ("30;", 30),
            ("30; reason=busy", 30),
            ("30,", 30),
            ("+30", 30),
            ("\"30\"", 30),
            ("30s", 30),
            ("30 Seconds", 30),
            ("120, 130", 130),
            ("99999999999999999999.5", u64::MAX),
        ] {
            let read = Some(RetryAfter::Delay(Duration::from_secs(seconds)));
            assert_eq!(RetryAfter::parse(value.as_bytes()), read, "{value}");
        }
    }

    #[test]
    fn nonsense_in_retry_after_is_ignored() {
        for value in [
            "",
            " ",
            "soon",
            "-1",
            "1e3",
            "0x10",
            "12 min",
            "12 ms",
            "12 13",
            "1.2.3",
            ".",
            "+",
            ";",
            ",",
            "٣",
            "Sun, 06 Nov 1994",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 PST",
            "Sun, 06 Nov 1994 08:49:37",
            "1994-11-06",
        ] {
            assert_eq!(RetryAfter::parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(RetryAfter::parse(b"\xff"), None);
    }

    #[test]
    fn only_a_longer_retry_after_counts_and_it_is_capped() {
        let failed = at("2026-11-23T12:00:00Z");
        let due = |interval, value: &str| policy(interval).due(1, failed, RetryAfter::parse(value.as_bytes())).unwrap();
        for (interval, value, expected) in [
            (600, "601", "2026-11-23T12:10:01Z"),
            (600, "599", "2026-11-23T12:10:00Z"),
            (600, "999999", "2026-11-23T18:00:00Z"),
            (600, "99999999999999999999", "2026-11-23T18:00:00Z"),
            (1, "Mon, 23 Nov 2026 12:30:00 GMT", "2026-11-23T12:30:00Z"),
            (1, "Mon, 23 Nov 2026 11:30:00 GMT", "2026-11-23T12:00:01Z"),
            (1, "Fri, 31 Dec 9999 23:59:59 GMT", "2026-11-23T18:00:00Z"),
            (1, "whenever", "2026-11-23T12:00:01Z"),
        ] {
            assert_eq!(due(interval, value), at(expected), "{interval} {value}");
        }
        // The agreed interval is not capped: the fifth resend of a six-hour interval waits thirty hours.
        assert_eq!(policy(21_600).due(5, failed, None), Some(at("2026-11-24T18:00:00Z")));
    }

    #[test]
    fn a_hop_rounds_up_and_stops_at_fifteen_minutes() {
        let now = UnixMillis::from_millisecond(1_000_000);
        for (wait_ms, seconds) in [
            (-5, 0),
            (0, 0),
            (1, 1),
            (999, 1),
            (1000, 1),
            (1001, 2),
            (899_001, 900),
            (900_000, 900),
            (108_000_000, 900),
        ] {
            assert_eq!(hop(now, UnixMillis::from_millisecond(1_000_000 + wait_ms)), seconds, "{wait_ms}");
        }
    }

    proptest! {
        #[test]
        fn a_hop_is_never_early_and_hops_end(now in 0i64..4_000_000_000_000, wait_ms in 0i64..200_000_000) {
            let due = UnixMillis::from_millisecond(now + wait_ms);
            let mut at = UnixMillis::from_millisecond(now);
            let mut hops = 0;
            while at < due {
                let seconds = hop(at, due);
                prop_assert!((1..=MAX_HOP_SECONDS).contains(&seconds));
                at = at.plus(Duration::from_secs(seconds.into()));
                prop_assert!(at >= due || seconds == MAX_HOP_SECONDS);
                hops += 1;
            }
            prop_assert!(at.as_millisecond() - due.as_millisecond() < 1000, "late by less than the rounding");
            prop_assert_eq!(hops, (wait_ms + 899_999) / 900_000);
        }

        #[test]
        fn no_instants_make_a_hop_overflow(now: i64, due: i64) {
            prop_assert!(hop(UnixMillis::from_millisecond(now), UnixMillis::from_millisecond(due)) <= MAX_HOP_SECONDS);
        }

        #[test]
        fn a_resend_is_never_early_nor_later_than_asked_or_agreed(
            interval in 1u64..=21_600, n in 1u8..=5, failed in 0i64..4_000_000_000_000, asked in any::<u64>(), is_date: bool,
        ) {
            let failed = UnixMillis::from_millisecond(failed);
            let moment = UnixMillis::from_millisecond(i64::try_from(asked).unwrap_or(i64::MAX));
            let asked = if is_date { RetryAfter::At(moment) } else { RetryAfter::Delay(Duration::from_secs(asked)) };
            let agreed = failed.plus(Duration::from_secs(interval * u64::from(n)));
            let due = policy(interval).due(n, failed, Some(asked)).unwrap();
            prop_assert!(agreed <= due && due <= agreed.max(failed.plus(MAX_RETRY_AFTER)));
        }

        #[test]
        fn no_header_makes_the_parser_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = RetryAfter::parse(&value);
        }
    }
}
