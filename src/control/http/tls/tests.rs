//! Servers whose certificate is itself a trusted one, and servers that are not believed.

use std::fs;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose as Purpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::http::stub::{Server, ok};
use crate::http::{FetchError, Network, Request, TlsFault};

/// The certificate of an authority that is a server too, as appliances make it for themselves.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(4000, 1, 1);
    params
}

/// A server with this certificate and key, whether they fit or not.
fn server(certificate: &CertificateDer<'static>, key: &KeyPair) -> Server {
    let provider = default_provider();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let certified = CertifiedKey::new(vec![certificate.clone()], key);
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    Server::tls(config, |_| ok("", "{}"))
}

/// The result of a fetch if these certificates are trusted.
fn fetch(server: &Server, trusted: &[&rcgen::Certificate]) -> Result<(), TlsFault> {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("trusted.pem");
    let pem: String = trusted.iter().map(|certificate| certificate.pem()).collect();
    fs::write(&file, pem).unwrap();
    let client = Network::new().client(Some(file));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let url = server.url("/keys");
    let sent = runtime.block_on(async { client.send(&Request::get(&url)).await });
    match sent {
        Ok(_) => Ok(()),
        Err(FetchError::Tls(fault)) => {
            assert!(server.requests().is_empty(), "the server is asked all the same");
            Err(fault)
        }
        Err(error) => panic!("{error}"),
    }
}

/// The result of a fetch from a server whose own certificate is the trusted one.
fn itself(change: impl FnOnce(&mut CertificateParams)) -> Result<(), TlsFault> {
    let key = KeyPair::generate().unwrap();
    let mut params = params("localhost");
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    fetch(&server(certificate.der(), &key), &[&certificate])
}

#[test]
fn a_trusted_certificate_may_be_that_of_the_server() {
    assert_eq!(itself(|_| {}), Ok(()));
    assert_eq!(itself(|params| params.is_ca = IsCa::ExplicitNoCa), Ok(()));
    assert_eq!(itself(|params| params.is_ca = IsCa::NoCa), Ok(()));
    let both = vec![Purpose::ClientAuth, Purpose::ServerAuth];
    assert_eq!(itself(|params| params.extended_key_usages = both), Ok(()));
}

#[test]
fn all_but_the_path_is_checked_as_ever() {
    for is_ca in [true, false] {
        let itself = |change: fn(&mut CertificateParams)| {
            itself(|params| {
                if !is_ca {
                    params.is_ca = IsCa::NoCa;
                }
                change(params);
            })
        };
        let another = |params: &mut CertificateParams| {
            params.subject_alt_names =
                vec![rcgen::SanType::DnsName("b.example".try_into().unwrap())];
        };
        assert_eq!(itself(another), Err(TlsFault::Name));
        let only_a_common_name = |params: &mut CertificateParams| {
            params.subject_alt_names.clear();
            params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        };
        assert_eq!(itself(only_a_common_name), Err(TlsFault::Name));
        let over = |params: &mut CertificateParams| params.not_after = date_time_ymd(2021, 1, 1);
        assert_eq!(itself(over), Err(TlsFault::Expired));
        let ahead = |params: &mut CertificateParams| params.not_before = date_time_ymd(3999, 1, 1);
        assert_eq!(itself(ahead), Err(TlsFault::NotYet));
        let of_clients =
            |params: &mut CertificateParams| params.extended_key_usages = vec![Purpose::ClientAuth];
        assert_eq!(itself(of_clients), Err(TlsFault::Purpose));
        let critical = |params: &mut CertificateParams| {
            let mut extension =
                CustomExtension::from_oid_content(&[1, 2, 3, 4], b"\x05\0".to_vec());
            extension.set_criticality(true);
            params.custom_extensions = vec![extension];
        };
        assert_eq!(itself(critical), Err(TlsFault::Extension));
    }
}

#[test]
fn a_certificate_without_its_key_is_not_believed() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = params("localhost").self_signed(&key).unwrap();
    let impostor = server(certificate.der(), &other);
    assert_eq!(fetch(&impostor, &[&certificate]), Err(TlsFault::Key));
}

#[test]
fn equal_bytes_alone_replace_a_path() {
    let key = KeyPair::generate().unwrap();
    let old = params("localhost").self_signed(&key).unwrap();
    let mut renewed = params("localhost");
    renewed.not_after = date_time_ymd(3999, 1, 1);
    let renewed = renewed.self_signed(&key).unwrap();
    let renewed = server(renewed.der(), &key);
    assert_eq!(fetch(&renewed, &[&old]), Err(TlsFault::Authority));

    let stranger = KeyPair::generate().unwrap();
    let alike = params("localhost").self_signed(&stranger).unwrap();
    let fault = fetch(&server(alike.der(), &stranger), &[&old]).unwrap_err();
    assert!(matches!(fault, TlsFault::Authority | TlsFault::Untrusted), "{fault}");

    // Of an authority that is not trusted itself.
    let mut leaf = params("localhost");
    leaf.is_ca = IsCa::NoCa;
    let issuer = Issuer::new(params("ca"), KeyPair::generate().unwrap());
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let server = server(leaf.der(), &key);
    assert_eq!(fetch(&server, &[&old]), Err(TlsFault::Untrusted));
    assert_eq!(fetch(&server, &[&old, &leaf]), Ok(()));
}

#[test]
fn faults_of_a_path_have_their_words() {
    let key = KeyPair::generate().unwrap();
    let fault = |authority: fn(&mut CertificateParams), change: fn(&mut CertificateParams)| {
        let signer = KeyPair::generate().unwrap();
        let mut above = params("ca");
        authority(&mut above);
        let root = above.self_signed(&signer).unwrap();
        let mut leaf = params("localhost");
        leaf.is_ca = IsCa::NoCa;
        change(&mut leaf);
        let leaf = leaf.signed_by(&key, &Issuer::new(above, signer)).unwrap();
        fetch(&server(leaf.der(), &key), &[&root])
    };
    assert_eq!(fault(|_| {}, |_| {}), Ok(()));
    let is_ca =
        |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(fault(|_| {}, is_ca), Err(TlsFault::Authority));
    let of_clients =
        |params: &mut CertificateParams| params.extended_key_usages = vec![Purpose::ClientAuth];
    assert_eq!(fault(|_| {}, of_clients), Err(TlsFault::Purpose));
    let constrained = |params: &mut CertificateParams| {
        params.name_constraints = Some(rcgen::NameConstraints {
            permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("b.example".to_owned())],
            excluded_subtrees: Vec::new(),
        });
    };
    assert_eq!(fault(constrained, |_| {}), Err(TlsFault::Constraint));
}
