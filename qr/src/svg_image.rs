//! SVG with one path for all dark modules.

use std::fmt::Write;

use crate::QrOptions;
use crate::grid::Grid;

pub(crate) fn draw(grid: &Grid, options: &QrOptions) -> String {
    let Grid { scale, margin, .. } = *grid;
    let mut path = String::new();
    for run in grid.runs() {
        let (x, y, length) = (margin + run.x * scale, margin + run.y * scale, run.length * scale);
        write!(path, "M{x} {y}h{length}v{scale}h-{length}z").expect("writing to a string cannot fail");
    }
    let (size, foreground, background) = (options.size(), options.foreground(), options.background());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size}\" height=\"{size}\" viewBox=\"0 0 {size} {size}\" \
         shape-rendering=\"crispEdges\"><path fill=\"{background}\" d=\"M0 0h{size}v{size}h-{size}z\"/>\
         <path fill=\"{foreground}\" d=\"{path}\"/></svg>"
    )
}
