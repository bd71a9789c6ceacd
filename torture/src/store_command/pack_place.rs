//! Where `plugpull store` keeps packs: in the store's own directory, or in the bucket that is named.
//!
//! Not for what is done with them: see `packs`.

use plugpull_store::PackBackend;

use super::Store;
use crate::exit::Failure;

/// The bucket with this name, or, without a name, the store's own directory, `served_at` an address by somebody else.
pub(super) fn named<'s>(
    store: &'s Store,
    name: Option<&str>,
    served_at: Option<&str>,
) -> Result<Box<dyn PackBackend + 's>, Failure> {
    match name {
        None => Ok(Box::new(store.pack_directory(served_at))),
        Some(name) => bucket(name),
    }
}

/// The bucket and the prefix of `s3://BUCKET[/PREFIX]`.
fn parts(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    (!bucket.is_empty()).then_some((bucket, prefix))
}

fn bucket(name: &str) -> Result<Box<dyn PackBackend>, Failure> {
    let (bucket, prefix) = parts(name).ok_or_else(|| {
        Failure::Usage(format!("--packs {name}: it must be s3://BUCKET or s3://BUCKET/PREFIX"))
    })?;
    s3::packs(bucket, prefix)
}

#[cfg(not(feature = "s3"))]
mod s3 {
    use super::{Failure, PackBackend};

    pub(super) fn packs(bucket: &str, _prefix: &str) -> Result<Box<dyn PackBackend>, Failure> {
        let text = format!(
            "--packs s3://{bucket}: this plugpull was built without S3; \
             build it with `cargo build --release -p plugpull --features s3`"
        );
        Err(Failure::Usage(text))
    }
}

#[cfg(feature = "s3")]
mod s3 {
    use std::time::Duration;

    use plugpull_store::{S3Options, S3Packs};

    use super::{Failure, PackBackend};
    use crate::config::variable;

    /// How long one request may take: one that carries a large pack, too.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// How often a request that failed for a passing reason is tried again.
    const RETRIES: usize = 3;

    /// Who asks, and whom, is in the variables that every tool for S3 reads.
    pub(super) fn packs(bucket: &str, prefix: &str) -> Result<Box<dyn PackBackend>, Failure> {
        let needed = |name: &str| {
            let text = format!("--packs s3://{bucket}: {name} is not set; it says who asks");
            variable(name).ok_or(Failure::Usage(text))
        };
        let options = S3Options {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: variable("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            endpoint: variable("AWS_ENDPOINT_URL"),
            access_key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
            session_token: variable("AWS_SESSION_TOKEN"),
            timeout: TIMEOUT,
            retries: RETRIES,
        };
        Ok(Box::new(S3Packs::new(&options)?))
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_bucket_may_have_a_prefix() {
        assert_eq!(parts("s3://bucket"), Some(("bucket", "")));
        assert_eq!(parts("s3://bucket/"), Some(("bucket", "")));
        assert_eq!(parts("s3://bucket/a/b/"), Some(("bucket", "a/b")));
        for no_bucket in ["bucket", "s3://", "s3:///prefix", "https://host/bucket"] {
            assert_eq!(parts(no_bucket), None, "{no_bucket}");
        }
    }
}
