//! Figures as bars in SVG, each with its aim as a line: one picture, no library.

use std::fmt::Write as _;

use crate::table::{Evidence, Gathered};

const WIDTH: f64 = 820.0;
const LEFT: f64 = 290.0;
/// For the figure behind a bar.
const RIGHT: f64 = 220.0;
const ROW: f64 = 34.0;

/// A bar for each figure; figures of one unit share a scale.
pub(super) fn bars(name: &str, gathered: &Gathered) -> String {
    let bars: Vec<Bar<'_>> = gathered.rows.iter().filter_map(Bar::of).collect();
    #[expect(clippy::cast_precision_loss)] // Some rows.
    let height = 50.0 + ROW * bars.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"12\" y=\"26\" \
         font-size=\"16\">{name}</text>\n"
    );
    let mut top = 44.0;
    for bar in &bars {
        let same = bars.iter().filter(|other| other.unit == bar.unit);
        let largest = same.map(|other| other.value.max(other.aim.unwrap_or(0.0))).fold(0.0, f64::max);
        let scale = if largest > 0.0 { (WIDTH - LEFT - RIGHT) / largest } else { 0.0 };
        bar.draw(&mut svg, top, scale);
        top += ROW;
    }
    svg + "</svg>\n"
}

struct Bar<'a> {
    id: &'a str,
    value: f64,
    unit: &'a str,
    aim: Option<f64>,
    /// The aim in words.
    wanted: String,
    ok: bool,
}

impl<'a> Bar<'a> {
    fn of(row: &'a Evidence) -> Option<Self> {
        let aim = row.aim.rsplit(' ').next().and_then(|aim| aim.parse().ok());
        let wanted = row.aim.replace("<=", "\u{2264}").replace(">=", "\u{2265}");
        Some(Self { id: &row.id, value: row.value.as_f64()?, unit: row.unit, aim, wanted, ok: row.ok })
    }

    fn draw(&self, svg: &mut String, top: f64, scale: f64) {
        let Self { id, value, unit, .. } = self;
        let (length, text) = (value * scale, top + 15.0);
        let colour = if self.ok { "#3b6ea5" } else { "#b5502f" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{id}</text>\
             <rect x=\"{LEFT:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"20\" fill=\"{colour}\"/>",
            LEFT - 8.0,
        );
        let mut end = LEFT + length;
        if let Some(aim) = self.aim {
            let at = LEFT + aim * scale;
            end = end.max(at);
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"black\" \
                 stroke-dasharray=\"3 2\"/>",
                top - 4.0,
                top + 24.0
            );
        }
        let aim = if self.wanted.is_empty() { String::new() } else { format!(" (aim {})", self.wanted) };
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{text:.1}\">{value} {unit}{aim}</text>", end + 8.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Figure;

    #[test]
    fn figures_and_aims_of_a_unit_share_a_scale() {
        let mut gathered = Gathered::default();
        gathered.figure("a", "a", Figure::noted(1.0, "ms"));
        gathered.figure("b", "b", Figure::at_most(1.5, "ms", 2.0));
        let svg = bars("x", &gathered);
        assert!(svg.contains("width=\"155.0\"") && svg.contains("width=\"232.5\""), "{svg}");
        assert!(svg.contains("x1=\"600.0\""), "the aim is the largest: {svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
