//! The fixed server: issuers, key sets, locations and certificates, each as the module is told
//! and as the oracle knows it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use mesh_core::claims::Kept;
use mesh_core::config::directive::{ISSUER, LOCATION, MAIN, read};
use mesh_core::config::{self, Location, RawLocation, RawMain, Resolver};
use mesh_core::issuer::Issuer;
use mesh_core::issuer::revocation::Revocations;
use mesh_core::issuer::trust::{Revoked, Trust};
use mesh_core::key::algorithm::AlgorithmSet;
use mesh_core::key::jwks::KeySet;
use mesh_core::limit::{Charge, Part, Quota, Rate};
use mesh_core::stage::authenticate::WorkerState;
use mesh_core::testing::{self, NOW, Worker};
use mesh_core::text::time::UnixTime;
use mesh_core::token::TokenCache;
use serde_json::json;

use super::case::Step;
use crate::keys::{self, BARE, BARE_TWIN, EC, ED, NEW, P384, RENAMED, RSA};

mod peer;

pub use peer::{LEAVES, Leaf, peer};

/// An issuer as the oracle knows it.
pub struct Model {
    pub url: &'static str,
    pub name: &'static str,
    pub audiences: &'static [&'static str],
    pub algorithms: &'static [&'static str],
    pub leeway: i128,
    pub max_lifetime: Option<i128>,
    /// Every spelling of the type that cases use and that is right.
    pub types: Option<&'static [&'static str]>,
    pub service_claim: &'static str,
    pub groups_claim: Option<&'static str>,
    /// The key sets that it may publish, the first one at the start.
    pub sets: &'static [&'static [usize]],
}

pub const ISSUERS: &[Model] = &[
    Model {
        url: "https://idp.example",
        name: "idp",
        audiences: &["api"],
        algorithms: &["RS256", "ES256", "ES384", "EdDSA"],
        leeway: 30,
        max_lifetime: None,
        types: None,
        service_claim: "sub",
        groups_claim: Some("groups"),
        sets: &[&[EC, ED], &[NEW, ED], &[RENAMED]],
    },
    Model {
        url: "https://other.example/",
        name: "other",
        audiences: &["api", "urn:x"],
        algorithms: &["RS256", "PS256"],
        leeway: 10,
        max_lifetime: Some(3600),
        types: Some(&["at+jwt", "AT+JWT", "application/at+jwt"]),
        service_claim: "azp",
        groups_claim: None,
        sets: &[&[RSA]],
    },
    Model {
        url: "https://bare.example",
        name: "bare",
        audiences: &["api"],
        algorithms: &["RS256", "ES256", "ES384", "EdDSA"],
        leeway: 30,
        max_lifetime: None,
        types: None,
        service_claim: "sub",
        groups_claim: None,
        sets: &[&[BARE, P384], &[BARE, BARE_TWIN]],
    },
    Model {
        url: "https://down.example",
        name: "down",
        audiences: &["api"],
        algorithms: &["RS256", "ES256", "ES384", "EdDSA"],
        leeway: 30,
        max_lifetime: None,
        types: None,
        service_claim: "sub",
        groups_claim: None,
        sets: &[],
    },
];

/// An entry of a list of what is revoked, as the oracle knows it.
#[derive(Clone, Copy)]
pub struct Entry {
    pub member: &'static str,
    pub name: &'static str,
    pub issuer: Option<usize>,
    pub before: Option<i64>,
}

/// A list, or none where the last good one is not known.
pub type List = Option<&'static [Entry]>;

const SUBJECT: Entry = Entry { member: "sub", name: "orders", issuer: None, before: None };

/// The lists that are in force one after the other, the first one at the start.
pub const LISTS: &[List] = &[
    Some(&[]),
    Some(&[SUBJECT]),
    Some(&[Entry { before: Some(NOW - 60), ..SUBJECT }, Entry { issuer: Some(1), ..SUBJECT }]),
    Some(&[Entry { member: "kid", name: "k1", issuer: Some(0), before: None }]),
    Some(&[Entry { member: "kid", name: "p384", ..SUBJECT }]),
    None,
];

/// A location as the oracle knows it; the lines that it is typed as are in [`lines`].
pub struct Place {
    pub token: bool,
    pub certificate: bool,
    pub any: bool,
    pub spiffe: bool,
    pub dns: bool,
    pub common_name: bool,
    /// The issuers that are believed, and for which audiences instead of their own.
    pub accept: Option<(usize, &'static [&'static str])>,
    pub requirements: &'static [(&'static str, &'static [&'static str])],
    pub limited: bool,
    pub dry_run: &'static str,
}

