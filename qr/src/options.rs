//! How a code is to look, read from the texts of a query string.

use std::fmt;
use std::str::FromStr;

/// The smallest image, in pixels on each side.
pub const MIN_SIZE: u32 = 50;
/// The largest image, in pixels on each side.
pub const MAX_SIZE: u32 = 1000;
/// The image's size where none is asked for, in pixels on each side.
pub const DEFAULT_SIZE: u32 = 200;

/// By how much the background must be lighter than the foreground, in thousandths of the way from black to white.
/// ISO/IEC 15415 calls a symbol contrast of 40 % fair (grade C) and less poor.
const MIN_CONTRAST: u32 = 400;

/// How much of a code may be hidden or dirty before it cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Level {
    /// About 7 %.
    #[default]
    L,
    /// About 15 %.
    M,
    /// About 25 %.
    Q,
    /// About 30 %.
    H,
}

impl Level {
    /// Every level, from the weakest.
    pub const ALL: [Self; 4] = [Self::L, Self::M, Self::Q, Self::H];

    /// The level's letter.
    pub fn letter(self) -> char {
        match self {
            Self::L => 'L',
            Self::M => 'M',
            Self::Q => 'Q',
            Self::H => 'H',
        }
    }
}

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub [u8; 3]);

impl Rgb {
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// White.
    pub const WHITE: Self = Self([255; 3]);

    /// How light the colour is, from 0 (black) to 1000 (white): the usual weights of red, green and blue light, whose
    /// strength goes close enough to the square of what is written in the colour.
    fn lightness(self) -> u32 {
        let [red, green, blue] = self.0.map(|part| u32::from(part).pow(2));
        (2126 * red + 7152 * green + 722 * blue) / (10 * 255 * 255)
    }
}

/// Reads `#rrggbb` or `rrggbb`.
impl FromStr for Rgb {
    type Err = OptionFault;

    fn from_str(text: &str) -> Result<Self, OptionFault> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(OptionFault::NotAColour);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| OptionFault::NotAColour)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

/// Writes `#rrggbb`.
impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The option that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionField {
    /// `size`
    Size,
    /// `level`
    Level,
    /// `foreground`
    Foreground,
    /// `background`
    Background,
}

impl OptionField {
    /// The option's name in the query string.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Level => "level",
            Self::Foreground => "foreground",
            Self::Background => "background",
        }
    }
}

/// What is wrong with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionFault {
    /// No whole number.
    #[error("must be a whole number")]
    NotANumber,
    /// Outside of the bounds.
    #[error("must be from {MIN_SIZE} to {MAX_SIZE}")]
    OutOfRange,
    /// None of the four letters.
    #[error("must be L, M, Q or H")]
    NotALevel,
    /// No colour in six hexadecimal digits.
    #[error("must be a colour such as #1a2b3c")]
    NotAColour,
    /// Scanners could not tell the two colours apart, or not which of them is the darker one.
    #[error("must be much darker than the background")]
    TooLittleContrast,
}

impl OptionFault {
    /// The fault as a stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotANumber => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::NotALevel => "unknown_value",
            Self::NotAColour => "malformed",
            Self::TooLittleContrast => "too_little_contrast",
        }
    }
}

/// One option that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {fault}", field.name())]
pub struct OptionError {
    /// Which one.
    pub field: OptionField,
    /// What is wrong with it.
    pub fault: OptionFault,
}

/// How a code is to look. Always readable: the size is within bounds and the colours are far enough apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QrOptions {
    size: u32,
    level: Level,
    foreground: Rgb,
    background: Rgb,
}

impl Default for QrOptions {
    fn default() -> Self {
        Self { size: DEFAULT_SIZE, level: Level::default(), foreground: Rgb::BLACK, background: Rgb::WHITE }
    }
}

impl QrOptions {
    /// Options for an image of `size` pixels on each side. Errors: the field and its fault.
    pub fn new(size: u32, level: Level, foreground: Rgb, background: Rgb) -> Result<Self, OptionError> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) {
            return Err(OptionError { field: OptionField::Size, fault: OptionFault::OutOfRange });
        }
        if background.lightness() < foreground.lightness() + MIN_CONTRAST {
            return Err(OptionError { field: OptionField::Foreground, fault: OptionFault::TooLittleContrast });
        }
        Ok(Self { size, level, foreground, background })
    }

    /// Options from the texts of a query string; what is absent has its default.
    ///
    /// Errors: the field and its fault, the first one in the order of the arguments.
    pub fn parse(size: Option<&str>, level: Option<&str>, foreground: Option<&str>, background: Option<&str>) -> Result<Self, OptionError> {
        let default = Self::default();
        Self::new(
            read(OptionField::Size, size, default.size, read_size)?,
            read(OptionField::Level, level, default.level, read_level)?,
            read(OptionField::Foreground, foreground, default.foreground, str::parse)?,
            read(OptionField::Background, background, default.background, str::parse)?,
        )
    }

    /// The image's size in pixels on each side.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// How much may be hidden.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The colour of the code.
    pub fn foreground(&self) -> Rgb {
        self.foreground
    }

    /// The colour around it.
    pub fn background(&self) -> Rgb {
        self.background
    }
}

