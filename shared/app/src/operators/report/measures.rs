//! Takes over what the queries of refusals, webhooks and funnels counted, and computes rates.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Cell, Dimension, Fields, Question, Report, ReportFault, Subject};
use crate::ports::Rows;

/// The columns of a subject's query after the number of the part: its dimensions, then its measures.
fn columns(subject: Subject) -> (&'static [Dimension], &'static [&'static str]) {
    use Dimension::{Campaign, Code, Landing, Outcome, Partner};
    const WAITS: [&str; 5] = ["within_minute", "within_hour", "within_day", "within_week", "later"];
    const LANDINGS: [&str; 8] =
        ["clicks", "converted", "conversions", WAITS[0], WAITS[1], WAITS[2], WAITS[3], WAITS[4]];
    const CAMPAIGNS: [&str; 8] = ["users", "reached", "delivered", WAITS[0], WAITS[1], WAITS[2], WAITS[3], WAITS[4]];
    match subject {
        Subject::Conversions => (&[], &[]),
        Subject::Refusals => (&[Partner, Code], &["calls", "contents"]),
        Subject::Webhooks => (&[Partner, Campaign, Outcome], &["deliveries", "attempts", "p50_ms", "p95_ms"]),
        Subject::Landings => (&[Partner, Landing], &LANDINGS),
        Subject::Campaigns => (&[Partner, Campaign], &CAMPAIGNS),
    }
}

/// Makes a row of the report from each row of the query. A funnel gets a rate in percent behind its first two measures.
pub(super) fn report(question: &Question, rows: &Rows) -> Result<Report, ReportFault> {
    let (dimensions, measures) = columns(question.subject);
    let is_funnel = matches!(question.subject, Subject::Landings | Subject::Campaigns);
    let mut names: Vec<&'static str> = question.by.iter().map(|dimension| dimension.as_str()).collect();
    names.extend(measures);
    if is_funnel {
        names.insert(question.by.len() + 2, "percent");
    }
    let row = |row: &Vec<Option<String>>| {
        let fields = Fields(row);
        let place =
            |dimension: &Dimension| dimensions.iter().position(|known| known == dimension).map_or(0, |at| at + 1);
        let cells = question.by.iter().map(|dimension| fields.dimension(*dimension, place(dimension)));
        let mut cells = cells.collect::<Result<Vec<_>, _>>()?;
        for column in dimensions.len() + 1..=dimensions.len() + measures.len() {
            cells.push(match fields.text(column)? {
                Some(_) => Cell::Count(fields.parsed(column)?),
                None => Cell::Absent,
            });
        }
        if is_funnel {
            let at = question.by.len();
            cells.insert(at + 2, percent(cells.get(at + 1), cells.get(at)));
        }
        Ok(cells)
    };
    Ok(Report { columns: names, rows: rows.iter().map(row).collect::<Result<_, ReportFault>>()?, days: Vec::new() })
}

/// Returns a part of a whole in percent, rounded to one digit, half away from zero.
fn percent(part: Option<&Cell>, whole: Option<&Cell>) -> Cell {
    let (Some(Cell::Count(part)), Some(Cell::Count(whole))) = (part, whole) else { return Cell::Absent };
    let percent =
        Decimal::from(*part).checked_mul(Decimal::ONE_HUNDRED).and_then(|part| part.checked_div((*whole).into()));
    percent.map_or(Cell::Absent, |percent| {
        Cell::Decimal(percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero))
    })
}
