use png::{BitDepth, ColorType, Decoder, Transformations};

use super::*;

const CONTENT: &str = "https://qr.alipay.com/bax03431ljhokirwl38f00a7";

fn options(size: u32, level: Level) -> QrOptions {
    QrOptions::new(size, level, Rgb::BLACK, Rgb::WHITE).unwrap()
}

/// The image's size and its pixels as colours, row by row.
fn colours(png: &[u8]) -> (u32, Vec<Rgb>) {
    let mut decoder = Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.color_type), (info.height, ColorType::Rgb));
    (info.width, pixels.chunks_exact(3).map(|pixel| Rgb([pixel[0], pixel[1], pixel[2]])).collect())
}

/// What a scanner reads from grey pixels, row by row.
fn scan(size: u32, grey: &[u8]) -> String {
    let width = size as usize;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, width, |x, y| grey[y * width + x]);
    let codes = image.detect_grids();
    assert_eq!(codes.len(), 1);
    codes[0].decode().unwrap().1
}

fn scan_png(png: &[u8]) -> String {
    let (size, pixels) = colours(png);
    let grey = pixels.iter().map(|Rgb([red, green, blue])| {
        u8::try_from((u32::from(*red) * 299 + u32::from(*green) * 587 + u32::from(*blue) * 114) / 1000).unwrap()
    });
    scan(size, &grey.collect::<Vec<u8>>())
}

/// The grey pixels of our SVG: the rectangles of its second path, black on white.
fn rasterise(svg: &str, size: u32) -> Vec<u8> {
    let width = size as usize;
    let mut grey = vec![255; width * width];
    let path = svg.split("d=\"").nth(2).unwrap().split('"').next().unwrap();
    for rectangle in path.split_terminator('z') {
        let numbers: Vec<usize> = rectangle.split(['M', ' ', 'h', 'v']).skip(1).take(4).map(|number| number.parse().unwrap()).collect();
        let [x, y, length, height] = numbers[..] else { panic!("{rectangle}") };
        for row in y..y + height {
            grey[row * width + x..][..length].fill(0);
        }
    }
    grey
}

#[test]
fn a_drawn_code_reads_as_its_content_at_every_level_and_size() {
    for level in Level::ALL {
        for size in [61, 100, 200, 333, MAX_SIZE] {
            let png = png(CONTENT, &options(size, level)).unwrap();
            assert_eq!(colours(&png).0, size);
            assert_eq!(scan_png(&png), CONTENT, "{level:?} at {size}");
            let svg = svg(CONTENT, &options(size, level)).unwrap();
            assert_eq!(scan(size, &rasterise(&svg, size)), CONTENT, "{level:?} at {size}");
        }
    }
}

#[test]
fn any_text_can_be_content() {
    for content in ["7", "数学课程 ¥99.00", "a\"<&>'", &"x".repeat(1000)] {
        assert_eq!(scan_png(&png(content, &options(400, Level::L)).unwrap()), content);
    }
}

#[test]
fn a_png_has_one_bit_a_pixel_and_the_two_colours_asked_for() {
    let (foreground, background) = (Rgb([0, 51, 102]), Rgb([255, 250, 205]));
    let png = png(CONTENT, &QrOptions::new(200, Level::M, foreground, background).unwrap()).unwrap();
    let reader = Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
    assert_eq!((reader.info().color_type, reader.info().bit_depth), (ColorType::Indexed, BitDepth::One));
    let (_, pixels) = colours(&png);
    assert!(pixels.contains(&foreground) && pixels.contains(&background));
    assert!(pixels.iter().all(|colour| [foreground, background].contains(colour)));
    assert_eq!(scan_png(&png), CONTENT);
    assert!(png.len() < 2000);
}

#[test]
fn an_svg_has_the_colours_and_the_size_asked_for_and_nothing_of_the_content() {
    let options = QrOptions::new(240, Level::Q, Rgb([0, 51, 102]), Rgb([255, 250, 205])).unwrap();
    let svg = svg("</svg><script>", &options).unwrap();
    for part in ["<svg xmlns=", "width=\"240\" height=\"240\"", "fill=\"#003366\"", "fill=\"#fffacd\""] {
        assert!(svg.contains(part), "{part}");
    }
    assert!(!svg.contains("script") && svg.matches("</svg>").count() == 1);
}

#[test]
fn the_quiet_zone_is_kept_on_every_side() {
    // A level M code of this content has 33 modules, so 41 with the quiet zone: 5 pixels each, 1 pixel to spare.
    let (size, pixels) = colours(&png(CONTENT, &options(206, Level::M)).unwrap());
    let is_dark = |x: u32, y: u32| pixels[(y * size + x) as usize] == Rgb::BLACK;
    let dark: Vec<(u32, u32)> = (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).filter(|&(x, y)| is_dark(x, y)).collect();
    let bounds = |part: fn(&(u32, u32)) -> u32| (dark.iter().map(part).min().unwrap(), dark.iter().map(part).max().unwrap());
    assert_eq!((bounds(|dark| dark.0), bounds(|dark| dark.1)), ((20, 184), (20, 184)));
}

#[test]
fn the_smallest_size_that_shows_a_code_is_taken_and_a_smaller_one_names_it() {
    let content = "x".repeat(200);
    let refused = png(&content, &options(MIN_SIZE, Level::H)).unwrap_err();
    let QrError::SizeTooSmall { size: MIN_SIZE, needed } = refused else { panic!("{refused}") };
    assert!(matches!(svg(&content, &options(needed - 1, Level::H)), Err(QrError::SizeTooSmall { .. })));
    assert_eq!(scan_png(&png(&content, &options(needed, Level::H)).unwrap()), content);
}

#[test]
fn content_that_no_code_holds_is_refused() {
    for (level, bytes) in [(Level::L, 2953), (Level::M, 2331), (Level::Q, 1663), (Level::H, 1273)] {
        assert!(png(&"x".repeat(bytes), &options(MAX_SIZE, level)).is_ok(), "{level:?}");
        let refused = png(&"x".repeat(bytes + 1), &options(MAX_SIZE, level));
        assert!(matches!(refused, Err(QrError::ContentTooLong { level: named }) if named == level), "{level:?}");
    }
}

#[test]
fn a_data_url_holds_the_png() {
    let url = data_url(CONTENT, &QrOptions::default()).unwrap();
    let file = STANDARD.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    assert_eq!(file, png(CONTENT, &QrOptions::default()).unwrap());
    assert_eq!((colours(&file).0, scan_png(&file).as_str()), (DEFAULT_SIZE, CONTENT));
}
