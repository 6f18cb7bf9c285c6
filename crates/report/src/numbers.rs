//! How whole numbers are written, in pictures as in tables.

/// Groups the digits of a whole number by threes.
pub(crate) fn thousands(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_threes() {
        assert_eq!(
            ["7", "123", "31102", "-1234567"].map(thousands),
            ["7", "123", "31,102", "-1,234,567"]
        );
    }
}
