//! The frozen settings of one cycle, and how a request finds them.
//!
//! `conf.rs` builds them; from `init_module` on they are only read.

use core::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;

use mesh_control::{Credential, WatchedFile};
use mesh_core::config::{Levels, Location, Place, RawLocation, RawMain, Resolver};
use mesh_core::documents::WishMemo;
use mesh_core::identity::Spare;
use mesh_core::issuer::trust::{Reader, Trust};
use mesh_core::policy::{self, Policies, Views};
use mesh_core::request::source::Source;
use mesh_core::request::upgrade::Upgrades;
use mesh_core::stage::decide::RouteCache;
use mesh_core::text::time::Tick;
use mesh_core::token::TokenCache;
use mesh_core::token::introspection::Introspections;
use nginx_sys::{
    ngx_http_conf_ctx_t, ngx_http_get_indexed_variable, ngx_http_upstream_init_peer_pt,
};

use crate::nginx::memory::documents::DocumentsZone;
use crate::nginx::memory::limits::LimitZone;
use crate::nginx::memory::proofs::ProofZone;
use crate::nginx::ngx::indexed::Indexed;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::neighbours;
use crate::nginx::state::document::FileOf;
use crate::nginx::state::shown::Shown;

/// What a worker keeps from one request to the next: borrowed as one, since each request needs all of it.
pub(crate) struct Caches {
    /// The tokens that it has verified.
    pub(crate) tokens: TokenCache,
    /// How it reads the keys of the issuers; there with these.
    pub(crate) keys: Option<Reader>,
    /// How it reads the policies; there with these.
    pub(crate) policies: Option<policy::Reader>,
    /// What known identities may do under them.
    pub(crate) views: Views,
    /// The lines of requests that it has named.
    pub(crate) routes: RouteCache,
    /// The memory of an identity.
    pub(crate) spare: Spare,
}

/// The settings of one cycle.
pub(crate) struct MainConf {
    pub(crate) raw: RawMain,
    pub(crate) resolver: Resolver,
    /// The blocks, while they are merged.
    pub(crate) levels: Levels,
    /// The resources whose metadata is served, each with the place of its directive.
    pub(crate) served: Vec<(usize, Place)>,
    /// The locations that authenticate and whose answers are cached, as messages name them.
    pub(crate) cached: Vec<String>,
    /// Whether a location says to which protocols requests may change.
    pub(crate) has_upgrades: bool,
    /// The places that tokens are read from.
    pub(crate) sources: Vec<Source>,
    /// The variables that show a token; from `init_module` on.
    pub(crate) shown: Shown,
    /// Whether no module changes the header of a request between two phases. From `init_module` on.
    pub(crate) is_alone: bool,
    /// Whether the configuration names `$mesh_time`: two looks at the clock cost more than all else.
    /// From `init_module` on.
    pub(crate) is_timed: bool,
    /// The issuers and their keys; there from `postconfiguration` on.
    pub(crate) trust: Option<Arc<Trust>>,
    /// The policies; there with the issuers.
    pub(crate) policies: Option<Arc<Policies>>,
    /// The files of the policies, in their order.
    pub(crate) policy_files: Vec<PathBuf>,
    /// What dry runs of policies would have decided otherwise in this worker.
    pub(crate) diverged: Diverged,
    /// The upstreams' own balancers, by the addresses of the upstreams and in their order; there if there is
    /// a policy.
    pub(crate) balancers: Balancers,
    /// The index of `$request_id`; there if there is a policy.
    pub(crate) request_id: Option<usize>,
    /// Whether the configuration names `$mesh_resource`. From `init_module` on.
    pub(crate) shows_resources: bool,
    /// The files that the background thread watches, each with its kind.
    pub(crate) documents: Vec<(FileOf, WatchedFile)>,
    /// The zone of the limits; there if any location has one.
    pub(crate) zone: Option<LimitZone>,
    /// The zone of the proofs that were accepted; there if any location takes them.
    pub(crate) proofs: Option<ProofZone>,
    /// The metadata documents that locations serve, by the resource's number.
    pub(crate) metadata: Vec<(usize, String)>,
    /// The documents that workers share; there if there are issuers.
    pub(crate) shared: Option<DocumentsZone>,
    /// What this worker keeps from one request to the next. With the wishes the one thing here that requests
    /// write, in their own process, and never while they read it.
    pub(crate) caches: RefCell<Caches>,
    /// The keys that this worker has wished for lately.
    pub(crate) wishes: RefCell<WishMemo>,
    /// The issuers' answers about opaque tokens, likewise.
    pub(crate) introspections: RefCell<Introspections>,
    /// The credentials by which this cycle authenticates to issuers, by the issuer's index.
    pub(crate) credentials: Vec<(usize, Arc<Credential>)>,
}

/// What upstreams did before we came in, by the addresses of the upstreams.
pub(crate) type Balancers = Vec<(usize, ngx_http_upstream_init_peer_pt)>;

/// How often dry runs of policies would have decided otherwise.
#[derive(Debug, Default)]
pub(crate) struct Diverged {
    /// A request passed that would have been refused.
    pub(crate) would_refuse: Cell<u64>,
    /// A request was refused that would have passed.
    pub(crate) would_allow: Cell<u64>,
}

/// When a location was warned of last.
pub(crate) type Told = Cell<Option<Tick>>;

