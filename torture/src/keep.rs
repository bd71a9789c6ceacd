//! Crash states in directories, for people to look at.
//!
//! Not for the private trees in which states are checked (`check`).
#![expect(clippy::disallowed_methods, reason = "directories of the user's, which no store is over")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use faultfs::DiskImage;

use crate::examine::Examined;
use crate::exit::Failure;

/// Writes the disk of a state to a directory, which must not exist; those above it are made.
pub(crate) fn write_out(image: &DiskImage, dir: &Path) -> Result<(), Failure> {
    let failed = |e| Failure::system(format!("write the state to {}", dir.display()), e);
    dir.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::create_dir(dir).map_err(failed)?;
    image.write_out(dir).map_err(failed)
}

/// Writes the state of each finding to a directory of its own in this one, named by its id.
pub(crate) fn write_findings(examined: &Examined, dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut kept = Vec::new();
    for finding in &examined.findings.list {
        let order = examined.orders.iter().find(|o| o.model().name == finding.state.model());
        let Some(order) = order else { continue };
        let image = finding.state.image(order).map_err(|e| Failure::Usage(e.to_string()))?;
        let path = dir.join(&finding.id);
        write_out(&image, &path)?;
        kept.push(path);
    }
    Ok(kept)
}

/// States of an earlier run are not mixed with those of this one.
pub(crate) fn is_free(dir: &Path) -> Result<(), Failure> {
    let refused = |why: &str| {
        let dir = dir.display();
        Err(Failure::Usage(format!("{dir} {why}; --keep-states names a new or empty directory")))
    };
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => refused("is not empty"),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => refused(&format!("cannot be used: {e}")),
    }
}
