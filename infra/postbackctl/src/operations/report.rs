//! `postbackctl report`: answers questions over long times from the archive.

mod rates;
mod shown;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use app::operators::report::{
    Dimension, Period, Question, Report, Subject, chart, report,
    text::{self, ends},
};
use clap::{
    Args, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser},
};
use domain::jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::json;

use crate::{
    Connection, ask,
    output::{self, say},
    page,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The subject of the report.
    #[arg(value_enum)]
    name: Name,
    /// The first day of the period in the time zone. Or how long ago: 7d begins at midnight, 0d at today's, and 12h at
    /// that instant.
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    from: String,
    /// The first day after the period, written like --from, or now.
    #[arg(long, value_name = "WHEN", default_value = "now")]
    to: String,
    /// The time zone of days and hours, such as Europe/Warsaw.
    #[arg(long, default_value = "UTC", value_parser = zone)]
    zone: TimeZone,
    /// Divides the report by these columns, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS", value_parser = dimensions())]
    by: Vec<Dimension>,
    /// Reports on one partner instead of all.
    #[arg(long, visible_alias = "provider")]
    partner: Option<String>,
    /// Leaves out what was recorded later than this instant, written like 2026-11-23T12:00:00Z. Only for conversions.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    as_of: Option<Timestamp>,
    /// Converts amounts into this currency. Only for conversions.
    #[arg(long, value_name = "CURRENCY", requires = "rates", value_parser = NonEmptyStringValueParser::new().map(capitals))]
    r#in: Option<String>,
    /// The rates, a CSV file with the columns day, currency and rate: how much of the currency of --in a unit was worth.
    #[arg(long, value_name = "FILE", requires = "in")]
    rates: Option<PathBuf>,
    /// Prints the report as CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// Also draws the first number of each row as bars, into this SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// The names of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Transactions and their amounts.
    Conversions,
    /// Refused and conflicting calls, and how many different ones there were.
    Refusals,
    /// Deliveries, their attempts, and the time from the goal to the delivery.
    Webhooks,
    /// Clicks that became conversions, or with `--by campaign`, openings that led to deliveries.
    Funnel,
}

fn dimensions() -> impl TypedValueParser<Value = Dimension> {
    let find = |text: String| Dimension::ALL.into_iter().find(|known| known.as_str() == text).ok_or("unknown column");
    PossibleValuesParser::new(Dimension::ALL.map(Dimension::as_str)).try_map(find)
}

/// Returns the code of a currency as partners must send it.
#[expect(clippy::needless_pass_by_value, reason = "clap's parsers pass what they made")]
fn capitals(code: String) -> String {
    code.to_ascii_uppercase()
}

fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text)
        .map_err(|_| "write a name of the IANA time zone database, such as Europe/Warsaw or UTC".to_owned())
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let now = ask::now();
    let question = question(&arguments, now)?;
    let connection = Connection::open(stack).await?;
    let answer = report(&connection.archive(), &question, now).await?;
    if answer.rows.is_empty() && arguments.partner.is_some() {
        // The rows of a partner would be found even if its file were gone.
        page::providers(&connection, arguments.partner.as_deref()).await?;
    }
    if let Some(path) = &arguments.plot {
        let svg = chart::svg(&answer, &title(&arguments, &question));
        fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))?;
    }
    show(&arguments, &question, &answer)?;
    Ok(ExitCode::SUCCESS)
}

