//! Whether a server's certificate is believed: by its path, or because it is a trusted one itself.

use std::sync::Arc;

use mesh_core::peer::x509::{ServerFault, check_server};
use mesh_core::text::time::UnixTime as Moment;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::http::FetchError;

/// Judges a server's certificate by its path to a trusted one. If it is a trusted one, byte for byte,
/// there is no path to judge: everything else is checked as ever.
#[derive(Debug)]
pub(super) struct Verifier {
    paths: Arc<WebPkiServerVerifier>,
    /// The trusted certificates.
    trusted: Box<[CertificateDer<'static>]>,
}

impl Verifier {
    pub(super) fn new(
        provider: &Arc<CryptoProvider>,
        roots: RootCertStore,
        trusted: Vec<CertificateDer<'static>>,
    ) -> Result<Self, FetchError> {
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let paths = builder.build().map_err(|_| {
            FetchError::Authorities("cannot use the trusted certificates: there is none".to_owned())
        })?;
        Ok(Self { paths, trusted: trusted.into() })
    }

    /// Everything about a certificate that is trusted by itself.
    fn verify_itself(
        end_entity: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let now = Moment::from_secs(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        check_server(end_entity, now).map_err(|fault| match fault {
            ServerFault::Expired => CertificateError::Expired,
            ServerFault::NotYet => CertificateError::NotValidYet,
            ServerFault::Purpose => CertificateError::InvalidPurpose,
            ServerFault::Malformed => CertificateError::BadEncoding,
        })?;
        // Fails on a critical extension that is not understood.
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.iter().any(|trusted| **trusted == **end_entity) {
            return Self::verify_itself(end_entity, server_name, now);
        }
        let verified = self.paths.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        verified.map_err(|error| match error {
            // An authority that only has the name of a trusted one. The same error of the handshake
            // means that the server has not the key.
            Error::InvalidCertificate(CertificateError::BadSignature) => {
                CertificateError::UnknownIssuer.into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.supported_verify_schemes()
    }
}
