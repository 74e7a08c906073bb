//! Which modules of a code are dark, and where they lie in the image.

use qrcode::{Color, EcLevel, QrCode};

use crate::{Level, QUIET_ZONE, QrError, QrOptions};

/// A code and its place in the image.
pub(crate) struct Grid {
    /// Modules on each side, without the quiet zone.
    modules: u32,
    /// Row by row, true for dark.
    dark: Vec<bool>,
    /// Pixels of a module on each side.
    pub(crate) scale: u32,
    /// Pixels before the first module; at least the quiet zone, and more where the size is no multiple.
    pub(crate) margin: u32,
}

/// Dark modules that lie side by side.
pub(crate) struct Run {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) length: u32,
}

impl Grid {
    /// The smallest code of the level that holds `content`, as large as fits and centred.
    pub(crate) fn new(content: &str, options: &QrOptions) -> Result<Self, QrError> {
        let level = options.level();
        // All that can go wrong with bytes of any kind is that there are too many of them.
        let code = QrCode::with_error_correction_level(content, ec_level(level)).map_err(|_| QrError::ContentTooLong { level })?;
        let size = options.size();
        let modules = u32::try_from(code.width()).map_err(|_| QrError::ContentTooLong { level })?;
        let needed = modules + 2 * QUIET_ZONE;
        let scale = size / needed;
        if scale == 0 {
            return Err(QrError::SizeTooSmall { size, needed });
        }
        let dark = code.into_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { modules, dark, scale, margin: (size - modules * scale) / 2 })
    }

    /// The dark modules row by row, without those of the quiet zone, which has none.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for ((x, y), _) in self.positions().zip(&self.dark).filter(|(_, dark)| **dark) {
            match runs.last_mut() {
                Some(run) if run.y == y && run.x + run.length == x => run.length += 1,
                _ => runs.push(Run { x, y, length: 1 }),
            }
        }
        runs
    }

    fn positions(&self) -> impl Iterator<Item = (u32, u32)> {
        let modules = self.modules;
        (0..modules).flat_map(move |y| (0..modules).map(move |x| (x, y)))
    }
}

fn ec_level(level: Level) -> EcLevel {
    match level {
        Level::L => EcLevel::L,
        Level::M => EcLevel::M,
        Level::Q => EcLevel::Q,
        Level::H => EcLevel::H,
    }
}