/// The dry run that covers everything.
pub const DRY: &str = "all";

const TOKEN: Place = Place {
    token: true,
    certificate: false,
    any: false,
    spiffe: true,
    dns: true,
    common_name: false,
    accept: None,
    requirements: &[],
    limited: false,
    dry_run: "off",
};
const CERTIFICATE: Place = Place { token: false, certificate: true, ..TOKEN };
const ANY: Place = Place { token: true, certificate: true, any: true, ..TOKEN };
const CLAIMS: &[(&str, &[&str])] = &[("scope", &["read", "write"]), ("groups", &["ops"])];

pub const LOCATIONS: &[Place] = &[
    TOKEN,
    ANY,
    CERTIFICATE,
    Place { certificate: true, ..TOKEN },
    Place { accept: Some((0, &["kafka"])), ..TOKEN },
    Place { requirements: CLAIMS, ..TOKEN },
    Place { dns: false, ..CERTIFICATE },
    Place { spiffe: false, dns: false, common_name: true, ..CERTIFICATE },
    Place { limited: true, ..TOKEN },
    Place { limited: true, dry_run: "limit", ..TOKEN },
    Place { requirements: CLAIMS, limited: true, dry_run: DRY, ..ANY },
];

/// The lines of a location in a configuration.
fn lines(place: &Place) -> Vec<(&'static str, Vec<&'static str>)> {
    let methods: &[_] = match place {
        Place { any: true, .. } => &["any"],
        Place { token: true, certificate: true, .. } => &["token", "certificate"],
        Place { token: true, .. } => &["token"],
        _ => &["certificate"],
    };
    let mut lines = vec![("mesh_authenticate", methods.to_vec())];
    let kinds = [(place.spiffe, "spiffe"), (place.dns, "dns"), (place.common_name, "cn")];
    let kinds = kinds.iter().filter(|(on, _)| *on).map(|(_, kind)| *kind);
    lines.push(("mesh_certificate_name", kinds.collect()));
    if let Some((issuer, audiences)) = place.accept {
        assert_eq!(audiences, ["kafka"]);
        lines.push(("mesh_accept", vec![ISSUERS[issuer].name, "audience=kafka"]));
    }
    for (claim, values) in place.requirements {
        let pointer = if *claim == "scope" { "/scope" } else { "/groups" };
        lines.push(("mesh_require_claim", [&[pointer], *values].concat()));
    }
    if place.limited {
        lines.push(("mesh_limit", vec!["calls", "rate=1r/m", "burst=1", "key=principal"]));
        lines.push(("mesh_failure_limit", vec!["rate=1r/m", "burst=1"]));
    }
    lines.push(("mesh_dry_run", vec![place.dry_run]));
    lines
}

static CONFIGURATION: LazyLock<(Vec<Issuer>, Kept, Vec<Location>)> = LazyLock::new(|| {
    let place = config::Place::default();
    let mut main = RawMain::default();
    for model in ISSUERS {
        read(MAIN, &mut main, "mesh_issuer", &[model.name], &place).expect("an issuer");
        let open = main.open.as_mut().expect("a block");
        let mut line = |name, words: &[&str]| {
            read(ISSUER, open, name, words, &place).expect("a line of an issuer");
        };
        line("issuer", &[model.url]);
        line("audience", model.audiences);
        line("jwks", &["keys.json"]);
        line("algorithms", model.algorithms);
        line("leeway", &[&model.leeway.to_string()]);
        line("service_claim", &[&format!("/{}", model.service_claim)]);
        if let Some(lifetime) = model.max_lifetime {
            line("max_lifetime", &[&lifetime.to_string()]);
        }
        if let Some([name, ..]) = model.types {
            line("token_type", &[name]);
        }
        if let Some(claim) = model.groups_claim {
            line("groups_claim", &[&format!("/{claim}")]);
        }
        main.close_issuer().expect("a whole issuer");
    }
    let mut resolver = Resolver::new(&main);
    let resolved = LOCATIONS.iter().map(|model| {
        let mut raw = RawLocation::default();
        for (name, words) in lines(model) {
            read(LOCATION, &mut raw, name, &words, &place).expect("a line of a location");
        }
        let resolved = resolver.resolve(&raw, &mut |_| None).expect("a location");
        resolved.expect("a location that authenticates")
    });
    let resolved = resolved.collect();
    (main.issuers, resolver.into_kept(), resolved)
});

