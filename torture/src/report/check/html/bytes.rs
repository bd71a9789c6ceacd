//! Bytes side by side: what the program saw, and what is left, with those marked that differ.
//!
//! Not for which bytes are shown (`outcome`).

use std::fmt::Write as _;

use super::part::escaped;
use crate::outcome::Difference;

/// Bytes on a line: two columns of them fit on a page, one on a telephone.
const ROW: usize = 8;

/// One path that differs.
pub(super) fn write(html: &mut String, difference: &Difference) {
    let (path, what) = (escaped(&difference.path), escaped(&difference.what));
    let _ = writeln!(html, "<div class=\"path\"><p><code>{path}</code> <span>{what}</span></p>");
    let saw = bytes(&difference.saw);
    let left = bytes(&difference.left);
    if !saw.is_empty() || !left.is_empty() {
        html.push_str("<div class=\"sides\">\n");
        side(html, "The program saw", difference.offset, &saw, &left);
        side(html, "After the power cut", difference.offset, &left, &saw);
        html.push_str("</div>\n");
    }
    html.push_str("</div>\n");
}

fn side(html: &mut String, title: &str, offset: u64, bytes: &[u8], other: &[u8]) {
    let _ = write!(html, "<figure><figcaption>{title}</figcaption><pre tabindex=\"0\">");
    let rows = bytes.len().max(other.len()).div_ceil(ROW);
    for row in 0..rows {
        let range = row * ROW..(row + 1) * ROW;
        let at = offset + range.start as u64;
        let _ = write!(html, "<i>{at:06x}</i> ");
        let here = |n: usize| n < bytes.len();
        let differs = |n: usize| bytes.get(n) != other.get(n);
        marked(html, range.clone(), " ", differs, |html, n| match bytes.get(n) {
            Some(byte) => {
                let _ = write!(html, "{byte:02x}");
            }
            None => html.push_str(if n < other.len() { "--" } else { "  " }),
        });
        html.push_str("  ");
        marked(
            html,
            range,
            "",
            |n| here(n) && differs(n),
            |html, n| match bytes.get(n).copied() {
                Some(byte @ b' '..=b'~') => html.push_str(&escaped(&char::from(byte).to_string())),
                Some(_) => html.push('.'),
                None => html.push(' '),
            },
        );
        html.push('\n');
    }
    html.push_str("</pre></figure>\n");
}

/// Writes a row, with a gap before each byte, and a mark around each stretch that differs.
fn marked(
    html: &mut String,
    range: std::ops::Range<usize>,
    gap: &str,
    differs: impl Fn(usize) -> bool,
    mut write: impl FnMut(&mut String, usize),
) {
    let mut within = false;
    for n in range {
        let (before, now) = (within, differs(n));
        if before && !now {
            html.push_str("</mark>");
        }
        html.push_str(gap);
        if now && !before {
            html.push_str("<mark>");
        }
        within = now;
        write(html, n);
    }
    if within {
        html.push_str("</mark>");
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2);
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
    pairs.map_while(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_differ_are_marked() {
        let told = Difference {
            path: "f".to_owned(),
            what: "bytes differ".to_owned(),
            offset: 16,
            saw: "6162".to_owned(),
            left: "6100".to_owned(),
        };
        let mut html = String::new();
        write(&mut html, &told);
        assert!(html.contains("<i>000010</i>  61 <mark>62</mark>"), "{html}");
        assert!(html.contains("a<mark>b</mark>") && html.contains("a<mark>.</mark>"), "{html}");
    }
}