fn question(arguments: &Arguments, now: Timestamp) -> Result<Question> {
    let Arguments { name, zone, by, as_of, .. } = arguments;
    let mut by = by.clone();
    let subject = match name {
        Name::Conversions => Subject::Conversions,
        Name::Refusals => Subject::Refusals,
        Name::Webhooks => Subject::Webhooks,
        Name::Funnel if by.contains(&Dimension::Campaign) => Subject::Campaigns,
        Name::Funnel => Subject::Landings,
    };
    if subject != Subject::Conversions && (as_of.is_some() || arguments.r#in.is_some()) {
        bail!("--as-of and --in are only for conversions");
    }
    if by.is_empty() {
        by = subject.usual().to_vec();
    }
    let [from, to] = [("--from", &arguments.from), ("--to", &arguments.to)]
        .map(|(option, text)| instant(text, zone, now).with_context(|| format!("{option} {text}")));
    let period = Period { from: from?, to: to?, zone: zone.clone() };
    if period.from >= period.to {
        bail!("--from must be before --to");
    }
    let partner = arguments.partner.as_deref().map(ask::provider).transpose()?;
    let rates = arguments.r#in.as_ref().zip(arguments.rates.as_deref());
    let rates = rates.map(|(into, path)| rates::read(path, into)).transpose()?;
    Ok(Question { subject, by, period, partner, as_of: *as_of, rates })
}

/// Returns the beginning of a day in the time zone, or of the day this many days ago, or an instant.
fn instant(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp> {
    let ago = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()).filter(|days| (0..=3650).contains(days));
    let day = match ago {
        Some(days) => {
            let today = now.to_zoned_datetime(zone.clone()).date();
            Some(today.checked_sub(SignedDuration::from_hours(24 * days))?)
        }
        None => (text.len() == "2026-11-23".len()).then(|| text.parse::<Date>()).transpose()?,
    };
    match day {
        Some(day) => Ok(day.to_zoned_datetime(zone.clone())?.start_of_day()?.timestamp()),
        None => ask::instant(text).map_err(anyhow::Error::msg),
    }
}

fn show(arguments: &Arguments, question: &Question, answer: &Report) -> Result<()> {
    if arguments.json {
        say!("{}", as_json(arguments, question, answer)?)?;
        return Ok(());
    }
    if answer.rows.is_empty() {
        let known = match arguments.as_of {
            Some(as_of) => format!("Nothing of this period was recorded up to {as_of:.3}."),
            None => "Nothing happened in this period.".to_owned(),
        };
        eprintln!("{known} {}", text::days(&answer.days));
    }
    output::print(if arguments.csv { text::csv(answer)? } else { shown::table(answer) })?;
    if let Some((into, path)) = arguments.r#in.as_ref().zip(arguments.rates.as_ref()) {
        let [first, last] = ends(&question.period);
        eprintln!(
            "converted into {into} by {}, at the rates of {first} to {last}; each day's sum of a currency is rounded to 8 \
             digits, half away from zero",
            path.display()
        );
    }
    Ok(())
}

fn as_json(arguments: &Arguments, question: &Question, answer: &Report) -> Result<serde_json::Value> {
    let rows = answer.rows.iter().map(|row| -> Result<serde_json::Value> {
        let cells =
            answer.columns.iter().zip(row).map(|(name, cell)| Ok(((*name).to_owned(), serde_json::to_value(cell)?)));
        Ok(cells.collect::<Result<serde_json::Map<_, _>>>()?.into())
    });
    let rates = arguments.rates.as_ref().map(|path| {
        let [first, last] = ends(&question.period);
        json!({"file": path.display().to_string(), "in": arguments.r#in, "first_day": first, "last_day": last})
    });
    let Period { from, to, zone } = &question.period;
    Ok(json!({
        "report": name(arguments),
        "from": from,
        "to": to,
        "zone": zone.iana_name(),
        "columns": answer.columns,
        "rows": rows.collect::<Result<Vec<_>>>()?,
        "rates": rates,
        "days": answer.days,
    }))
}

fn name(arguments: &Arguments) -> String {
    arguments.name.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn title(arguments: &Arguments, question: &Question) -> String {
    let [first, last] = ends(&question.period);
    format!("{}, {first} to {last}, {}", name(arguments), question.period.zone.iana_name().unwrap_or_default())
}

#[cfg(test)]
mod tests;
