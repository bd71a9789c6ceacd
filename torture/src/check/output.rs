//! What a checker printed: its beginning, its last line, and how much there was in between.
//!
//! Not for making sense of it.

/// Bytes that are kept from the beginning.
const KEPT: usize = 64 << 10;

/// Longest line that is kept as the last one; of a longer one the beginning.
const LONGEST_LINE: usize = 4 << 10;

/// Standard output and standard error, as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    head: Vec<u8>,
    dropped: u64,
    line: Vec<u8>,
    last_line: Vec<u8>,
}

impl Output {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(KEPT - self.head.len());
        self.head.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
        for (number, part) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                self.end_line();
            }
            let kept = part.len().min(LONGEST_LINE - self.line.len());
            self.line.extend_from_slice(&part[..kept]);
        }
    }

    fn end_line(&mut self) {
        if !self.line.trim_ascii().is_empty() {
            std::mem::swap(&mut self.line, &mut self.last_line);
        }
        self.line.clear();
    }

    /// The beginning: 64 KiB at most.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How many bytes came after the beginning.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The last line that is not blank, without its white space around; empty if there is none.
    pub fn last_line(&self) -> String {
        let open = self.line.trim_ascii();
        let line = if open.is_empty() { self.last_line.trim_ascii() } else { open };
        String::from_utf8_lossy(line).into_owned()
    }

    /// The first line that is not blank; empty if there is none.
    pub fn first_line(&self) -> String {
        let lines = self.head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let line = lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }

    /// Whether the text occurs in what was kept.
    pub fn contains(&self, text: &str) -> bool {
        self.head.windows(text.len().max(1)).any(|window| window == text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(parts: &[&[u8]]) -> Output {
        let mut output = Output::default();
        for part in parts {
            output.add(part);
        }
        output
    }

    #[test]
    fn the_last_line_that_says_something_is_kept() {
        for parts in [&[&b"one\ntwo"[..]] as &[&[u8]], &[b"one\ntw", b"o\n\n", b"  \n"]] {
            let output = output(parts);
            assert_eq!((output.last_line(), output.first_line()), ("two".into(), "one".into()));
            assert!(output.contains("two") && !output.contains("three"));
        }
        assert_eq!(Output::default().last_line(), "");
    }

    #[test]
    fn a_flood_is_counted_and_its_end_is_kept() {
        let mut output = Output::default();
        for _ in 0..100 {
            output.add(&[b'x'; 10_000]);
        }
        output.add(b"\nthe end\n");
        assert_eq!((output.head().len(), output.dropped()), (KEPT, 1_000_009 - KEPT as u64));
        assert_eq!(output.last_line(), "the end");
    }
}
