//! Shared memory for tests, in the memory of one process, and a thread that fetches into it.
#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it panics")]

use core::time::Duration;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh_core::issuer::{Entry, Form, Remote};
use mesh_core::key::algorithm::KeyAlgorithms;
use mesh_core::testing::keys::{Signer, jwks as set_of, with};
use mesh_core::text::endpoint::Endpoint;
use mesh_core::text::time::UnixTime;
use rcgen::KeyPair;
use serde_json::Value;

use super::*;
use crate::stub::until;
use crate::{Control, Message, Options, Outbox};

/// The documents that the workers share, and the changes to them.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) leads: bool,
    /// The document of each issuer, and when it was confirmed.
    pub(crate) documents: [Option<(Vec<u8>, UnixTime)>; 2],
    pub(crate) wishes: VecDeque<Box<str>>,
    /// Every change: "publish 0", "confirm 0", "fail 0 word".
    pub(crate) calls: Vec<String>,
    pub(crate) adoptions: usize,
    /// Whether the next publication panics.
    pub(crate) panics: bool,
    pub(crate) is_full: bool,
    /// The sentence of the last failure.
    pub(crate) why: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SharedMemory(Arc<Mutex<Memory>>);

impl SharedMemory {
    pub(crate) fn led() -> Self {
        let memory = Self::default();
        memory.lock().leads = true;
        memory
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    pub(crate) fn until_calls(&self, count: usize) {
        until("calls", || self.lock().calls.len() >= count);
    }

    /// Waits for so many looks of the thread at the published documents, so for about as many tenths
    /// of a second.
    pub(crate) fn ticks(&self, ticks: usize) {
        let from = self.lock().adoptions;
        until("ticks", || self.lock().adoptions >= from + ticks);
    }

    pub(crate) fn wish(&self, kid: &str) {
        self.lock().wishes.push_back(kid.into());
        until("wish", || self.lock().wishes.is_empty());
    }

    /// The names of the published keys of an issuer.
    pub(crate) fn kids(&self, issuer: usize) -> Vec<String> {
        let memory = self.lock();
        let Some((document, _)) = &memory.documents[issuer] else { return Vec::new() };
        let document: Value = serde_json::from_slice(document).unwrap();
        let keys = document["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

impl Shared for SharedMemory {
    fn is_leader(&mut self) -> bool {
        self.lock().leads
    }

    fn confirmed(&mut self, issuer: usize) -> Option<UnixTime> {
        self.lock().documents[issuer].as_ref().map(|(_, at)| *at)
    }

    fn document(&mut self, issuer: usize) -> Option<Vec<u8>> {
        self.lock().documents[issuer].as_ref().map(|(document, _)| document.clone())
    }

    fn publish(&mut self, issuer: usize, document: &[u8], at: UnixTime) -> bool {
        let mut memory = self.lock();
        if core::mem::take(&mut memory.panics) {
            panic!("secret");
        }
        if !memory.leads || memory.is_full {
            return false;
        }
        memory.calls.push(format!("publish {issuer}"));
        memory.documents[issuer] = Some((document.to_vec(), at));
        true
    }

    fn confirm(&mut self, issuer: usize, at: UnixTime) -> bool {
        let mut memory = self.lock();
        if !memory.leads || memory.is_full {
            return false;
        }
        memory.calls.push(format!("confirm {issuer}"));
        memory.documents[issuer].as_mut().unwrap().1 = at;
        true
    }

    fn fail(&mut self, issuer: usize, _: UnixTime, word: &'static str, why: &str) {
        let mut memory = self.lock();
        memory.calls.push(format!("fail {issuer} {word}"));
        memory.why = why.to_owned();
    }

    fn wish(&mut self, issuer: usize) -> Option<Box<str>> {
        if issuer == 0 { self.lock().wishes.pop_front() } else { None }
    }

    fn adopt(&mut self) {
        self.lock().adoptions += 1;
    }
}

/// A thread that fetches, and all it said.
pub(crate) struct Fetching {
    pub(crate) control: Control,
    messages: Vec<Message>,
}

impl Fetching {
    pub(crate) fn start(memory: &SharedMemory, issuers: Vec<RemoteIssuer>) -> Self {
        let shared: Box<dyn Shared> = Box::new(memory.clone());
        // Another worker speaks for all; this one leads.
        let options = Options { outbox: Outbox::new(false), interval: Duration::from_millis(10) };
        let control =
            Control::start(vec![Box::new(FetchedKeys { issuers, shared })], options).unwrap();
        Self { control, messages: Vec::new() }
    }

    /// All messages so far, as "Level text".
    pub(crate) fn said(&mut self) -> Vec<String> {
        self.messages.extend(self.control.messages());
        self.messages.iter().map(|it| format!("{:?} {}", it.level, it.text)).collect()
    }

    pub(crate) fn until_said(&mut self, text: &str) {
        until(text, || self.said().iter().any(|said| said.contains(text)));
    }
}

/// The issuer "idp" at the first place, asked at most as often as a look for wishes.
pub(crate) fn issuer(entry: Entry, trusted_certificate: Option<&Path>) -> RemoteIssuer {
    RemoteIssuer {
        index: 0,
        name: "idp".into(),
        url: "https://idp.example".into(),
        form: Form::Plain,
        algorithms: KeyAlgorithms::OWN,
        remote: Arc::new(Remote {
            entry,
            refresh: Duration::from_secs(3600),
            min_refresh: Duration::from_millis(50),
            max_stale: Duration::from_secs(86_400),
            trusted_certificate: trusted_certificate.map(Path::to_owned),
            bearer: None,
        }),
    }
}

pub(crate) fn jwks(url: Endpoint) -> RemoteIssuer {
    issuer(Entry::Jwks(url), None)
}

/// As an issuer, but with this time between two fetches.
pub(crate) fn every(refresh: Duration, issuer: &RemoteIssuer) -> RemoteIssuer {
    let remote = Remote { refresh, ..(*issuer.remote).clone() };
    RemoteIssuer { remote: Arc::new(remote), ..issuer.clone() }
}

/// A public key in PEM.
pub(crate) fn pem() -> String {
    KeyPair::generate().unwrap().public_key_pem()
}

/// A JWK set with a new key for each name.
pub(crate) fn set(kids: &[&str]) -> String {
    let keys: Vec<_> =
        kids.iter().map(|kid| with(&Signer::p256().jwk(kid), "use", "sig")).collect();
    String::from_utf8(set_of(&keys)).unwrap()
}
