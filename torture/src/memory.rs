//! How much memory the machine has left, and how many copies of a directory fit into it.
//!
//! Not for limits: the kernel holds the trees of the workers to theirs.

/// How many of these jobs there is memory for, when each keeps so many bytes: all of them together may
/// take half of what is available. One at least; all of them where the machine does not say.
pub(crate) fn affordable(jobs: usize, bytes: u64) -> usize {
    available().map_or(jobs, |available| fitting(jobs, bytes, available))
}

fn fitting(jobs: usize, bytes: u64, available: u64) -> usize {
    let fits = (available / 2).checked_div(bytes).unwrap_or(u64::MAX);
    jobs.min(usize::try_from(fits).unwrap_or(usize::MAX)).max(1)
}

/// `MemAvailable` of proc(5), in bytes.
#[expect(clippy::disallowed_methods, reason = "a file of the kernel")]
fn available() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_run_as_fit_into_half_of_the_memory() {
        assert_eq!(fitting(4, 100, 1000), 4);
        assert_eq!(fitting(4, 200, 1000), 2);
        assert_eq!(fitting(4, 600, 1000), 1);
        assert_eq!(fitting(4, 0, 0), 4);
    }

    #[test]
    fn the_machine_says_what_is_available() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
