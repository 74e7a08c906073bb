//! QR codes as PNG and SVG images, with the options of the public API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

mod grid;
mod options;
mod png_image;
mod svg_image;

pub use options::{DEFAULT_SIZE, Level, MAX_SIZE, MIN_SIZE, OptionError, OptionFault, OptionField, QrOptions, Rgb};

/// The modules of quiet zone on each side that scanners need.
pub const QUIET_ZONE: u32 = 4;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// No QR code of this level holds so much.
    #[error("the content is too long for a QR code of level {}", level.letter())]
    ContentTooLong {
        /// The level that was asked for; a lower one holds more.
        level: Level,
    },
    /// The image has less than one pixel for each module of the code.
    #[error("the code needs at least {needed} pixels, not {size}")]
    SizeTooSmall {
        /// The size that was asked for, in pixels.
        size: u32,
        /// The smallest size that shows this code, in pixels.
        needed: u32,
    },
    /// The image could not be written.
    #[error("the PNG could not be written")]
    Png(#[from] ::png::EncodingError),
}

/// Draws `content` as a PNG of exactly `options.size()` pixels on each side, in two colours.
pub fn png(content: &str, options: &QrOptions) -> Result<Vec<u8>, QrError> {
    png_image::draw(&grid::Grid::new(content, options)?, options)
}

/// Draws `content` as an SVG document of `options.size()` pixels on each side.
pub fn svg(content: &str, options: &QrOptions) -> Result<String, QrError> {
    Ok(svg_image::draw(&grid::Grid::new(content, options)?, options))
}

/// The PNG as a `data:` URL, to stand in a page as it is.
pub fn data_url(content: &str, options: &QrOptions) -> Result<String, QrError> {
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png(content, options)?)))
}

#[cfg(test)]
mod tests;