/// What a request finds of the zone for limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zone {
    /// The configuration has none.
    Missing,
    /// It has room for all that cases send.
    Roomy,
    /// Strangers have just taken the places of identities, and used up what newcomers share.
    Full,
}

/// A server that starts afresh with every case: keys, cache and limits.
pub struct Server {
    worker: Worker,
    was_full: bool,
    published: Vec<&'static [usize]>,
    list: List,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("published", &self.published).finish_non_exhaustive()
    }
}

impl Server {
    pub fn new() -> Self {
        let (issuers, kept, _) = &*CONFIGURATION;
        let first = |at: usize| ISSUERS[at].sets.first().map(|set| key_set(at, set));
        let keys = (0..ISSUERS.len()).map(first).collect();
        let trust = Trust::new(issuers.clone(), kept.clone(), keys);
        trust.revoke(revoked(LISTS[0]));
        let mut worker = Worker::new(Arc::new(trust));
        worker.cache = TokenCache::with_capacity(2);
        worker.zone = testing::Zone::of(8);
        Self {
            worker,
            was_full: false,
            published: ISSUERS.iter().map(|it| *it.sets.first().unwrap_or(&&[][..])).collect(),
            list: LISTS[0],
        }
    }

    /// Sets the clocks, and the keys that an issuer publishes from now on.
    pub fn turn(&mut self, step: &Step) {
        self.worker.now.unix = UnixTime::from_secs(step.now);
        self.worker.now.tick = self.worker.now.tick.saturating_add(step.wait);
        if let Some((issuer, set)) = step.publishes {
            let keys = ISSUERS[issuer].sets[set];
            self.worker.trust.replace(issuer, key_set(issuer, keys));
            self.published[issuer] = keys;
        }
        if let Some(list) = step.revokes {
            self.list = LISTS[list];
            self.worker.trust.revoke(revoked(self.list));
        }
        if step.zone == Zone::Full {
            self.fill();
        }
    }

    /// Charges strangers under the limit of the locations, more than there is room for.
    fn fill(&mut self) {
        let quota = Quota::new("calls", Rate::parse("1r/m").expect("a rate"), 1, 1);
        let quota = quota.expect("a quota");
        let table = self.worker.zone.table();
        let refused = (0..STRANGERS).filter(|stranger| {
            let key = table.key(&quota, &[b"stranger", &stranger.to_le_bytes()]);
            let charge = Charge::new(&quota, Part::Identities, key);
            table
                .charge(&[charge], self.worker.now.tick)
                .is_err_and(|limited| limited.is_overflow())
        });
        assert!(refused.count() > 0, "strangers leave room");
        self.was_full = true;
    }

    /// Whether the zone was ever full.
    pub fn was_full(&self) -> bool {
        self.was_full
    }

    /// The keys that each issuer publishes now.
    pub fn published(&self) -> &[&'static [usize]] {
        &self.published
    }

    /// What is revoked now.
    pub fn list(&self) -> List {
        self.list
    }

    pub fn location(&self, at: usize) -> &'static Location {
        &CONFIGURATION.2[at]
    }

    pub fn with_worker<T>(
        &mut self,
        step: &Step,
        ask: impl FnOnce(&mut WorkerState<'_>) -> T,
    ) -> T {
        self.worker.work(|worker| {
            if step.zone == Zone::Missing {
                worker.table = None;
            }
            ask(worker)
        })
    }
}

/// More than the 32 slots of identities and the 32 requests that newcomers share.
const STRANGERS: u32 = 256;

fn revoked(list: List) -> Revoked {
    let Some(entries) = list else { return Revoked::Unknown };
    let entries = entries.iter().map(|entry| {
        let mut written = json!({ entry.member: entry.name });
        entry.issuer.iter().for_each(|at| written["issuer"] = json!(ISSUERS[*at].name));
        entry.before.iter().for_each(|before| written["before"] = json!(before));
        written
    });
    let text = json!({ "version": 1, "revoked": entries.collect::<Vec<_>>() }).to_string();
    let find = |name: &str| ISSUERS.iter().position(|issuer| issuer.name == name);
    let list = Revocations::parse(text.as_bytes(), find).expect("a list");
    Revoked::Listed(Arc::new(list))
}

fn key_set(issuer: usize, keys: &[usize]) -> KeySet {
    let algorithms = ISSUERS[issuer].algorithms.iter().map(|name| name.parse().expect("a name"));
    KeySet::parse(&keys::set(keys), algorithms.collect::<AlgorithmSet>()).expect("a key set").0
}
