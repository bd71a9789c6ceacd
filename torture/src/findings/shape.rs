//! A text without its numbers.
//!
//! Programs do the same thing again and again: two texts have one shape when they differ in numbers only.
//! Not for names that are random: those are told by their run (`names`).

/// Shortest run of hexadecimal digits that is taken for a number if a decimal one is among them: names
/// of objects and of temporary files.
const HEX_NUMBER: usize = 6;

/// How many hexadecimal digits there are between the hyphens of a UUID.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// A text without its numbers.
pub(super) fn shape_of(text: &str) -> String {
    let mut shape = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = match shape.chars().next_back() {
            None | Some('/' | ' ') => pair(rest),
            _ => None,
        };
        let len = len.or_else(|| uuid(rest)).or_else(|| number(rest));
        shape.push(len.map_or(first, |_| '#'));
        rest = &rest[len.unwrap_or(first.len_utf8())..];
    }
    shape
}

/// The length of a name of two hexadecimal digits: directories of objects have them.
fn pair(text: &str) -> Option<usize> {
    let ends = |byte: &u8| matches!(byte, b'/' | b' ');
    (hex(text) == 2 && text.as_bytes().get(2).is_none_or(ends)).then_some(2)
}

/// The length of the UUID that a text begins with.
fn uuid(text: &str) -> Option<usize> {
    let mut rest = text;
    for (n, digits) in UUID.into_iter().enumerate() {
        if n > 0 {
            rest = rest.strip_prefix('-')?;
        }
        if hex(rest) != digits {
            return None;
        }
        rest = &rest[digits..];
    }
    Some(text.len() - rest.len())
}

/// The length of the number that a text begins with.
fn number(text: &str) -> Option<usize> {
    let address = text.strip_prefix("0x").map_or(0, hex);
    if address > 0 {
        return Some(2 + address);
    }
    let len = hex(text);
    if len >= HEX_NUMBER && text[..len].contains(|c: char| c.is_ascii_digit()) {
        return Some(len);
    }
    let decimal = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (decimal > 0).then_some(decimal)
}

/// How many hexadecimal digits a text begins with.
fn hex(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_of_objects_have_no_shape() {
        assert_eq!(shape_of("write log.17"), "write log.#");
        assert_eq!(shape_of("rename ab/3f77c0 -> 1b/99abcdef"), "rename #/# -> #/#");
        assert_eq!(shape_of("facade decade"), "facade decade");
        assert_eq!(shape_of("550e8400-e29b-41d4-a716-446655440000.log"), "#.log");
        assert_eq!(
            shape_of("page at 0x7ffde, on 2026-11-20T20:14:53Z"),
            "page at #, on #-#-#T#:#:#Z"
        );
    }

    #[test]
    fn a_shape_is_its_own_shape() {
        for text in ["rename ab/3f77c0 -> {temp of db/17}", "mark \"done 0xab\"", "1-2-3 ab"] {
            assert_eq!(shape_of(&shape_of(text)), shape_of(text));
        }
    }

    #[test]
    fn what_differs_in_more_than_numbers_has_another_shape() {
        for (one, other) in [
            ("write conf", "write log"),
            ("write conf", "fsync conf"),
            ("rename {temp of conf} -> conf", "rename {temp of log} -> log"),
            ("write a/conf", "write b/conf"),
        ] {
            assert_ne!(shape_of(one), shape_of(other));
        }
    }
}
