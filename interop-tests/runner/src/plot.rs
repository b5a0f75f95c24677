//! Figures as bars in SVG: one picture, no library.

use std::fmt::Write as _;

use crate::{bench::values, table::Gathered};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 320.0;
const ROW: f64 = 34.0;

/// A bar for each figure; figures of one unit share a scale.
pub(crate) fn bars(name: &str, gathered: &Gathered) -> String {
    let figures = values(gathered);
    #[expect(clippy::cast_precision_loss)] // Some rows.
    let height = 50.0 + ROW * figures.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"12\" y=\"26\" \
         font-size=\"16\">{name}</text>\n"
    );
    let mut top = 44.0;
    for (id, value, unit) in &figures {
        let largest = figures
            .iter()
            .filter(|(_, _, other)| other == unit)
            .map(|(_, value, _)| *value)
            .fold(0.0, f64::max);
        let length = if largest > 0.0 { (WIDTH - LEFT - 130.0) * value / largest } else { 0.0 };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{id}</text>\
             <rect x=\"{LEFT:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"20\" fill=\"#3b6ea5\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{value} {unit}</text>",
            LEFT - 8.0,
            top + 15.0,
            LEFT + length + 8.0,
            top + 15.0
        );
        top += ROW;
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Figure;

    #[test]
    fn the_longest_bar_of_a_unit_is_the_largest_figure() {
        let mut gathered = Gathered::default();
        gathered.figure("a", "a", Figure::noted(1.0, "ms"));
        gathered.figure("b", "b", Figure::noted(2.0, "ms"));
        let svg = bars("x", &gathered);
        assert!(svg.contains("width=\"310.0\"") && svg.contains("width=\"155.0\""), "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