/// The settings of one `http`, `server` or `location`.
#[derive(Default)]
pub(crate) struct LocationConf {
    pub(crate) raw: RawLocation,
    /// Its number among the blocks; `None` for `http`.
    pub(crate) level: Option<usize>,
    /// The settings that requests use; `None` if `mesh_authenticate` is off.
    pub(crate) location: Option<Location>,
    /// The number of the resource whose metadata it serves.
    pub(crate) serves: Option<usize>,
    /// The protocols that requests may change to here; of a server, also in any of its locations.
    pub(crate) upgrades: Upgrades,
    /// When a worker last warned that callers share its cached answers.
    told: Told,
}

/// The frozen settings of the cycle that a request belongs to.
pub(crate) fn main<'r>(r: Live<'r>) -> &'r MainConf {
    // SAFETY: the request is whole; Nginx creates our main settings for every configuration that
    // has `http`, and they live as long as the cycle, which outlives its requests.
    unsafe { &*(*(*r.as_ptr()).main_conf.add(crate::nginx::module().ctx_index)).cast::<MainConf>() }
}

/// The frozen settings of the location that a request is in; `None` if it does not authenticate.
pub(crate) fn location<'r>(r: Live<'r>) -> Option<&'r Location> {
    // SAFETY: as in `main`; `loc_conf` is changed by Nginx alone, between phases.
    let conf = unsafe {
        &*(*(*r.as_ptr()).loc_conf.add(crate::nginx::module().ctx_index)).cast::<LocationConf>()
    };
    conf.location.as_ref()
}

/// By what the operator finds a request in the log: `$request_id`.
pub(crate) fn reference<'r>(r: Live<'r>) -> Option<&'r str> {
    let index = main(r).request_id?;
    // SAFETY: the request is live, and Nginx gave the index out in this configuration; the value lives in
    // the request's pool.
    let value = unsafe {
        let value = ngx_http_get_indexed_variable(r.as_ptr(), index).as_ref()?;
        if value.not_found() != 0 || value.len() == 0 {
            return None;
        }
        core::slice::from_raw_parts(value.data, value.len() as usize)
    };
    core::str::from_utf8(value).ok()
}

/// The protocols that a request may change to in its location; before that is known, in any of its
/// server.
pub(crate) fn upgrades<'r>(r: Live<'r>) -> &'r Upgrades {
    // SAFETY: as in `location`.
    let conf = unsafe {
        &*(*(*r.as_ptr()).loc_conf.add(crate::nginx::module().ctx_index)).cast::<LocationConf>()
    };
    &conf.upgrades
}

/// When this worker last warned of the location that a request is in.
pub(crate) fn told<'r>(r: Live<'r>) -> &'r Told {
    // SAFETY: as in `location`.
    let conf = unsafe {
        &*(*(*r.as_ptr()).loc_conf.add(crate::nginx::module().ctx_index)).cast::<LocationConf>()
    };
    &conf.told
}

/// The metadata document that the location of a request serves.
pub(crate) fn metadata<'r>(r: Live<'r>) -> Option<&'r str> {
    // SAFETY: as in `location`.
    let conf = unsafe {
        &*(*(*r.as_ptr()).loc_conf.add(crate::nginx::module().ctx_index)).cast::<LocationConf>()
    };
    let serves = conf.serves?;
    main(r).metadata.iter().find(|(resource, _)| *resource == serves).map(|(_, text)| &**text)
}

/// Completes the settings of a cycle by what only the whole configuration tells: a module behind
/// ours may name a variable in its own `postconfiguration`.
///
/// # Safety
///
/// Nginx calls `init_module` with this cycle.
pub(crate) unsafe fn complete(cycle: *mut nginx_sys::ngx_cycle_t) {
    // SAFETY: the configuration is read as a whole, and no request of this cycle is there yet: the
    // workers are forked later, and a single process serves its first request later. Nothing else
    // refers to our settings meanwhile.
    unsafe {
        let Some(http) = http(cycle) else { return };
        let main = (*(*http).main_conf.add(crate::nginx::module().ctx_index)).cast::<MainConf>();
        let Some(main) = main.as_mut() else { return };
        let variables = Indexed::of(http);
        main.is_alone = neighbours::are_nginx_own(cycle);
        main.is_timed = variables.holds("mesh_time");
        main.shows_resources = variables.holds("mesh_resource");
        main.shown = Shown::find(&main.sources, &variables);
    }
}

/// The settings of a cycle, for the process hooks.
pub(crate) fn of_cycle<'c>(cycle: *mut nginx_sys::ngx_cycle_t) -> Option<&'c MainConf> {
    // SAFETY: Nginx passes a cycle whose configuration is complete.
    unsafe {
        let http = http(cycle)?;
        (*(*http).main_conf.add(crate::nginx::module().ctx_index)).cast::<MainConf>().as_ref()
    }
}

/// The HTTP context of a cycle; `None` if the configuration has no `http`.
///
/// # Safety
///
/// The configuration of the cycle is complete.
unsafe fn http(cycle: *mut nginx_sys::ngx_cycle_t) -> Option<*const ngx_http_conf_ctx_t> {
    // SAFETY: the caller's contract.
    let http = unsafe { *(*cycle).conf_ctx.add(nginx_sys::ngx_http_module.index) };
    let http = http.cast::<ngx_http_conf_ctx_t>().cast_const();
    (!http.is_null()).then_some(http)
}
