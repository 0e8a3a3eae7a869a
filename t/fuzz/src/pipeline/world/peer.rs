//! The certificates that peers have.

use std::rc::Rc;
use std::sync::LazyLock;

use mesh_core::peer::x509::{CertificateError, ChainVerdict, PeerCertificate};
use mesh_core::request::Peer;
use rcgen::{BasicConstraints, DnType, IsCa};

use crate::certificate::{make, pem};

/// A certificate as the oracle knows it.
pub struct Leaf {
    pub pem: Vec<u8>,
    pub thumbprint: Option<[u8; 32]>,
    /// Its kind and its name; none for one that has no usable name.
    pub name: Option<(&'static str, &'static str)>,
    pub valid: (i64, i64),
}

/// The certificates that peers have.
pub static LEAVES: LazyLock<Vec<Leaf>> = LazyLock::new(|| {
    let svid = "spiffe://prod.example/ns/shop/sa/orders";
    let odd = "ordérs, \"x\" 100%";
    let named = |name: &'static str| {
        make(&[], |params| params.distinguished_name.push(DnType::CommonName, name))
    };
    let authority =
        make(&[svid], |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let short = make(&["orders.example"], |params| {
        params.not_before = rcgen::date_time_ymd(2027, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 16);
    });
    vec![
        Leaf::new(&make(&[svid], |_| {}), Some(("spiffe", svid))),
        Leaf::new(&make(&["Orders.Example"], |_| {}), Some(("dns", "orders.example"))),
        Leaf::new(&named("orders"), Some(("cn", "orders"))),
        Leaf::new(&named(odd), Some(("cn", odd))),
        Leaf::new(
            &make(&["spiffe://dev.example/w", "orders.example"], |_| {}),
            Some(("spiffe", "spiffe://dev.example/w")),
        ),
        Leaf::new(&make(&["*.example"], |_| {}), None),
        Leaf {
            valid: (1_798_761_600, 1_800_057_600),
            ..Leaf::new(&short, Some(("dns", "orders.example")))
        },
        Leaf { thumbprint: None, ..Leaf::new(&authority, None) },
        Leaf { thumbprint: None, ..Leaf::new(b"not a certificate", None) },
    ]
});

impl Leaf {
    fn new(der: &[u8], name: Option<(&'static str, &'static str)>) -> Self {
        use aws_lc_rs::digest::{SHA256, digest};
        let thumbprint = digest(&SHA256, der).as_ref().try_into().ok();
        // 2020-01-01 and 2040-01-01, as they are made.
        Self { pem: pem(der), thumbprint, name, valid: (1_577_836_800, 2_208_988_800) }
    }
}

thread_local! {
    static PARSED: Vec<Result<Rc<PeerCertificate>, CertificateError>> =
        LEAVES.iter().map(|leaf| PeerCertificate::parse(&leaf.pem).map(Rc::new)).collect();
}

/// What the shell would say of the peer with that certificate.
pub fn peer(leaf: usize, verdict: ChainVerdict) -> Peer {
    Peer { verdict, certificate: PARSED.with(|parsed| parsed[leaf].clone()) }
}
