//! PNG with one bit a pixel and a palette of two colours.

use png::{BitDepth, ColorType, Encoder};

use crate::grid::Grid;
use crate::{QrError, QrOptions};

pub(crate) fn draw(grid: &Grid, options: &QrOptions) -> Result<Vec<u8>, QrError> {
    let size = options.size();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, size, size);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::One);
    encoder.set_palette([options.background().0, options.foreground().0].concat());
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels(grid, size))?;
    writer.finish()?;
    Ok(file)
}

/// Rows of pixels, eight in a byte, the first in its highest bit; 1 is the palette's second colour.
fn pixels(grid: &Grid, size: u32) -> Vec<u8> {
    let row_bytes = size.div_ceil(8) as usize;
    let mut pixels = vec![0; row_bytes * size as usize];
    for run in grid.runs() {
        let (left, top) = (grid.margin + run.x * grid.scale, grid.margin + run.y * grid.scale);
        for y in top..top + grid.scale {
            let row = &mut pixels[y as usize * row_bytes..][..row_bytes];
            for x in left..left + run.length * grid.scale {
                row[x as usize / 8] |= 0x80 >> (x % 8);
            }
        }
    }
    pixels
}
