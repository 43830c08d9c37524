//! Questions to the operator, and the values that an operator types.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Result, anyhow, bail};
use domain::{
    jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset},
    values::ids::Provider,
};

/// Asks a question on the terminal. Fails with the question if there is no terminal, and fails if the answer is no.
pub(crate) fn confirm(question: &str) -> Result<()> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("{question} Confirmation required; pass --yes");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was changed") }
}

/// Parses a partner's name.
pub(crate) fn provider(text: &str) -> Result<Provider> {
    Provider::new(text).map_err(|fault| anyhow!("the provider {fault}"))
}

/// Reads the clock to the millisecond, because stored instants are that precise.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Parses a duration, as in 30d, 12h, 5m or 90s.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, String> {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let parsed = units.into_iter().find_map(|(unit, seconds)| {
        let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(seconds).filter(|total| (1..=3650 * 86_400).contains(total))
    });
    parsed
        .map(SignedDuration::from_secs)
        .ok_or_else(|| "must be 1s to 3650d, written as 30d, 12h, 5m or 90s".to_owned())
}

/// Parses an instant. It is written as a date and time, as a day, which means midnight in UTC, as the time that has
/// passed since, or as `now`.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let is_ago =
        text.ends_with(['d', 'h', 'm', 's']) && text.trim_end_matches(['d', 'h', 'm', 's']).parse::<i64>().is_ok();
    match duration(text) {
        Ok(ago) => return Ok(now() - ago),
        Err(fault) if is_ago => return Err(fault),
        Err(_) if text == "now" => return Ok(now()),
        Err(_) => {}
    }
    let is_day = text.len() == "2026-11-23".len();
    let day = || text.parse::<Date>().ok().filter(|_| is_day).map(|day| day.at(0, 0, 0, 0));
    let day = || day().and_then(|begin| Offset::UTC.to_timestamp(begin).ok());
    let written = text.parse().ok().or_else(day);
    written.ok_or_else(|| {
        "write it as 2026-11-23T12:00:00Z, as a day in UTC: 2026-11-23, as how long ago: 30d, 12h, 5m or 90s, or as now"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_whole_as_a_day_or_as_how_long_ago() {
        assert_eq!(instant("1970-01-01T00:01:00Z"), Ok(Timestamp::from_second(60).unwrap()));
        assert_eq!(instant("1970-01-02"), Ok(Timestamp::from_second(86_400).unwrap()));
        assert!(instant("1s").unwrap() < instant("now").unwrap());
        assert!(instant("1h").unwrap() < instant("1m").unwrap());
        for bad in ["", "yesterday", "1", "-1h", "0d", "1970-02-30", "1970-01-01T00:00:00", "23.11.2026", "9999999d"] {
            assert!(instant(bad).is_err(), "{bad}");
        }
        for outside in ["0m", "0d", "-1h", "9999999d"] {
            assert_eq!(instant(outside), Err("must be 1s to 3650d, written as 30d, 12h, 5m or 90s".to_owned()));
        }
    }
}
