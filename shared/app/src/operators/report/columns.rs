//! Draws numbers by day as stacked columns in SVG, and short words in place of such a picture. Each picture has the same
//! size, so that a page does not move when it arrives.

use std::fmt::Write as _;

use super::{
    by_day::{Amounts, ByDay, REFUSED},
    chart::escaped,
    text::amount,
};

/// The width of a picture in pixels.
pub const WIDTH: usize = 460;
/// The height of a picture in pixels.
pub const HEIGHT: usize = 280;

const LEFT: usize = 12;
const TOP: usize = 58;
const PLOT: u64 = 150;
const BASE: usize = 208;
/// The pixels that a line of the legend takes.
const LINE: usize = 20;
/// The pixels that the number of a day needs.
const NUMBER: usize = 26;
/// The approximate width of a character of the legend in pixels.
const LETTER: usize = 8;
/// Limits the currencies that are drawn.
const CURRENCIES: usize = 9;

/// Draws a column for each day, divided by outcome.
pub fn svg(by_day: &ByDay, title: &str) -> String {
    let mut svg = begin(title);
    let totals = by_day.totals();
    let most = totals.iter().copied().max().unwrap_or_default();
    let step = (WIDTH - 2 * LEFT) / by_day.days.len().max(1);
    // Labels of neighbouring days must not touch.
    let labelled = 56_usize.div_ceil(step.max(1));
    for (at, (day, total)) in by_day.days.iter().zip(&totals).enumerate() {
        let (x, mut y, mut below) = (LEFT + step * at, BASE, 0);
        for outcome in &by_day.outcomes {
            let count = outcome.counts.get(at).copied().unwrap_or_default();
            // Each edge is computed from the sum up to it, so that roundings do not add up.
            below = u64::saturating_add(below, count);
            let top = BASE - pixels(below, most);
            if top < y {
                let color = color(&outcome.name);
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"{color}\"/>",
                    step - step / 5,
                    y - top
                );
                y = top;
            }
        }
        let middle = x + (step - step / 5) / 2;
        if *total > 0 && step >= NUMBER {
            let _ = writeln!(svg, "{}", middle_text(middle, y - 5, &short(*total)));
        }
        if (by_day.days.len() - 1 - at).is_multiple_of(labelled) {
            let _ = writeln!(svg, "{}", middle_text(middle, BASE + 16, &day.strftime("%b %-d").to_string()));
        }
    }
    let right = WIDTH - LEFT;
    let _ = writeln!(svg, "<line x1=\"{LEFT}\" y1=\"{BASE}\" x2=\"{right}\" y2=\"{BASE}\" stroke=\"#8e96a6\"/>");
    legend(&mut svg, by_day);
    svg.push_str("</svg>\n");
    svg
}

/// Draws the amounts of each currency by state, the first currencies only.
pub fn amounts<'a>(sums: impl ExactSizeIterator<Item = (&'a String, &'a Amounts)>, title: &str) -> String {
    let (mut svg, count) = (begin(title), sums.len());
    let columns = [LEFT + 170, LEFT + 300, WIDTH - LEFT];
    let end = |x: usize, y: usize, text: &str| {
        format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>", escaped(text))
    };
    for (x, name) in columns.into_iter().zip(["approved", "pending", "rejected"]) {
        let _ = writeln!(svg, "{}", end(x, TOP, name));
    }
    for ((currency, Amounts { approved, pending, rejected }), row) in sums.take(CURRENCIES).zip(1..) {
        let y = TOP + 4 + row * LINE;
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{y}\" font-weight=\"600\">{}</text>", escaped(currency));
        for (x, sum) in columns.into_iter().zip([approved, pending, rejected]) {
            let _ = writeln!(svg, "{}", end(x, y, &amount(*sum)));
        }
    }
    let rest = count.saturating_sub(CURRENCIES);
    if count == 0 || rest > 0 {
        let words = if rest > 0 { format!("{rest} more currencies") } else { "No amounts in these days.".to_owned() };
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{words}</text>", TOP + 4 + LINE * 10);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Draws a sentence in place of a picture.
pub fn note(title: &str, words: &str) -> String {
    let mut svg = begin(title);
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 56 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    for (line, y) in lines.iter().zip((TOP + 20..HEIGHT).step_by(LINE)) {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{y}\" fill=\"#5b6270\">{}</text>", escaped(line.trim()));
    }
    svg.push_str("</svg>\n");
    svg
}

// Writing to a string cannot fail, so the results of `writeln` are dropped.
fn begin(title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\" font-weight=\"600\">{}</text>\n",
        escaped(title)
    )
}

