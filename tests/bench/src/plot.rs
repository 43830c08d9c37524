//! A series as a plot in SVG: both axes logarithmic, so that what is linear rises as the dashed line does.

use std::fmt::Write as _;

use crate::{results::Series, stats::number};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// A logarithmic axis: from where to where, and how long it is.
#[derive(Debug, Clone, Copy)]
struct Axis {
    from: f64,
    to: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, begin: f64, end: f64) -> Self {
        let (low, high) =
            values.fold((f64::MAX, 1.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
        Self {
            from: low.max(0.1).log10().floor(),
            to: high.log10().ceil().max(low.max(0.1).log10().floor() + 1.0),
            begin,
            end,
        }
    }

    fn at(self, value: f64) -> f64 {
        let part = (value.max(0.1).log10() - self.from) / (self.to - self.from);
        self.begin + part * (self.end - self.begin)
    }

    fn ticks(self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let mut exponent = self.from;
        while exponent <= self.to {
            ticks.push(10_f64.powf(exponent));
            exponent += 1.0;
        }
        ticks
    }
}

/// The plot.
pub fn svg(series: &Series) -> String {
    let lines: [(&str, &str, Vec<f64>); 3] = [
        ("CPU, µs", "#0b7285", series.points.iter().map(|point| point.cpu_us).collect()),
        ("init, µs", "#e67700", series.points.iter().map(|point| point.init_us).collect()),
        ("memory, KiB", "#862e9c", series.points.iter().map(|point| number(point.peak_kib)).collect()),
    ];
    let sizes: Vec<f64> = series.points.iter().map(|point| number(point.size)).collect();
    let x = Axis::new(sizes.iter().copied(), LEFT, WIDTH - RIGHT);
    let y = Axis::new(lines.iter().flat_map(|(_, _, values)| values.iter().copied()), HEIGHT - BOTTOM, TOP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\" \
         font-size=\"14\">{}</text>\n",
        series.title
    );
    grid(&mut out, x, y);
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    // Writing to a text does not fail.
    let _ =
        writeln!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>", HEIGHT - 12.0, series.against);
    if let (Some(first), Some(last), Some(cpu)) = (sizes.first(), sizes.last(), series.points.first()) {
        let (from, to) = ((x.at(*first), y.at(cpu.cpu_us)), (x.at(*last), y.at(cpu.cpu_us * last / first)));
        if to.1 >= TOP {
            let _ = writeln!(
                out,
                "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#adb5bd\" stroke-dasharray=\"5 4\"/>",
                from.0, from.1, to.0, to.1
            );
        }
    }
    for (name, colour, values) in &lines {
        line(&mut out, x, y, &sizes, values, name, colour);
    }
    out + "</svg>\n"
}

fn grid(out: &mut String, x: Axis, y: Axis) {
    for tick in x.ticks() {
        let at = x.at(tick);
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{}\" stroke=\"#e9ecef\"/>",
            HEIGHT - BOTTOM
        );
        let _ =
            writeln!(out, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>", HEIGHT - BOTTOM + 16.0);
    }
    for tick in y.ticks() {
        let at = y.at(tick);
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\" stroke=\"#e9ecef\"/>",
            WIDTH - RIGHT
        );
        let _ = writeln!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>", LEFT - 6.0, at + 4.0);
    }
}

fn line(out: &mut String, x: Axis, y: Axis, sizes: &[f64], values: &[f64], name: &str, colour: &str) {
    let points: Vec<(f64, f64)> = sizes.iter().zip(values).map(|(size, value)| (x.at(*size), y.at(*value))).collect();
    let text: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ =
        writeln!(out, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", text.join(" "));
    for (x, y) in &points {
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    if let Some((x, y)) = points.last() {
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>", x + 8.0, y + 4.0);
    }
}
