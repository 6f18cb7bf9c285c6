#![allow(clippy::unwrap_used)]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const TEXT: &str = "one\nwater\u{300} \u{1F30A}\n\nthree\n";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn zstandard(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

/// Writes a file under a name that says nothing, and reads it.
fn with<T>(content: &[u8], read: impl FnOnce(&Path) -> Result<T, TextError>) -> Result<T, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, content).unwrap();
    let name = path.display().to_string();
    read(&path).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default()).replace(&name, "file")
    })
}

fn xml(path: &Path) -> Result<String, TextError> {
    let mut text = String::new();
    let read = open_xml(path)?.read_to_string(&mut text);
    read.map_err(|source| unreadable(path, source))?;
    Ok(text)
}

#[test]
fn marks_and_packing_are_no_text() {
    let marked = ["\u{feff}", TEXT].concat();
    let halves = |pack: fn(&[u8]) -> Vec<u8>| {
        let (first, second) = marked.split_at(9);
        [pack(first.as_bytes()), pack(second.as_bytes())].concat()
    };
    // As pzstd begins: a frame to be skipped, of four bytes.
    let skipped = [
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd".as_slice(),
        &zstandard(TEXT.as_bytes()),
    ]
    .concat();
    for content in [
        TEXT.as_bytes().to_vec(),
        marked.as_bytes().to_vec(),
        gzip(marked.as_bytes()),
        zstandard(marked.as_bytes()),
        halves(gzip),
        halves(zstandard),
        skipped,
    ] {
        assert_eq!(with(&content, read).unwrap(), TEXT);
        assert_eq!(with(&content, xml).unwrap(), TEXT);
        let lines = with(&content, |path| {
            let mut lines = Lines::open(path)?;
            let mut all = Vec::new();
            while let Some((_, line)) = lines.next_good()? {
                all.push(line.to_owned());
            }
            Ok(all)
        });
        assert_eq!(lines.unwrap(), TEXT.lines().collect::<Vec<_>>());
    }
    // A mark within the text is a character of it.
    let within = "one\n\u{feff}two\n";
    assert_eq!(with(within.as_bytes(), read).unwrap(), within);
}

#[test]
fn utf16_is_read_where_the_format_allows_it() {
    let text = format!("<tmx>{}</tmx>", TEXT.repeat(3000));
    let marked = format!("\u{feff}{text}");
    let (little, big) = (
        utf16(&marked, u16::to_le_bytes),
        utf16(&marked, u16::to_be_bytes),
    );
    let bare = utf16(&text, u16::to_be_bytes);
    for content in [&little, &big, &bare, &gzip(&little)] {
        assert_eq!(with(content, xml).unwrap(), text);
        let message = with(content, read).unwrap_err();
        assert!(message.starts_with("file is UTF-16"), "{message}");
        assert!(message.contains("expected UTF-8: convert it"), "{message}");
    }
    for cut in [&little[..little.len() - 1], b"\xff\xfe\x00\xd8"] {
        let message = with(cut, xml).unwrap_err();
        assert_eq!(message, "file cannot be read: UTF-16 with half a character");
    }
    let message = with(b"\xff\xfe\0\0a\0\0\0", xml).unwrap_err();
    assert!(
        message.starts_with("file is UTF-32, expected UTF-8"),
        "{message}"
    );
}

#[test]
fn what_is_no_text_is_named() {
    let mut tar = vec![0; 1024];
    tar[..6].copy_from_slice(b"qrels\0");
    tar[257..262].copy_from_slice(b"ustar");
    let bzip2 = b"BZh91AY&SY\x8e\x05\xe9\xd1".to_vec();
    for (content, expected) in [
        (
            bzip2,
            "file is packed with bzip2, expected text, perhaps packed with gzip or zstd: unpack it first, with bunzip2",
        ),
        (b"\xfd7zXZ\0\0\x04".to_vec(), "file is packed with xz, "),
        (b"PK\x03\x04\x14\0".to_vec(), "file is a zip archive, "),
        (b"PAR1\x15\x04".to_vec(), "file is a Parquet file, "),
        (gzip(&tar), "file is a tar archive, "),
        (tar, "file is a tar archive, "),
        (gzip(&gzip(b"one")), "file is packed twice, "),
        (Vec::new(), "file is empty"),
        (b"\xef\xbb\xbf".to_vec(), "file is empty"),
        (gzip(b""), "file is empty"),
        (
            b"one\n\ncaf\xe9\n".to_vec(),
            "file:3: is not UTF-8: byte 0xe9 after 3 good ones",
        ),
    ] {
        let message = with(&content, read).unwrap_err();
        assert!(message.starts_with(expected), "{message}\n{expected}");
    }
    assert_eq!(with(b"BZh9 is a text\n", read).unwrap(), "BZh9 is a text\n");
    let folder = tempfile::tempdir().unwrap();
    let message = read(folder.path()).unwrap_err().to_string();
    assert!(
        message.ends_with(" is a folder, expected a file"),
        "{message}"
    );
    let message = read(&folder.path().join("none")).unwrap_err().to_string();
    assert!(message.ends_with("none cannot be read"), "{message}");
}

#[test]
fn packed_data_that_end_early_are_an_error() {
    let noise: Vec<u8> = (0_u32..20_000)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 64 + 32)
        .collect();
    for (packed, name) in [(gzip(&noise), "Gzip"), (zstandard(&noise), "Zstandard")] {
        for length in [packed.len() - 1, packed.len() / 2, 300, 5] {
            let message = with(&packed[..length], read).unwrap_err();
            let expected =
                format!("file cannot be read: its {name} data are damaged or end too early");
            assert_eq!(message, expected, "{length}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_as_it_was_written(text in "[^\u{feff}\0]{1,99}", packing in 0..3, mark: bool) {
        prop_assume!(encoding::of(text.as_bytes()).0.is_none() && packing::other(text.as_bytes()).is_none());
        let marked = if mark { format!("\u{feff}{text}") } else { text.clone() };
        let content = match packing {
            0 => marked.into_bytes(),
            1 => gzip(marked.as_bytes()),
            _ => zstandard(marked.as_bytes()),
        };
        prop_assert_eq!(with(&content, read).unwrap(), text.clone());
        let wide = utf16(&format!("\u{feff}{text}"), u16::to_le_bytes);
        prop_assert_eq!(with(&wide, xml).unwrap(), text);
    }

    #[test]
    fn any_bytes_are_text_or_an_error(
        start in prop::sample::select(vec![b"".to_vec(), b"\x1f\x8b\x08\0".to_vec(), b"\x28\xb5\x2f\xfd".to_vec(), b"\xff\xfe".to_vec(), b"\0<\0?".to_vec(), gzip(b"a\n")]),
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let content = [start, rest].concat();
        let _ = with(&content, read);
        let _ = with(&content, xml);
        let _ = with(&content, |path| {
            let mut lines = Lines::open(path)?;
            while lines.next()?.is_some() {}
            Ok(())
        });
    }
}
