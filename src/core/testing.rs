//! For tests alone: a request, keys and a configuration, made as simply as they can be.
//!
//! The feature `testing` shows it to the tests of other crates. No build that is shipped has it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at what does not fit"
)]

use core::net::IpAddr;
use std::rc::Rc;

use serde_json::{Value, json};

use crate::config::directive::{ISSUER, LOCATION, MAIN, read};
use crate::config::{Place, RawLocation, RawMain};
use crate::limit::{Host, Part};
use crate::peer::x509::{ChainVerdict, PeerCertificate};
use crate::request::{Connection, Field, Length, Peer, Request, Target, Upstream, Uri};
use crate::text::time::Tick;

pub mod keys;
pub mod rooms;
mod worker;

pub use self::worker::{Proven, Worker, Zone};

/// The time of tests, in seconds since 1970: a day in January 2027.
pub const NOW: i64 = 1_800_000_000;

/// A `GET` of `https://api.example/topics?x=1`, as a client sends it.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The header fields: their names in lower case, and their values.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The certificate, with what Nginx says of it.
    pub peer: Option<Peer>,
    /// The client's address; empty on a Unix socket.
    pub address: Vec<u8>,
    /// Method and target, if they are other than usual.
    pub line: Option<(String, String)>,
    /// How many bytes its body has.
    pub body: Option<u64>,
}

impl Sent {
    /// A request with these fields.
    pub fn of(fields: &[(&str, &str)]) -> Self {
        fields.iter().fold(Self::default(), |sent, (name, value)| sent.and(name, *value))
    }

    /// A request with a bearer token, from 127.0.0.1.
    pub fn token(token: &str) -> Self {
        let address = vec![127, 0, 0, 1];
        Self { address, ..Self::default() }.and("authorization", format!("Bearer {token}"))
    }

    /// The same with another method and target.
    #[must_use]
    pub fn asking(mut self, method: &str, target: &str) -> Self {
        self.line = Some((method.to_owned(), target.to_owned()));
        self
    }

    /// The same with one more field.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a certificate.
    #[must_use]
    pub fn with(mut self, certificate: &PeerCertificate, verdict: ChainVerdict) -> Self {
        self.peer = Some(Peer { verdict, certificate: Ok(Rc::new(certificate.clone())) });
        self
    }
}

impl Request for Sent {
    fn authorization(&self) -> Field<'_> {
        self.field("authorization")
    }

    fn field(&self, name: &str) -> Field<'_> {
        let mut fields = self.fields.iter().filter(|(it, _)| it == name);
        match (fields.next(), fields.next()) {
            (None, _) => Field::Absent,
            (Some((_, value)), None) => Field::One(value),
            (Some(_), Some(_)) => Field::Several,
        }
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn target(&self) -> Target<'_> {
        Target { is_secure: true, authority: Some(b"api.example"), path: b"/topics?x=1" }
    }

    fn upstream(&self) -> Upstream<'_> {
        let line = self.line.as_ref().map(|(method, target)| (&**method, &**target));
        let (method, target) = line.unwrap_or(("GET", "/topics?x=1"));
        Upstream {
            method: method.as_bytes(),
            uri: Uri::Sent(target.as_bytes()),
            length: self.body.map_or(Length::None, Length::Known),
        }
    }
}

impl Connection for Sent {
    fn peer(&self) -> Option<Peer> {
        self.peer.clone()
    }

    fn address(&self) -> &[u8] {
        &self.address
    }

    fn ip(&self) -> Option<IpAddr> {
        let address: [u8; 4] = self.address.as_slice().try_into().ok()?;
        Some(address.into())
    }

    fn variable(&self, _: usize) -> Option<&[u8]> {
        None
    }
}

/// A host whose clock says nothing new, and which says nothing itself.
#[derive(Debug)]
pub struct NoHost;

impl Host for NoHost {
    fn clock(&self) -> Tick {
        Tick::from_nanos(0)
    }

    fn tell_full(&self, _: Part, _: u64) {}
}

/// The lines of a block, as typed.
pub type Lines<'l> = &'l [(&'l str, &'l [&'l str])];

/// A configuration with these issuers, each by its name and its lines.
///
/// # Panics
///
/// If Nginx would refuse one of them.
pub fn issuers(blocks: &[(&str, Lines<'_>)]) -> RawMain {
    let (mut main, place) = (RawMain::default(), Place::default());
    for (name, lines) in blocks {
        read(MAIN, &mut main, "mesh_issuer", &[name], &place).unwrap();
        for (name, words) in *lines {
            read(ISSUER, main.open.as_mut().unwrap(), name, words, &place).unwrap();
        }
        main.close_issuer().unwrap();
    }
    main
}

/// A location of these lines.
///
/// # Panics
///
/// If Nginx would refuse one of them.
pub fn location(lines: Lines<'_>) -> RawLocation {
    let mut raw = RawLocation::default();
    for (name, words) in lines {
        read(LOCATION, &mut raw, name, words, &Place::default()).unwrap();
    }
    raw
}

/// A copy of an object in which these members are so; null removes one.
///
/// # Panics
///
/// If one of the two is no object.
pub fn changed(object: &Value, changes: &Value) -> Value {
    let mut members = object.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    json!(members)
}
