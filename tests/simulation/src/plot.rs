//! Draws the day: a panel for each value and a line for each scenario, with hours to the right and powers of ten
//! upwards.

use plotters::prelude::*;

use crate::{
    day::{DOWN_FROM, DOWN_UNTIL, Day, FACTOR, HOUR_MS, MINUTE_MS, Minute, Scenario},
    report::thousands,
};

const SIZE: (u32, u32) = (1000, 860);
const COLOURS: [RGBColor; 4] =
    [RGBColor(192, 57, 43), RGBColor(36, 113, 163), RGBColor(34, 153, 84), RGBColor(125, 60, 152)];
const OUTAGE: RGBColor = RGBColor(235, 235, 235);
/// Counts the minutes of one point. The point shows the worst of them.
const MINUTES_A_POINT: usize = 5;
const HOURS: f64 = 24.0;

/// Describes a panel by its title, unit, highest value, and the value of a minute.
type Panel = (&'static str, &'static str, f64, fn(&Minute) -> f64);

const PANELS: [Panel; 3] = [
    ("p99 wait of first attempts of other partners", "ms", 1e8, |minute| {
        let mut waits = minute.waits_ms.clone();
        waits.sort_unstable();
        waits.get(waits.len() * 99 / 100).map_or(0.0, |ms| f64::from(*ms))
    }),
    ("Messages waiting on webhooks", "messages", 1e7, |minute| (minute.depth[0] * FACTOR) as f64),
    ("Messages waiting on webhook-retries", "messages", 1e7, |minute| (minute.depth[1] * FACTOR) as f64),
];

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Returns the picture as SVG.
pub(crate) fn svg(days: &[(Scenario, Day)]) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).expect("drawing to a string cannot fail");
        for (panel, area) in PANELS.iter().zip(area.split_evenly((PANELS.len(), 1))) {
            draw(&area, panel, days).expect("drawing to a string cannot fail");
        }
        area.present().expect("drawing to a string cannot fail");
    }
    svg
}

fn draw(area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, panel: &Panel, days: &[(Scenario, Day)]) -> Drawn {
    let (title, unit, highest, of) = panel;
    let hours = |ms: i64| ms as f64 / HOUR_MS as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(10)
        .margin_right(26)
        .x_label_area_size(42)
        .y_label_area_size(90)
        .build_cartesian_2d(0.0..HOURS, (1.0..*highest).log_scale())?;
    let outage = [(hours(DOWN_FROM), 1.0), (hours(DOWN_UNTIL), *highest)];
    chart
        .draw_series([Rectangle::new(outage, OUTAGE.filled())])?
        .label("the largest partner is down")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], OUTAGE.filled()));
    chart
        .configure_mesh()
        .x_labels(13)
        .x_desc("time of day")
        .y_desc(*unit)
        .x_label_formatter(&|hour| format!("{hour}:00"))
        .y_label_formatter(&|value| thousands(value.round() as u64))
        .label_style(("sans-serif", 15))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for ((scenario, day), colour) in days.iter().zip(COLOURS) {
        let worst = |minutes: &[Minute]| minutes.iter().map(of).fold(1.0, f64::max);
        let points = day
            .minutes
            .chunks(MINUTES_A_POINT)
            .enumerate()
            .map(|(at, minutes)| (hours((at * MINUTES_A_POINT) as i64 * MINUTE_MS), worst(minutes)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(scenario.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    let legend = SeriesLabelPosition::UpperRight;
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.85))
        .label_font(("sans-serif", 15))
        .draw()
}
