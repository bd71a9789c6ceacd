//! Texts in HTML: escaped, with characters that play tricks made visible.
//!
//! Not for what is told.

use crate::report::check::words::visible;

/// A text between tags.
pub(crate) fn escaped(text: &str) -> String {
    let text = visible(text);
    let mut html = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// A barrier, without the quotes that set off an event: it is set in type of its own.
pub(super) fn barrier(text: &str) -> String {
    text.replace('`', "")
}

/// The same as the value of an attribute, on one line.
pub(super) fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;")
}
