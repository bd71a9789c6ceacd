//! What is measured: which strategies at which sizes, as asked for.
//!
//! Not for how long and how often (`rounds`).

use std::time::Duration;

use super::strategies::{ALL, Known};
use crate::cli::BenchArgs;
use crate::exit::Failure;

/// Sizes unless others are named.
const SIZES: [u64; 4] = [512, 4 << 10, 64 << 10, 1 << 20];

/// Sizes that are measured.
const ALLOWED: std::ops::RangeInclusive<u64> = 1..=16 << 20;

/// Most items of a batch, and most threads.
const MOST_TOGETHER: u32 = 1024;

/// Shortest budget: a round of everything takes that long on a quick disk.
const SHORTEST: Duration = Duration::from_millis(100);

/// What shall be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Strategy and size of each case.
    pub cases: Vec<(Known, usize)>,
    /// Items of a batch.
    pub batch: u32,
    /// Threads of a group.
    pub threads: u32,
    /// How long.
    pub budget: Duration,
}

impl Plan {
    /// Checks the arguments; an error names the remedy. `group` items are under way at once, if the user says so.
    pub fn from_args(args: &BenchArgs, group: Option<u32>) -> Result<Self, Failure> {
        let known = chosen(&args.only)?;
        let sizes = sizes(&args.size)?;
        let cases = sizes.iter().flat_map(|size| known.iter().map(move |known| (*known, *size)));
        if args.budget < SHORTEST {
            let text =
                format!("--budget must be at least {}", humantime::format_duration(SHORTEST));
            return Err(Failure::Usage(text));
        }
        Ok(Self {
            cases: cases.collect(),
            batch: together("--batch", args.batch.or(group).unwrap_or(16))?,
            threads: together("--threads", args.threads.or(group).unwrap_or(4))?,
            budget: args.budget,
        })
    }
}

fn together(option: &str, number: u32) -> Result<u32, Failure> {
    if (1..=MOST_TOGETHER).contains(&number) {
        return Ok(number);
    }
    Err(Failure::Usage(format!("{option} must be from 1 to {MOST_TOGETHER}")))
}

fn sizes(asked: &[u64]) -> Result<Vec<usize>, Failure> {
    let asked = if asked.is_empty() { &SIZES } else { asked };
    let mut sizes = Vec::new();
    for size in asked {
        if !ALLOWED.contains(size) {
            return Err(Failure::Usage("--size must be from 1 byte to 16M".to_owned()));
        }
        sizes.extend(usize::try_from(*size));
    }
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}

/// The strategies whose name one of these patterns matches; all where there is none.
fn chosen(patterns: &[String]) -> Result<Vec<Known>, Failure> {
    for pattern in patterns {
        if !ALL.iter().any(|known| matches(pattern, known.name)) {
            let names: Vec<_> = ALL.iter().map(|known| known.name).collect();
            let names = names.join(", ");
            let text = format!("no strategy {pattern:?}; --only takes * and ? in: {names}");
            return Err(Failure::Usage(text));
        }
    }
    let is_chosen = |known: &Known| {
        patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, known.name))
    };
    Ok(ALL.into_iter().filter(is_chosen).collect())
}

/// Whether a name is what a pattern says: `*` is any text, `?` any letter.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pattern_left = pattern.chars();
    match pattern_left.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = pattern_left.as_str();
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| matches(rest, &name[at..]))
        }
        Some(letter) => {
            let mut name_left = name.chars();
            let fits = name_left.next().is_some_and(|c| letter == '?' || c == letter);
            fits && matches(pattern_left.as_str(), name_left.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_strategies() {
        for (pattern, name, fits) in [
            ("append/*", "append/fsync", true),
            ("*", "append/fsync", true),
            ("*/fsync", "append/fsync", true),
            ("*/fsync", "append/fsync+dirsync", false),
            ("append/?sync", "append/fsync", true),
            ("append", "append/fsync", false),
            ("", "append/fsync", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
        assert_eq!(chosen(&[]).unwrap().len(), ALL.len());
        assert_eq!(chosen(&["batch/*".to_owned(), "*/syncfs".to_owned()]).unwrap().len(), 2);
        let refused = chosen(&["appendix/*".to_owned()]).unwrap_err();
        assert!(refused.to_string().contains("append/fdatasync"), "{refused}");
    }

    #[test]
    fn sizes_are_sorted_and_bounded() {
        assert_eq!(sizes(&[4096, 512, 4096]).unwrap(), [512, 4096]);
        assert_eq!(sizes(&[]).unwrap().len(), SIZES.len());
        assert!(sizes(&[0]).is_err() && sizes(&[17 << 20]).is_err());
    }
}
