//! Draws a series as a plot in SVG. Both axes are logarithmic, and the dashed line shows the slope of linear growth.

use anyhow::Result;
use plotters::prelude::*;

use crate::{results::Series, stats::number};

const SIZE: (u32, u32) = (720, 400);
/// Gives the least value that is drawn. Lower values are drawn as this value, because zero has no logarithm.
const LEAST: f64 = 0.1;
const CPU: RGBColor = RGBColor(11, 114, 133);
const INIT: RGBColor = RGBColor(230, 119, 0);
const MEMORY: RGBColor = RGBColor(134, 46, 156);
const LINEAR: RGBColor = RGBColor(134, 142, 150);

/// Returns the plot.
///
/// # Errors
///
/// Returns an error if the plot cannot be drawn. Drawing into a string should never fail.
pub fn svg(series: &Series) -> Result<String> {
    let points = |of: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        series.points.iter().enumerate().map(|(at, point)| (number(point.size), of(at).max(LEAST))).collect()
    };
    let lines = [
        ("CPU, µs", CPU, points(&|at| series.points[at].cpu_us)),
        ("init, µs", INIT, points(&|at| series.points[at].init_us)),
        ("memory, KiB", MEMORY, points(&|at| number(series.points[at].peak_kib))),
    ];
    let all = || lines.iter().flat_map(|(.., points)| points.iter().copied());
    let (x, y) = (decades(all().map(|(size, _)| size)), decades(all().map(|(_, value)| value)));
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(&series.title, ("sans-serif", 20))
        .margin(14)
        .margin_right(30)
        .x_label_area_size(46)
        .y_label_area_size(80)
        .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
    let label = |value: &f64| format!("{value}");
    chart
        .configure_mesh()
        .x_desc(&series.against)
        .y_desc("CPU and init in µs, memory in KiB")
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .label_style(("sans-serif", 15))
        .light_line_style(TRANSPARENT)
        .draw()?;
    if let (Some(&(first, cpu)), Some(&(last, _))) = (lines[0].2.first(), lines[0].2.last()) {
        // The line ends at the plot's edge.
        let end = last.min(first * y.1 / cpu);
        let linear = [(first, cpu), (end, cpu * end / first)];
        chart
            .draw_series(DashedLineSeries::new(linear, 6, 5, LINEAR.stroke_width(1)))?
            .label("CPU if it were linear")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], LINEAR));
    }
    for (name, colour, points) in &lines {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .label_font(("sans-serif", 15))
        .draw()?;
    area.present()?;
    drop((chart, area));
    Ok(svg)
}

/// Returns two powers of ten, at least one decade apart. All values lie between them.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, LEAST), |(low, high), value| (low.min(value), high.max(value)));
    let from = low.max(LEAST).log10().floor();
    (10_f64.powf(from), 10_f64.powf(high.log10().ceil().max(from + 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Point;

    #[test]
    fn a_plot_names_its_axes_units_and_lines() {
        let point = |size, cpu_us| Point { size, cpu_us, init_us: 3_000.0, peak_kib: 8_000, ..Point::default() };
        let series = Series {
            title: "a batch".to_owned(),
            against: "messages in the batch".to_owned(),
            points: vec![point(1, 150.0), point(100, 1_500.0)],
        };
        let svg = svg(&series).unwrap();
        for text in ["a batch", "messages in the batch", "CPU and init in µs, memory in KiB", "CPU if it were linear"]
        {
            assert!(svg.lines().any(|line| line == text), "{text}: {svg}");
        }
    }

    #[test]
    fn an_axis_has_at_least_one_decade() {
        assert_eq!(decades([1.0, 1.0].into_iter()), (1.0, 10.0));
        assert_eq!(decades([9.0, 110.0].into_iter()), (1.0, 1_000.0));
        assert_eq!(decades([0.0, 0.05].into_iter()), (0.1, 1.0));
    }
}
