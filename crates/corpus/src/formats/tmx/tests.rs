#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::report::{BitextReport, DropReason};
use crate::testing::{folder, pairs_of};

fn read(text: &str, changed: &str) -> Result<(Vec<String>, BitextReport), String> {
    let (_folder, roots) = folder(&[("a.tmx", text)]);
    let source =
        "format = 'tmx'\nfile = 'a.tmx'\nenglish = 'en'\nforeign = 'sw'\nlanguages = ['swa']";
    let read = crate::testing::read(&[source.to_owned()], &roots, changed);
    let (bitext, report) = read.map_err(|error| error.to_string())?;
    Ok((pairs_of(bitext), report))
}

const MEMORY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" datatype="plaintext"/><body>
<tu tuid="1"><tuv xml:lang="EN-gb"><seg>Bread &amp; <bpt i="1">&lt;b&gt;</bpt>water<ept i="1">&lt;/b&gt;</ept>.</seg></tuv>
 <tuv xml:lang="sw"><seg>Mkate na maji&#x2E;</seg></tuv></tu>
<tu><tuv lang="en"><seg><![CDATA[A < B]]></seg></tuv><tuv lang="sw"><seg>A <hi>chini</hi> ya B</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>One.</seg></tuv><tuv xml:lang="swg"><seg>Oins.</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Two.</seg></tuv><tuv xml:lang="sw"><seg/></tuv></tu>
</body></tmx>
"#;

#[test]
fn units_become_pairs_without_mark_up() {
    let (pairs, report) = read(MEMORY, "").unwrap();
    let expected = ["Bread & water. = Mkate na maji.", "A < B = A chini ya B"];
    assert_eq!(pairs, expected);
    let counts = &report.languages["swa"];
    let found = (counts.read, counts.kept, counts.of(DropReason::Empty));
    assert_eq!(found, (4, 2, 2));
}

#[test]
fn a_unit_that_cannot_be_understood_is_a_bad_line() {
    let text = MEMORY.replace("&amp;", "&nothing; &amp;");
    let (pairs, report) = read(&text, "maximum_bad_share = 0.25").unwrap();
    assert_eq!(pairs, ["A < B = A chini ya B"]);
    let counts = &report.languages["swa"];
    assert_eq!((counts.read, counts.bad_lines), (3, 1));
    let listed = counts.first_bad_lines[0].to_string();
    assert!(
        listed.ends_with("a.tmx:4: is not XML: unknown entity &nothing;"),
        "{listed}"
    );
}

