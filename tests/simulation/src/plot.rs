//! The day as a picture: a line for each scenario, hours to the right, powers of ten upwards.

use std::fmt::Write as _;

use crate::day::{DOWN_FROM, DOWN_UNTIL, Day, FACTOR, HOUR_MS, MINUTE_MS, Minute, Scenario};

const WIDTH: f64 = 900.0;
const PANEL: f64 = 200.0;
const LEFT: f64 = 80.0;
const TOP: f64 = 60.0;
const GAP: f64 = 50.0;
const COLOURS: [&str; 4] = ["#c0392b", "#2471a3", "#229954", "#7d3c98"];
/// What one point stands for: so many minutes, and the worst of them.
const MINUTES_A_POINT: usize = 5;
const HOURS: i64 = 24;

/// A panel: its title, how high it goes in powers of ten, and what is drawn of a minute.
type Panel = (&'static str, i32, fn(&Minute) -> f64);

const PANELS: [Panel; 3] = [
    ("how long 99 of 100 first attempts of other partners wait at most, in ms", 8, |minute| {
        let mut waits = minute.waits_ms.clone();
        waits.sort_unstable();
        waits.get(waits.len() * 99 / 100).map_or(0.0, |ms| f64::from(*ms))
    }),
    ("messages that wait on webhooks", 7, |minute| (minute.depth[0] * FACTOR) as f64),
    ("messages that wait on webhook-retries", 7, |minute| (minute.depth[1] * FACTOR) as f64),
];

/// The picture.
pub(crate) fn svg(days: &[(Scenario, Day)]) -> String {
    let height = TOP + PANELS.len() as f64 * (PANEL + GAP) + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        WIDTH + LEFT + 20.0
    );
    for (at, ((scenario, _), colour)) in days.iter().zip(COLOURS).enumerate() {
        let x = LEFT + at as f64 * 220.0;
        element(&mut svg, &format!("<rect x=\"{x}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"));
        element(&mut svg, &format!("<text x=\"{}\" y=\"22\">{}</text>", x + 18.0, scenario.name));
    }
    for (at, panel) in PANELS.iter().enumerate() {
        draw(&mut svg, TOP + at as f64 * (PANEL + GAP), panel, days);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, top: f64, (title, powers, of): &Panel, days: &[(Scenario, Day)]) {
    let x = |ms: i64| LEFT + WIDTH * ms as f64 / (HOURS * HOUR_MS) as f64;
    let y = |value: f64| top + PANEL * (1.0 - value.max(1.0).log10() / f64::from(*powers));
    let (from, until) = (x(DOWN_FROM), x(DOWN_UNTIL));
    element(svg, &format!("<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>", top - 6.0));
    let shade =
        format!("<rect x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{PANEL}\" fill=\"#eee\"/>", until - from);
    element(svg, &shade);
    for power in 0..=*powers {
        let at = y(10f64.powi(power));
        element(svg, &format!("<path d=\"M{LEFT} {at:.1}h{WIDTH}\" stroke=\"#ddd\"/>"));
        element(
            svg,
            &format!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                10i64.pow(power as u32)
            ),
        );
    }
    for hour in (0..=HOURS).step_by(2) {
        let at = x(hour * HOUR_MS);
        element(
            svg,
            &format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{hour}:00</text>", top + PANEL + 16.0),
        );
    }
    for ((_, day), colour) in days.iter().zip(COLOURS) {
        let worst = |minutes: &[Minute]| minutes.iter().map(of).fold(0.0, f64::max);
        let points = day.minutes.chunks(MINUTES_A_POINT).enumerate().map(|(at, minutes)| {
            format!("{:.1},{:.1}", x((at * MINUTES_A_POINT) as i64 * MINUTE_MS), y(worst(minutes)))
        });
        let points: Vec<String> = points.collect();
        element(
            svg,
            &format!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>",
                points.join(" ")
            ),
        );
    }
}

fn element(svg: &mut String, element: &str) {
    writeln!(svg, "{element}").expect("text takes text");
}
