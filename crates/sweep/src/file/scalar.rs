//! Scalars as numbers and truth values, wherever one is wanted.

/// A number in any usual spelling: `1`, `.1`, `1.`, `1e-4`, `1E-4`, `+2`, `1_000`. Infinity and
/// not-a-number are no settings, so they are not numbers here.
pub fn number(text: &str) -> Option<f64> {
    let text = without_separators(text)?;
    let starts = text.trim_start_matches(['+', '-']);
    if !starts.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

/// A whole number; `1e3` and `2.0` are whole too.
pub fn integer(text: &str) -> Option<i128> {
    let bare = without_separators(text)?;
    if let Ok(exact) = bare.parse::<i128>() {
        return Some(exact);
    }
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number(text)
        .filter(|x| x.fract() == 0.0 && x.abs() <= EXACT)
        .map(|x| x as i128)
}

/// `true` or `false`, and nothing else: `yes`, `on` and `no` mean what they say in no two tools.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Underscores between digits go; anywhere else they make it no number.
fn without_separators(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |i: Option<usize>| {
        i.and_then(|i| bytes.get(i))
            .is_some_and(|b: &u8| b.is_ascii_digit())
    };
    let misplaced =
        |(i, &b): (usize, &u8)| b == b'_' && !(digit(i.checked_sub(1)) && digit(Some(i + 1)));
    (!bytes.iter().enumerate().any(misplaced)).then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_of_a_number() {
        for (text, value) in [
            ("1e-4", 1e-4),
            ("1E-4", 1e-4),
            (".1", 0.1),
            ("1.", 1.0),
            ("+2", 2.0),
            ("-0.5", -0.5),
            ("1_000", 1000.0),
            ("1_000.5", 1000.5),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in [
            "", "e5", "1_", "_1", "1__0", "inf", "nan", ".nan", "1e999", "0x10", "1 0",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers() {
        assert_eq!(integer("1_000"), Some(1000));
        assert_eq!(integer("1e3"), Some(1000));
        assert_eq!(integer("-3"), Some(-3));
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX.into()));
        assert_eq!(integer("1.5"), None);
        assert_eq!(integer("1e300"), None);
    }

    #[test]
    fn truth_is_not_yes() {
        assert_eq!(boolean("true"), Some(true));
        assert_eq!(boolean("yes"), None);
    }
}
