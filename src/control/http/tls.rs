//! The authorities that a server's certificate must come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::Mutex;
use tokio::task::yield_now;

use super::FetchError;
use crate::file::{FileStamp, Seen, read_in_stretches};

#[cfg(test)]
mod tests;
mod verifier;

use verifier::Verifier;

/// The authorities of the system, or of a file; read at the first use, and again when the file has
/// changed.
#[derive(Debug)]
pub(super) struct Authorities {
    file: Option<PathBuf>,
    /// Held while the file is read, so that it is read once.
    loaded: Mutex<Option<Loaded>>,
}

#[derive(Debug)]
struct Loaded {
    /// No file, if the authorities come from no single one: they stay.
    seen: Seen,
    config: Arc<ClientConfig>,
}

impl Authorities {
    pub(super) fn of(file: Option<PathBuf>) -> Self {
        Self { file, loaded: Mutex::new(None) }
    }

    /// The TLS configuration for a server that they vouch for.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, FetchError> {
        let mut loaded = self.loaded.lock().await;
        if let Some(loaded) = &*loaded
            && loaded.seen.is_current()
        {
            return Ok(Arc::clone(&loaded.config));
        }
        // The old authorities are of no use: one may have been taken out of the file.
        *loaded = None;
        let (trusted, seen) = match &self.file {
            Some(path) => of_file(path).await?,
            None => of_system().await?,
        };
        let config = client_config(trusted)?;
        *loaded = Some(Loaded { seen, config: Arc::clone(&config) });
        Ok(config)
    }
}

/// The trusted certificates.
struct Trusted {
    roots: RootCertStore,
    /// The certificates of a file that the configuration names: a server may have one of them.
    certificates: Vec<CertificateDer<'static>>,
}

type Roots = (Trusted, Seen);

async fn of_file(path: &Path) -> Result<Roots, FetchError> {
    let (pem, stamp) = read_in_stretches(path, MAX_BYTES).await?;
    let seen = Seen::after(path, stamp);
    let mut trusted = Trusted { roots: RootCertStore::empty(), certificates: Vec::new() };
    // Parsing one takes some microseconds.
    for (number, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let bad =
            |what| FetchError::Authorities(format!("cannot use the trusted certificates: {what}"));
        let certificate = certificate.map_err(|_| bad("malformed PEM"))?;
        // A bundle may hold certificates that nothing can be verified by.
        if trusted.roots.add(certificate.clone()).is_ok() {
            trusted.certificates.push(certificate);
        }
        if number % 16 == 15 {
            yield_now().await;
        }
    }
    if trusted.roots.is_empty() {
        let what = "cannot use the trusted certificates: there is none in the file";
        return Err(FetchError::Authorities(what.to_owned()));
    }
    Ok((trusted, seen))
}

async fn of_system() -> Result<Roots, FetchError> {
    for path in BUNDLES.map(Path::new) {
        if FileStamp::of(path).is_ok()
            && let Ok((trusted, seen)) = of_file(path).await
        {
            return Ok((Trusted { certificates: Vec::new(), ..trusted }, seen));
        }
    }
    // In one stretch, of some tens of milliseconds if there are many files.
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let what = "the system has no trusted certificates, name some with trusted_certificate";
        return Err(FetchError::Authorities(what.to_owned()));
    }
    Ok((Trusted { roots, certificates: Vec::new() }, Seen::default()))
}

fn client_config(trusted: Trusted) -> Result<Arc<ClientConfig>, FetchError> {
    let provider = Arc::new(default_provider());
    let verifier = Verifier::new(&provider, trusted.roots, trusted.certificates)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| FetchError::Authorities("no TLS version is supported".to_owned()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // The certificate is looked at each time: a session would outlive its end.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Bytes of a file of authorities: a Linux distribution's has about 250 KiB.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Where distributions keep their bundle: Debian, Fedora, openSUSE, Alpine.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
