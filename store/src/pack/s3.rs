//! Packs in an S3-compatible service, through `object_store`.
//!
//! The requests run on a small runtime of its own, so that who calls these methods needs none. Each
//! waits for a bounded time: a request for [`S3Options::timeout`], and a call for as many of them as it
//! is tried again, with the pauses between them. Must not be called from within another runtime.
//!
//! Not for finding credentials: they are given.

use std::future::Future;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ClientOptions, ObjectStoreExt, RetryConfig};
use reqwest::Method;
use tokio::runtime::Runtime;

use crate::durability::Reached;
use crate::error::{Error, Result};
use crate::pack::{PackBackend, PackKey, Ttl};

/// Where the service is and who asks it.
#[derive(Clone)]
pub struct S3Options {
    /// The bucket; it must exist.
    pub bucket: String,
    /// What keys begin with: a prefix that nothing else uses, without `/` at its ends. May be empty.
    pub prefix: String,
    /// The region, `us-east-1` for most services that are not Amazon's.
    pub region: String,
    /// The address of the service, with `http://` or `https://`; `None` is Amazon's.
    pub endpoint: Option<String>,
    /// Who asks.
    pub access_key_id: String,
    /// The secret that requests and URLs are signed with.
    pub secret_access_key: String,
    /// Comes with keys that are lent for a while.
    pub session_token: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request that failed for a passing reason is tried again.
    pub retries: usize,
}

/// The packs of a store in one bucket.
pub struct S3Packs {
    runtime: Runtime,
    service: AmazonS3,
    prefix: Path,
    name: String,
}

impl S3Packs {
    /// Prepares it; asks the service nothing yet.
    pub fn new(options: &S3Options) -> Result<Self> {
        let name = format!("s3://{}/{}", options.bucket, options.prefix);
        let bad =
            |problem: String| Error::PackBackend { op: "keep", backend: name.clone(), problem };
        // Fails when the process has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| bad(e.to_string()))?;
        let service = service(options).map_err(|e| bad(told(&e)))?;
        let prefix = Path::parse(&options.prefix).map_err(|e| bad(e.to_string()))?;
        Ok(Self { runtime, service, prefix, name })
    }

    fn path(&self, key: &PackKey) -> Path {
        self.prefix.clone().join(key.to_string())
    }

    /// Waits for an answer of the service; `None` when it knows no such pack.
    fn ask<T>(
        &self,
        op: &'static str,
        answer: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>> {
        match self.runtime.block_on(answer) {
            Ok(answer) => Ok(Some(answer)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => {
                let (backend, problem) = (self.name.clone(), told(&e));
                Err(Error::PackBackend { op, backend, problem })
            }
        }
    }

    /// An answer without which there is no going on.
    fn must<T>(&self, op: &'static str, answer: Option<T>) -> Result<T> {
        answer.ok_or_else(|| {
            let (backend, problem) = (self.name.clone(), "it has no such bucket".to_owned());
            Error::PackBackend { op, backend, problem }
        })
    }
}

fn service(options: &S3Options) -> object_store::Result<AmazonS3> {
    let http = options.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
    let client = ClientOptions::new()
        .with_timeout(options.timeout)
        .with_connect_timeout(options.timeout)
        .with_allow_http(http);
    let patience = options.timeout.saturating_mul(1 + u32::try_from(options.retries).unwrap_or(0));
    let retry = RetryConfig {
        max_retries: options.retries,
        retry_timeout: patience,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&options.bucket)
        .with_region(&options.region)
        .with_access_key_id(&options.access_key_id)
        .with_secret_access_key(&options.secret_access_key)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(token) = &options.session_token {
        builder = builder.with_token(token);
    }
    builder.build()
}

/// An error with all that it came from, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}

impl PackBackend for S3Packs {
    fn name(&self) -> &str {
        &self.name
    }

    fn has_urls(&self) -> bool {
        true
    }

    /// A request that timed out here may still be on its way there.
    fn acts_late(&self) -> bool {
        true
    }

    fn put(&self, key: &PackKey, bytes: &[u8]) -> Result<Reached> {
        let payload = bytes.to_vec().into();
        let path = self.path(key);
        let put = self.ask("put", self.service.put(&path, payload))?;
        self.must("put", put)?;
        Ok(Reached::Durable)
    }

    fn get(&self, key: &PackKey) -> Result<Option<Vec<u8>>> {
        let path = self.path(key);
        let bytes = self.ask("get", async { self.service.get(&path).await?.bytes().await })?;
        Ok(bytes.map(|bytes| bytes.to_vec()))
    }

    fn exists(&self, key: &PackKey) -> Result<bool> {
        Ok(self.ask("find", self.service.head(&self.path(key)))?.is_some())
    }

    fn delete(&self, key: &PackKey) -> Result<()> {
        self.ask("delete", self.service.delete(&self.path(key))).map(|_| ())
    }

    fn url(&self, key: &PackKey, ttl: Ttl) -> Result<String> {
        let path = self.path(key);
        let url = self.ask("sign", self.service.signed_url(Method::GET, &path, ttl.get()))?;
        Ok(self.must("sign", url)?.to_string())
    }
}
