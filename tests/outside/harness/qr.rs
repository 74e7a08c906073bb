//! Reads QR codes as a wallet's camera would.

/// The text in the one QR code of a PNG image.
pub(crate) fn read_png(png: &[u8]) -> String {
    try_read_png(png).unwrap_or_else(|reason| panic!("{reason}"))
}

/// The same, or why there is none: a camera may also see a page that has yet to show its code whole.
pub(crate) fn try_read_png(png: &[u8]) -> Result<String, String> {
    let (width, height, grey) = grey_pixels(png);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| grey[y * width + x]);
    match image.detect_grids().as_slice() {
        [code] => code.decode().map(|(_, text)| text).map_err(|error| format!("a code that cannot be read: {error}")),
        codes => Err(format!("{} codes in an image of {width} x {height} pixels", codes.len())),
    }
}

/// The text in the QR code of a `data:` address of a PNG image.
pub(crate) fn read_data_url(url: &str) -> String {
    read_png(&png_of_data_url(url))
}

/// The image in a `data:` address.
pub(crate) fn png_of_data_url(url: &str) -> Vec<u8> {
    use base64::Engine;
    let text = url.strip_prefix("data:image/png;base64,").unwrap_or_else(|| panic!("not a data: address of a PNG: {url}"));
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// Width, height and one grey byte for each pixel, row by row.
pub(crate) fn grey_pixels(png: &[u8]) -> (usize, usize, Vec<u8>) {
    let (width, height, rgb) = rgb_pixels(png);
    let grey = rgb.iter().map(|[red, green, blue]| ((u16::from(*red) + 2 * u16::from(*green) + u16::from(*blue)) / 4).to_le_bytes()[0]);
    (width, height, grey.collect())
}

/// Width, height and the colour of each pixel, row by row; what shines through is white.
pub(crate) fn rgb_pixels(png: &[u8]) -> (usize, usize, Vec<[u8; 3]>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut buffer).unwrap();
    buffer.truncate(info.buffer_size());
    let pixels = buffer.chunks_exact(info.color_type.samples()).map(|pixel| match *pixel {
        [grey] => [grey; 3],
        [grey, alpha] => over_white([grey; 3], alpha),
        [red, green, blue] => [red, green, blue],
        [red, green, blue, alpha] => over_white([red, green, blue], alpha),
        _ => panic!("a pixel has one to four samples"),
    });
    (usize::try_from(info.width).unwrap(), usize::try_from(info.height).unwrap(), pixels.collect())
}

fn over_white(colour: [u8; 3], alpha: u8) -> [u8; 3] {
    let weight = u16::from(alpha);
    colour.map(|sample| ((u16::from(sample) * weight + 255 * (255 - weight)) / 255).to_le_bytes()[0])
}
