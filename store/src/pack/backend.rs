//! Where packs lie: the little that a place must be able to do.
//!
//! Not for when anything is put or deleted: see `fetch` and `sweep`.

use crate::durability::Reached;
use crate::error::Result;
use crate::pack::{PackKey, Ttl};

/// A place for transient packs. Its keys are its own: nothing else lies under them.
///
/// All methods wait until they are done, each for a bounded time.
pub trait PackBackend: Send + Sync {
    /// Its name in leases. A sweep takes care of the leases of its own backend only, so two places need
    /// two names, and a place keeps its name.
    fn name(&self) -> &str;

    /// Whether it has URLs. One that has not is never asked to put anything.
    fn has_urls(&self) -> bool;

    /// Whether a request that was taken for failed may still be carried out later.
    fn acts_late(&self) -> bool {
        false
    }

    /// Puts a pack, replacing what is there, which has the same bytes; when it returns the pack is as
    /// durable as it says.
    fn put(&self, key: &PackKey, bytes: &[u8]) -> Result<Reached>;

    /// The bytes of a pack; `None` when it is not there.
    fn get(&self, key: &PackKey) -> Result<Option<Vec<u8>>>;

    /// Whether a pack is there.
    fn exists(&self, key: &PackKey) -> Result<bool>;

    /// Deletes a pack, durably; that it is not there is success, but that must be durable as well.
    fn delete(&self, key: &PackKey) -> Result<()>;

    /// A URL under which the pack can be read for so long; it is asked for only if there are URLs.
    fn url(&self, key: &PackKey, ttl: Ttl) -> Result<String>;
}