/// Draws a square and a name with its total for each outcome.
fn legend(svg: &mut String, by_day: &ByDay) {
    let (mut x, mut y) = (LEFT, BASE + 42);
    for outcome in &by_day.outcomes {
        let words = format!("{} {}", outcome.name, outcome.counts.iter().sum::<u64>());
        let width = 36 + LETTER * words.len();
        if x > LEFT && x + width > WIDTH {
            (x, y) = (LEFT, y + LINE);
        }
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"11\" height=\"11\" fill=\"{}\"/><text x=\"{}\" y=\"{y}\">{}</text>",
            y - 10,
            color(&outcome.name),
            x + 16,
            escaped(&words)
        );
        x += width;
    }
    if by_day.outcomes.is_empty() {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{y}\">Nothing happened in these days.</text>");
    }
}

fn middle_text(x: usize, y: usize, text: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"11\">{text}</text>")
}

/// Returns the height of this part of the highest column in pixels.
fn pixels(count: u64, most: u64) -> usize {
    let scaled = u128::from(count) * u128::from(PLOT) / u128::from(most.max(1));
    usize::try_from(scaled).unwrap_or_default()
}

/// Writes a number in at most four characters, rounded down.
fn short(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let unit = UNITS.into_iter().find(|(size, _)| number >= *size && number >= 10_000);
    unit.map_or_else(|| number.to_string(), |(size, name)| format!("{}{name}", number / size))
}

fn color(outcome: &str) -> &'static str {
    match outcome {
        "approved" | "delivered" => "#0f7a4d",
        "pending" => "#e0a800",
        "retrying" => "#b36b00",
        "rejected" => "#7a5195",
        REFUSED | "exhausted" => "#b42318",
        "gone" => "#e2725b",
        "unsendable" => "#8f1d4f",
        "cancelled" => "#8e96a6",
        _ => "#4338ca",
    }
}

#[cfg(test)]
mod tests {
    use domain::jiff::ToSpan;

    use super::{super::by_day::Outcome, *};

    fn by_day(outcomes: &[(&str, &[u64])]) -> ByDay {
        let outcomes = outcomes.iter().map(|(name, counts)| Outcome { name: (*name).into(), counts: counts.to_vec() });
        let days = ["2026-11-29", "2026-11-30"].map(|day| day.parse().unwrap());
        ByDay { days: days.to_vec(), outcomes: outcomes.collect() }
    }

    #[test]
    fn the_highest_day_fills_the_plot_and_parts_add_up() {
        let picture = svg(&by_day(&[("approved", &[1, 0]), ("refused", &[2, 1])]), "Calls");
        let heights = |color: &str| {
            let bars = picture.split("<rect x=").filter(|bar| bar.contains(color) && !bar.contains("width=\"11\""));
            bars.map(|bar| bar.split_once("height=\"").unwrap().1.split_once('"').unwrap().0.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!((heights("#0f7a4d"), heights("#b42318")), (vec!["50".into()], vec!["100".into(), "50".to_owned()]));
        assert!(picture.contains("approved 1") && picture.contains("refused 3") && picture.contains("Nov 30"));
    }

    #[test]
    fn names_and_words_cannot_become_markup() {
        let hostile = "</svg><script>alert(1)</script>";
        let sums = [(hostile.to_owned(), Amounts::default())];
        let sums = amounts(sums.iter().map(|(currency, sums)| (currency, sums)), hostile);
        for picture in [svg(&by_day(&[(hostile, &[1, 1])]), hostile), note(hostile, hostile), sums] {
            assert!(!picture.contains("<script") && picture.matches("</svg>").count() == 1, "{picture}");
        }
    }

    #[test]
    fn numbers_of_days_are_left_out_where_they_would_overlap() {
        for (count, is_numbered) in [(14, true), (30, false)] {
            let day = |at: i64| "2026-11-01".parse::<domain::jiff::civil::Date>().unwrap() + at.days();
            let outcomes = vec![Outcome { name: "approved".into(), counts: vec![777; count] }];
            let days = (0..30).map(day).take(count).collect();
            let picture = svg(&ByDay { days, outcomes }, "Calls");
            assert_eq!(picture.contains(">777<"), is_numbered, "{count}");
        }
    }

    #[test]
    fn empty_days_and_huge_numbers_are_drawn() {
        assert!(svg(&ByDay::default(), "Calls").contains("Nothing happened"));
        assert!(svg(&by_day(&[("approved", &[u64::MAX / 2, 1])]), "Calls").contains("9223372T"));
        assert_eq!([9_999, 10_000, 12_345_678].map(short), ["9999", "10k", "12M"]);
    }
}
