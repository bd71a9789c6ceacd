//! The matrix as text: two tables and the control, as docs/findings.md holds them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::search::PRESETS;
use super::{Control, Mistake, Row, all_runs, control, in_parallel, search};

/// Between these two lines of the document stands what [`render`] makes.
const BEGIN: &str = "<!-- matrix: begin -->\n";
const END: &str = "<!-- matrix: end -->\n";

/// The document.
pub fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings.md")
}

/// What stands in the document between the two lines.
pub fn kept(text: &str) -> Option<&str> {
    Some(text.split_once(BEGIN)?.1.split_once(END)?.0)
}

/// Makes the whole matrix.
pub fn fresh(jobs: usize) -> String {
    let rows = in_parallel(&Mistake::all(), jobs, &|mistake| search(*mistake));
    render(&rows, &control(&all_runs(), jobs))
}

/// Both tables and the control.
pub fn render(rows: &[Row], control: &Control) -> String {
    let mut text = String::from("### Barriers left out\n\n");
    text.push_str(
        "| barrier | place | presets | first found under | run | states | what is lost |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|\n");
    for row in rows {
        if let Mistake::Without(barrier) = row.mistake {
            let (file, function) = barrier.place();
            line(&mut text, row, &format!("`{file}` {function}"));
        }
    }
    text.push_str("\n### Planted mistakes\n\n");
    text.push_str(
        "| mistake | kind | presets | first found under | run | states | what is lost |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|\n");
    for row in rows {
        if let Mistake::Planted(bug) = row.mistake {
            line(&mut text, row, bug.found_by().name());
        }
    }
    text.push_str("\n### Control\n\n");
    let Control { runs, states, violations, spoiled } = control;
    let _ = writeln!(
        text,
        "No mistake: {} violations in {states} crash states of {runs} runs under {} presets. With a \
         disk that lies about every barrier (`lying-disk`), {spoiled} of these runs are spoiled.",
        violations.len(),
        PRESETS.len()
    );
    for violation in violations {
        let _ = writeln!(text, "- {violation}");
    }
    text
}

fn line(text: &mut String, row: &Row, about: &str) {
    let name = row.mistake.name();
    let rest = match (&row.found, row.mistake.litmus()) {
        (Some(found), _) => {
            let presets = presets(&row.presets);
            let (place, run) = (found.place.name(), &found.run);
            format!("{presets} | {place} | {run} | {} | {}", found.states, found.what)
        }
        (None, Some(litmus)) => format!("litmus | | `{litmus}` | | see section 3"),
        (None, None) => "**not found** | | | |".to_owned(),
    };
    let _ = writeln!(text, "| {name} | {about} | {rest} |");
}

/// "all", or their names.
fn presets(found: &[&str]) -> String {
    if found.len() == PRESETS.len() { "all".to_owned() } else { found.join(", ") }
}