#[test]
fn damaged_memories_name_file_and_line() {
    for (text, expected) in [
        (
            MEMORY.replace("</body></tmx>", ""),
            "a.tmx:10: is not XML: it ends before </tmx>",
        ),
        (
            MEMORY.replace(
                "</seg></tuv></tu>\n<tu><tuv lang",
                "</tuv></tu>\n<tu><tuv lang",
            ),
            "a.tmx:4: is not XML: <seg> is not closed",
        ),
        (
            MEMORY.replace(" lang=\"sw\"", ""),
            "a.tmx:6: is not XML: <tuv> has no xml:lang",
        ),
        (
            MEMORY.replace("&amp;", "&nothing;"),
            "a.tmx:4: is not XML: unknown entity &nothing;",
        ),
        (
            "English\tSwahili\n".into(),
            "is not XML: it ends before </tmx>",
        ),
    ] {
        let message = read(&text, "").unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

/// A memory with units of a sentence each, as tools write them.
fn memory(units: &[(&str, &str)]) -> String {
    let unit = |(english, swahili): &(&str, &str)| {
        format!(
            "<tu>\n<tuv xml:lang=\"en-US\"><seg>{english}</seg></tuv>\n\
             <tuv xml:lang=\"sw-KE\"><seg>{swahili}</seg></tuv>\n</tu>\n"
        )
    };
    let units: String = units.iter().map(unit).collect();
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tmx version=\"1.4\">\n<body>\n";
    format!("{head}{units}</body>\n</tmx>\n")
}

fn three() -> String {
    memory(&[
        ("The market opens.", "Soko hufunguliwa."),
        ("Rain fell.", "Mvua ilinyesha."),
        ("We walked.", "Tulitembea."),
    ])
}

const ALL: [&str; 3] = [
    "The market opens. = Soko hufunguliwa.",
    "Rain fell. = Mvua ilinyesha.",
    "We walked. = Tulitembea.",
];

#[test]
fn a_broken_unit_costs_itself() {
    let first_and_last = [ALL[0], ALL[2]];
    for (from, to, kept, expected) in [
        (
            "</tu>\n<tu>",
            "\n<tu>",
            &ALL[1..],
            "a.tmx:4: is not XML: <tu> is not closed",
        ),
        (
            "</tu>\n<tu>",
            "</tu>\n",
            &first_and_last[..],
            "a.tmx:9: is not XML: there is no <tu> before it",
        ),
        (
            "Rain fell.</seg>",
            "Rain fell.",
            &first_and_last,
            "a.tmx:8: is not XML: <seg> is not closed",
        ),
        (
            "<seg>Rain fell.</seg>",
            "Rain fell.",
            &first_and_last,
            "a.tmx:8: is not XML: the <tuv> of en-US has no <seg>",
        ),
        (
            "<seg>Rain fell.",
            "Rain fell.",
            &first_and_last,
            "a.tmx:8: is not XML: there is no <seg> before </seg>",
        ),
        (
            "<seg>Rain",
            "<seg>Rain</seg><seg>",
            &first_and_last,
            "a.tmx:8: is not XML: <tuv> has more than one <seg>",
        ),
        (
            "Rain",
            "<ph>Rain",
            &first_and_last,
            "a.tmx:8: is not XML: mark-up in <seg> is not closed",
        ),
        (
            "Rain",
            "a < b",
            &first_and_last,
            "a.tmx:8: is not XML: <seg> is not closed",
        ),
        (
            "Rain",
            "&rain;",
            &first_and_last,
            "a.tmx:8: is not XML: unknown entity &rain;",
        ),
        ("Rain", "&#xD800;", &first_and_last, "a.tmx:8: is not XML: "),
    ] {
        let text = three().replacen(from, to, 1);
        assert_ne!(text, three());
        let message = read(&text, "").unwrap_err();
        assert!(message.contains(" 1 bad of "), "{message}");
        assert!(message.contains(expected), "{message}\n{expected}");
        let (pairs, report) = read(&text, "maximum_bad_share = 0.5").unwrap();
        assert_eq!(pairs, kept, "{expected}");
        assert_eq!(report.languages["swa"].bad_lines, 1, "{expected}");
    }
    // The last unit, at the end of the memory.
    let text = three().replace("</tu>\n</body>", "</body>");
    assert_eq!(read(&text, "maximum_bad_share = 0.5").unwrap().0, ALL[..2]);
}

#[test]
fn an_ampersand_that_begins_no_reference_stands_for_itself() {
    for (written, expected) in [
        ("Rain & wind fell.", "Rain & wind fell. = Mvua ilinyesha."),
        ("AT&T fell; we ran.", "AT&T fell; we ran. = Mvua ilinyesha."),
        ("Rain fell &", "Rain fell & = Mvua ilinyesha."),
        ("A &amp; B &lt; C", "A & B < C = Mvua ilinyesha."),
    ] {
        let (pairs, _) = read(&three().replace("Rain fell.", written), "").unwrap();
        assert_eq!(pairs, [ALL[0], expected, ALL[2]]);
    }
}

#[test]
fn a_memory_may_be_utf16_and_packed() {
    let (folder, roots) = folder::<&str>(&[]);
    let source =
        "format = 'tmx'\nfile = 'a.tmx'\nenglish = 'en'\nforeign = 'sw'\nlanguages = ['swa']";
    let read = || crate::testing::read(&[source.to_owned()], &roots, "");
    let marked = format!("\u{feff}{}", three().replace("UTF-8", "UTF-16"));
    let units = |bytes: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(bytes).collect();
    let little: Vec<u8> = units(u16::to_le_bytes);
    let packed = zstd::encode_all(&little[..], 1).unwrap();
    for bytes in [&little, &units(u16::to_be_bytes), &packed] {
        std::fs::write(folder.path().join("a.tmx"), bytes).unwrap();
        assert_eq!(pairs_of(read().unwrap().0), ALL);
    }
    let latin = three().replace("UTF-8", "ISO-8859-1");
    std::fs::write(folder.path().join("a.tmx"), latin).unwrap();
    let message = read().unwrap_err().to_string();
    let expected = "a.tmx:1: is not XML: it says that it is ISO-8859-1, expected UTF-8 or UTF-16";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn language_tags_are_found_or_listed() {
    let tags = |english: &str, foreign: &str| {
        let (_folder, roots) = folder(&[("a.tmx", &three())]);
        let source = format!(
            "format = 'tmx'\nfile = 'a.tmx'\nenglish = '{english}'\nforeign = '{foreign}'\nlanguages = ['swa']"
        );
        let read = crate::testing::read(&[source], &roots, "");
        read.map(|(bitext, _)| pairs_of(bitext))
            .map_err(|error| error.to_string())
    };
    for (english, foreign) in [("en", "sw"), ("en_US", "sw_KE"), ("EN-us", "SW")] {
        assert_eq!(tags(english, foreign).unwrap(), ALL);
    }
    let message = tags("en", "swa").unwrap_err();
    let expected = "a.tmx has no segment in 'swa'; its language tags are en-US, sw-KE";
    assert!(message.ends_with(expected), "{message}");
    assert!(
        tags("en-GB", "sw")
            .unwrap_err()
            .contains("no segment in 'en-GB'")
    );
}

proptest! {
    #[test]
    fn any_characters_are_units_or_an_error(text in "([<>/&;\"= a-z]|<tu>|</tu>|<tuv xml:lang='en'>|</tuv>|<seg>|</seg>|<ph>|</tmx>){0,40}") {
        let _ = read(&text, "maximum_bad_share = 1.0");
    }
}
