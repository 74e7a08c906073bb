//! Zip archives as a channel's machines write them: names in any character set, and no word of which.

use std::io::{self, Write};

use flate2::{Compression, Crc, write::DeflateEncoder};

/// The time that every file says it is from: midnight of the first day that the format knows.
const TIME_AND_DAY: [u8; 4] = [0, 0, 0x21, 0];

/// What is needed to unpack: version 2.0, which knows deflate and folders.
const VERSION: [u8; 2] = [20, 0];

const DEFLATED: [u8; 2] = [8, 0];

/// Packs files, each with the bytes of its name. Errors: a file or the whole is larger than the format can say (4 GiB), or
/// there are too many.
pub(crate) fn zip(files: &[(Vec<u8>, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let start = size(archive.len())?;
        let head = head(name, content)?;
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&head.common);
        archive.extend_from_slice(name);
        archive.extend_from_slice(&head.packed);
        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&VERSION);
        directory.extend_from_slice(&head.common);
        // No comment, the first disk, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&start);
        directory.extend_from_slice(name);
    }
    let (start, length) = (size(archive.len())?, size(directory.len())?);
    let count = u16::try_from(files.len()).map_err(|_| too_large())?.to_le_bytes();
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&[count, count].concat());
    archive.extend_from_slice(&length);
    archive.extend_from_slice(&start);
    archive.extend_from_slice(&[0, 0]);
    Ok(archive)
}

/// What stands about a file both before it and in the directory.
struct Head {
    common: Vec<u8>,
    packed: Vec<u8>,
}

fn head(name: &[u8], content: &[u8]) -> io::Result<Head> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content)?;
    let packed = encoder.finish()?;
    let mut sum = Crc::new();
    sum.update(content);
    let name_length = u16::try_from(name.len()).map_err(|_| too_large())?.to_le_bytes();
    let mut common = Vec::new();
    common.extend_from_slice(&VERSION);
    // No flag, so nothing says that a name is UTF-8.
    common.extend_from_slice(&[0, 0]);
    common.extend_from_slice(&DEFLATED);
    common.extend_from_slice(&TIME_AND_DAY);
    common.extend_from_slice(&sum.sum().to_le_bytes());
    common.extend_from_slice(&size(packed.len())?);
    common.extend_from_slice(&size(content.len())?);
    common.extend_from_slice(&name_length);
    // Nothing extra.
    common.extend_from_slice(&[0, 0]);
    Ok(Head { common, packed })
}

fn size(length: usize) -> io::Result<[u8; 4]> {
    u32::try_from(length).map(u32::to_le_bytes).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::other("an archive cannot hold so much")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_by_others() {
        let long = "a line\r\n".repeat(1_000).into_bytes();
        let packed = zip(&[(vec![0xd2, 0xb5, b'.'], long.clone()), (b"b/c.csv".to_vec(), Vec::new())]).unwrap();
        assert!(packed.len() < 1_000);
        let mut archive = ::zip::ZipArchive::new(io::Cursor::new(packed)).unwrap();
        let mut unpacked = |place| {
            let (mut entry, mut content) = (archive.by_index(place).unwrap(), Vec::new());
            io::Read::read_to_end(&mut entry, &mut content).unwrap();
            (entry.name_raw().to_vec(), content)
        };
        assert_eq!(unpacked(0), (vec![0xd2, 0xb5, b'.'], long));
        assert_eq!(unpacked(1), (b"b/c.csv".to_vec(), Vec::new()));
    }
}
