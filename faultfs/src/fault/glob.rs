//! Which paths a rule is for: `?` is any one byte, `*` any number of them, both without `/`; `**`
//! is any number of bytes, slashes included. All else is itself, and a path matches as a whole.
//!
//! Not for paths in another spelling: a path is compared as it was given to the call.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether the path matches.
pub(super) fn matches(pattern: &str, path: &Path) -> bool {
    let pattern = pattern.as_bytes();
    // All places in the pattern where the path may have come to: no path makes this slow.
    let mut places = reach(pattern, vec![0]);
    for byte in path.as_os_str().as_bytes() {
        let steps = places.iter().filter_map(|place| step(pattern, *place, *byte));
        places = reach(pattern, steps.collect());
    }
    places.contains(&pattern.len())
}

/// Where a byte leads from a place in the pattern; a star stays where it is.
fn step(pattern: &[u8], place: usize, byte: u8) -> Option<usize> {
    match &pattern[place..] {
        [b'*', b'*', ..] => Some(place),
        [b'*', ..] => (byte != b'/').then_some(place),
        [b'?', ..] => (byte != b'/').then_some(place + 1),
        [other, ..] => (byte == *other).then_some(place + 1),
        [] => None,
    }
}

/// These places, each once, and those behind their stars, which may stand for nothing.
fn reach(pattern: &[u8], mut places: Vec<usize>) -> Vec<usize> {
    let mut done = 0;
    while let Some(place) = places.get(done) {
        match &pattern[*place..] {
            [b'*', b'*', ..] => places.push(place + 2),
            [b'*', ..] => places.push(place + 1),
            _ => {}
        }
        done += 1;
    }
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_mean_what_they_say() {
        let cases = [
            ("**", "/a/b", true),
            ("**", "", true),
            ("", "", true),
            ("", "a", false),
            ("*", "a", true),
            ("*", "a/b", false),
            ("/a/?", "/a/b", true),
            ("/a?b", "/a/b", false),
            ("/a/*.tmp", "/a/.tmp", true),
            ("/a/*.tmp", "/a/x.tmp.tmp", true),
            ("/a/*.tmp", "/a/x/y.tmp", false),
            ("/a/**/y", "/a/x/x/y", true),
            ("**/y", "/a/y", true),
            ("**/y", "/a/xy", false),
            ("/**b*", "/a/b/c", false),
            ("/**b**", "/a/b/c", true),
            ("a", "a/", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern, Path::new(path)), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn many_stars_are_not_slow() {
        let pattern = "**a".repeat(200);
        assert!(!matches(&pattern, Path::new(&"a".repeat(199))));
        assert!(matches(&pattern, Path::new(&"a".repeat(300))));
    }
}