fn read<T>(
    field: OptionField,
    text: Option<&str>,
    default: T,
    parse: impl FnOnce(&str) -> Result<T, OptionFault>,
) -> Result<T, OptionError> {
    text.map_or(Ok(default), |text| parse(text).map_err(|fault| OptionError { field, fault }))
}

fn read_size(text: &str) -> Result<u32, OptionFault> {
    if text.is_empty() || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(OptionFault::NotANumber);
    }
    text.parse().map_err(|_| OptionFault::OutOfRange)
}

fn read_level(text: &str) -> Result<Level, OptionFault> {
    let is_named = |level: &Level| text.eq_ignore_ascii_case(level.letter().encode_utf8(&mut [0; 4]));
    Level::ALL.into_iter().find(is_named).ok_or(OptionFault::NotALevel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(result: Result<QrOptions, OptionError>) -> (&'static str, OptionFault) {
        let error = result.unwrap_err();
        (error.field.name(), error.fault)
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let options = QrOptions::parse(None, None, None, None).unwrap();
        assert_eq!(options, QrOptions::default());
        assert_eq!((options.size(), options.level()), (200, Level::L));
        assert_eq!((options.foreground(), options.background()), (Rgb::BLACK, Rgb::WHITE));
    }

    #[test]
    fn what_is_given_is_read() {
        let options = QrOptions::parse(Some("320"), Some("H"), Some("#102030"), Some("F0f0E0")).unwrap();
        assert_eq!(options, QrOptions::new(320, Level::H, Rgb([16, 32, 48]), Rgb([240, 240, 224])).unwrap());
    }

    #[test]
    fn a_size_is_a_whole_number_within_bounds() {
        for size in ["50", "1000", "0200"] {
            assert!(QrOptions::parse(Some(size), None, None, None).is_ok(), "{size}");
        }
        for size in ["49", "0", "1001", "4294967296", "99999999999999999999"] {
            assert_eq!(fault(QrOptions::parse(Some(size), None, None, None)), ("size", OptionFault::OutOfRange), "{size}");
        }
        for size in ["", "big", "-1", "+200", "200.0", " 200"] {
            assert_eq!(fault(QrOptions::parse(Some(size), None, None, None)), ("size", OptionFault::NotANumber), "{size}");
        }
    }

    #[test]
    fn a_level_is_one_of_four_letters() {
        for level in Level::ALL {
            let (upper, lower) = (level.letter().to_string(), level.letter().to_string().to_lowercase());
            for text in [upper, lower] {
                assert_eq!(QrOptions::parse(None, Some(&text), None, None).unwrap().level(), level);
            }
        }
        for text in ["", "X", "LM", "é"] {
            assert_eq!(fault(QrOptions::parse(None, Some(text), None, None)), ("level", OptionFault::NotALevel), "{text}");
        }
    }

    #[test]
    fn a_colour_is_six_hexadecimal_digits() {
        assert_eq!("#0a0B0c".parse(), Ok(Rgb([10, 11, 12])));
        assert_eq!(Rgb([10, 11, 12]).to_string(), "#0a0b0c");
        for text in ["", "#", "#fff", "white", "#12345g", "##123456", "+12345", "#1234567", "ü2345"] {
            assert_eq!(fault(QrOptions::parse(None, None, Some(text), None)), ("foreground", OptionFault::NotAColour), "{text}");
            assert_eq!(fault(QrOptions::parse(None, None, None, Some(text))), ("background", OptionFault::NotAColour), "{text}");
        }
    }

    #[test]
    fn colours_that_scanners_cannot_tell_apart_are_refused() {
        for (foreground, background) in
            [("000000", "000000"), ("ffffff", "ffffff"), ("ffff00", "ffffff"), ("000000", "808080"), ("808080", "b0b0b0")]
        {
            let read = QrOptions::parse(None, None, Some(foreground), Some(background));
            assert_eq!(fault(read), ("foreground", OptionFault::TooLittleContrast), "{foreground} on {background}");
        }
    }

    #[test]
    fn a_light_code_on_a_dark_ground_is_refused() {
        let read = QrOptions::parse(None, None, Some("ffffff"), Some("000000"));
        assert_eq!(fault(read), ("foreground", OptionFault::TooLittleContrast));
    }

    #[test]
    fn colours_with_enough_contrast_are_taken() {
        for (foreground, background) in [("003366", "ffffff"), ("ff0000", "ffffff"), ("000000", "87ceeb"), ("1677ff", "ffffff")] {
            assert!(QrOptions::parse(None, None, Some(foreground), Some(background)).is_ok(), "{foreground} on {background}");
        }
    }

    #[test]
    fn an_error_names_the_field_and_what_it_must_be() {
        let error = QrOptions::parse(Some("7"), None, None, None).unwrap_err();
        assert_eq!(error.to_string(), "size must be from 50 to 1000");
        assert_eq!(error.fault.code(), "out_of_range");
    }
}
