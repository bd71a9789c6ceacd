//! Criterion, set so that the benches of a small operation end in seconds.

use std::time::Duration;

use criterion::Criterion;

/// Many short samples: the two sides of a comparison meet the same moods of the machine.
pub fn quick() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}
