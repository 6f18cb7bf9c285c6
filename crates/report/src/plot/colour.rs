//! Colours that stay apart for readers who see red and green alike, and in grey.

/// Okabe and Ito's eight colours, without yellow and black, strongest first.
const SERIES: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b6b6b",
];

/// Eleven evenly spaced stops of viridis, red, green and blue in 0 to 255.
const VIRIDIS: [[u8; 3]; 11] = [
    [0x44, 0x01, 0x54],
    [0x48, 0x24, 0x75],
    [0x41, 0x44, 0x87],
    [0x35, 0x5f, 0x8d],
    [0x2a, 0x78, 0x8e],
    [0x21, 0x91, 0x8c],
    [0x22, 0xa8, 0x84],
    [0x44, 0xbf, 0x70],
    [0x7a, 0xd1, 0x51],
    [0xbd, 0xdf, 0x26],
    [0xfd, 0xe7, 0x25],
];

/// Returns the colour of the series at `index`; after seven they repeat.
pub(super) fn series(index: usize) -> &'static str {
    SERIES[index % SERIES.len()]
}

/// Returns the colour of `share`, from 0 (dark) to 1 (bright), as `#rrggbb`.
pub(super) fn heat(share: f64) -> String {
    let [red, green, blue] = heat_channels(share);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn heat_channels(share: f64) -> [u8; 3] {
    let place = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    let part = place - below as f64;
    std::array::from_fn(|channel| {
        let (low, high) = (
            f64::from(VIRIDIS[below][channel]),
            f64::from(VIRIDIS[below + 1][channel]),
        );
        (low + part * (high - low)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_meets_its_stops_and_goes_straight_between() {
        assert_eq!(heat(0.0), "#440154");
        assert_eq!(heat(0.5), "#21918c");
        assert_eq!(heat(1.0), "#fde725");
        // Half way from #440154 to #482475.
        assert_eq!(heat(0.05), "#461365");
    }

    #[test]
    fn heat_only_grows_lighter() {
        let lightness = |step: u32| {
            let [red, green, blue] = heat_channels(f64::from(step) / 100.0).map(f64::from);
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        assert!((0..100).all(|step| lightness(step) <= lightness(step + 1) + 0.5));
    }
}
