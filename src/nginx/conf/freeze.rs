//! How the settings of a cycle are frozen, once all blocks are read: files, zones, documents, trust.

use core::time::Duration;
use std::sync::Arc;

use mesh_control::{
    Credential, MOST_BEARER, MOST_CREDENTIAL, WatchedFile, read_bearer, read_capped,
};
use mesh_core::config::{ConfigError, RawLocation, Resolver};
use mesh_core::issuer::ClientProof;
use mesh_core::issuer::revocation::{self, Revocations};
use mesh_core::issuer::trust::{Reader, Trust};
use mesh_core::issuer::{Issuer, KeySource};
use mesh_core::key::jwks::{KeySet, warnings};
use mesh_core::policy::{EditionError, Policies};
use mesh_core::request::source::Source;
use nginx_sys::ngx_conf_t;

use crate::nginx::answer::{variable, websocket};
use crate::nginx::memory::documents::DocumentsZone;
use crate::nginx::memory::limits::LimitZone;
use crate::nginx::memory::proofs::ProofZone;
use crate::nginx::ngx::log::Level;
use crate::nginx::state::document::FileOf;
use crate::nginx::state::settings::MainConf;

use super::{MOST_JWKS, Relative, checks, full_name, log_elsewhere, main_mut, refuse};

/// The last step of `postconfiguration`: reads keys, asks for the zones, freezes the settings.
pub(crate) fn freeze(cf: *mut ngx_conf_t) -> Result<(), ()> {
    // SAFETY: nothing else refers to our settings between merging and the first request.
    let main = unsafe { main_mut(cf) };
    let mut issuers = core::mem::take(&mut main.raw.issuers);
    checks::judge_levels(cf, main, &issuers)?;
    complete_issuers(cf, main, &mut issuers)?;
    let (keys, files) = read_key_files(cf, main, &issuers)?;
    let revocations = read_revocations(cf, main, &issuers)?;
    let mut resolver = core::mem::take(&mut main.resolver);
    read_policies(cf, main, &mut resolver, &issuers)?;
    main.sources = resolver.sources();
    checks::warn_cached(cf, main);
    if main.sources.contains(&Source::WebSocket) {
        websocket::install();
    }
    declare_zones(cf, main, &resolver)?;
    write_metadata(cf, main, &resolver, &issuers)?;
    share_documents(cf, main, &issuers, files)?;
    let mut trust = Trust::new(issuers, resolver.into_kept(), keys);
    if let Some(list) = revocations {
        trust = trust.with_revocations(list);
    }
    believe(main, trust);
    Ok(())
}

/// Completes the names of the issuers' files, and reads the credentials for their introspection.
fn complete_issuers(
    cf: *mut ngx_conf_t,
    main: &mut MainConf,
    issuers: &mut [Issuer],
) -> Result<(), ()> {
    for (index, issuer) in issuers.iter_mut().enumerate() {
        name_authorities(cf, issuer)?;
        name_bearer(cf, issuer)?;
        checks::warn_plain(cf, issuer);
        if let Some(credential) = introspection(cf, issuer)? {
            main.credentials.push((index, Arc::new(credential)));
        }
    }
    Ok(())
}

/// The key set of each issuer that has a file for it, and the files' bytes by the issuer's index.
type KeyFiles = (Vec<Option<KeySet>>, Vec<(usize, Vec<u8>)>);

/// Reads the key sets that are files, which are watched from now on.
fn read_key_files(
    cf: *mut ngx_conf_t,
    main: &mut MainConf,
    issuers: &[Issuer],
) -> Result<KeyFiles, ()> {
    let (mut keys, mut files) = (Vec::new(), Vec::new());
    for (index, issuer) in issuers.iter().enumerate() {
        let KeySource::File(file) = &issuer.keys else {
            keys.push(None);
            continue;
        };
        let path = full_name(cf, file, Relative::ToConfiguration)?;
        let place =
            format_args!("jwks file \"{}\" of mesh_issuer \"{}\"", path.display(), issuer.name)
                .to_string();
        let (document, stamp) = read_capped(&path, MOST_JWKS).map_err(|error| {
            log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
        })?;
        let (set, skipped) = issuer.read_keys(&document).map_err(|error| {
            log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
        })?;
        for warning in warnings(&skipped) {
            log_elsewhere(cf).write(Level::Warn, format_args!("{place}: {warning}"));
        }
        checks::warn_unreadable(cf, &path, &place);
        keys.push(Some(set));
        files.push((index, document));
        let file = WatchedFile { path, max_bytes: MOST_JWKS, primed: Some(stamp), interval: None };
        main.documents.push((FileOf::Keys(index), file));
    }
    Ok((keys, files))
}

/// Reads the table of a `mesh_platform file=...`, unless it was read before; `false` if it is bad.
pub(super) fn read_table(cf: *mut ngx_conf_t, main: &mut MainConf, raw: &RawLocation) -> bool {
    let platforms = main.resolver.platforms();
    let Some(file) = platforms.wants(raw) else { return true };
    let Ok(path) = full_name(cf, file, Relative::ToConfiguration) else { return false };
    let log = log_elsewhere(cf);
    let place = format!("mesh_platform file \"{}\"", path.display());
    let (bytes, _) = match read_capped(&path, MOST_TABLE) {
        Ok(read) => read,
        Err(error) => {
            log.write(Level::Emerg, format_args!("{place}: {error}"));
            return false;
        }
    };
    let Ok(text) = core::str::from_utf8(&bytes) else {
        log.write(Level::Emerg, format_args!("{place} is not UTF-8"));
        return false;
    };
    match platforms.give(file, &path, text) {
        Ok(()) => true,
        Err(errors) => {
            for error in errors.iter().take(MOST_FAULTS) {
                log.write(Level::Emerg, format_args!("mesh_platform: {error}"));
            }
            false
        }
    }
}

/// Reads the policies that locations name, which are watched from now on.
fn read_policies(
    cf: *mut ngx_conf_t,
    main: &mut MainConf,
    resolver: &mut Resolver,
    issuers: &[Issuer],
) -> Result<(), ()> {
    let platforms = resolver.platforms();
    let has_policies = !platforms.policies().is_empty();
    let tables = if has_policies { platforms.tables() } else { Vec::new() };
    let names = issuers.iter().map(|issuer| issuer.name.clone()).collect();
    let policies = Policies::new(tables, names);
    let mut first = Vec::new();
    for (policy, (file, line)) in platforms.policies().iter().enumerate() {
        let path = full_name(cf, file, Relative::ToConfiguration)?;
        let log = log_elsewhere(cf);
        let place = format!("mesh_policy file \"{}\"", path.display());
        let (bytes, stamp) = read_capped(&path, MOST_POLICY).map_err(|error| {
            let error = ConfigError::at(line, format!("{place}: {error}"));
            refuse(cf, None, &error);
        })?;
        let (edition, warnings) = policies.read(&bytes).map_err(|error| {
            let faults = match &error {
                EditionError::Faults(faults) => faults.as_slice(),
                EditionError::Text => &[],
            };
            if faults.is_empty() {
                log.write(Level::Emerg, format_args!("{place}: {error}"));
            }
            for fault in faults {
                log.write(Level::Emerg, format_args!("mesh_policy: {}:{fault}", path.display()));
            }
        })?;
        for warning in warnings {
            log.write(Level::Warn, format_args!("mesh_policy: {}:{warning}", path.display()));
        }
        checks::warn_unreadable(cf, &path, &place);
        first.push(edition);
        main.policy_files.push(path.clone());
        let (max_bytes, primed) = (MOST_POLICY, Some(stamp));
        let file = WatchedFile { path, max_bytes, primed, interval: None };
        main.documents.push((FileOf::Policy(policy), file));
    }
    if has_policies {
        main.request_id = variable::index(cf, "request_id");
    }
    let policies = Arc::new(policies.with(first));
    main.caches.get_mut().policies = Some(policies.reader());
    main.policies = Some(policies);
    Ok(())
}

/// The most bytes of a policy.
const MOST_POLICY: u64 = Policies::MAX_BYTES as u64;

/// The most bytes of a platform's table.
const MOST_TABLE: u64 = 4 << 20;

/// How many faults of a table are told.
const MOST_FAULTS: usize = 20;

/// Declares the zones that locations need, or that the configuration sizes.
fn declare_zones(cf: *mut ngx_conf_t, main: &mut MainConf, resolver: &Resolver) -> Result<(), ()> {
    if resolver.has_limits() || main.raw.zone.is_some() {
        let size = main.raw.zone.unwrap_or(DEFAULT_ZONE);
        // SAFETY: Nginx passed `cf` to `postconfiguration`.
        let zone = unsafe { LimitZone::add(cf, size) }.map_err(|error| {
            log_elsewhere(cf).write(Level::Emerg, format_args!("mesh_zone: {error}"));
        })?;
        main.zone = Some(zone);
    }
    if resolver.proof_age().is_some() || main.raw.dpop_zone.is_some() {
        let size = main.raw.dpop_zone.unwrap_or(DEFAULT_DPOP_ZONE);
        let max_age = resolver.proof_age().unwrap_or(0);
        // SAFETY: as above.
        let zone = unsafe { ProofZone::add(cf, size, max_age) }.map_err(|error| {
            log_elsewhere(cf).write(Level::Emerg, format_args!("mesh_dpop_zone: {error}"));
        })?;
        main.proofs = Some(zone);
    }
    Ok(())
}

/// Writes the metadata of the resources that are served.
fn write_metadata(
    cf: *mut ngx_conf_t,
    main: &mut MainConf,
    resolver: &Resolver,
    issuers: &[Issuer],
) -> Result<(), ()> {
    for (resource, place) in core::mem::take(&mut main.served) {
        let Some(document) = resolver.document(resource, issuers) else {
            let message = "mesh_resource_metadata: no location that reads tokens has this \
                           mesh_resource";
            refuse(cf, None, &ConfigError::at(&place, message));
            return Err(());
        };
        main.metadata.push((resource, document));
    }
    Ok(())
}

/// Declares the documents that workers share, which begin with the contents of the files.
fn share_documents(
    cf: *mut ngx_conf_t,
    main: &mut MainConf,
    issuers: &[Issuer],
    files: Vec<(usize, Vec<u8>)>,
) -> Result<(), ()> {
    if let Some(directory) = &main.raw.state_path {
        checks::warn_unwritable(cf, directory);
    }
    // SAFETY: Nginx passed `cf` to `postconfiguration`.
    main.shared = unsafe { DocumentsZone::add(cf, issuers, files, main.raw.state_path.clone()) }
        .map_err(|error| log_elsewhere(cf).write(Level::Emerg, format_args!("{error}")))?;
    Ok(())
}

/// Puts the issuers and their keys in force.
fn believe(main: &mut MainConf, trust: Trust) {
    let asked = trust.issuers().iter().filter(|issuer| issuer.introspection.is_some());
    main.introspections.get_mut().share_among(asked.count());
    let trust = Arc::new(trust);
    main.caches.get_mut().keys = Some(Reader::new(Arc::clone(&trust)));
    main.trust = Some(trust);
}

/// Reads the list of `mesh_revocation`, if there is one, and has it watched.
fn read_revocations(
    cf: *mut ngx_conf_t,
    main: &mut MainConf,
    issuers: &[Issuer],
) -> Result<Option<Revocations>, ()> {
    let Some(file) = &main.raw.revocation else { return Ok(None) };
    let path = full_name(cf, file, Relative::ToConfiguration)?;
    let place = format_args!("mesh_revocation file \"{}\"", path.display()).to_string();
    let refuse = |error: &dyn core::fmt::Display| {
        log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
    };
    let (bytes, stamp) = read_capped(&path, MOST_REVOCATIONS).map_err(|error| refuse(&error))?;
    let find = |name: &str| issuers.iter().position(|issuer| *issuer.name == *name);
    let list = Revocations::parse(&bytes, find).map_err(|error| refuse(&error))?;
    checks::warn_unreadable(cf, &path, &place);
    let (max_bytes, primed) = (MOST_REVOCATIONS, Some(stamp));
    let file = WatchedFile { path, max_bytes, primed, interval: Some(REVOCATION_INTERVAL) };
    main.documents.push((FileOf::Revocations, file));
    Ok(Some(list))
}

/// The most bytes of the revocation list.
const MOST_REVOCATIONS: u64 = revocation::MAX_BYTES as u64;

/// The time between two looks at it: a new list has to apply within a second, and is not read before
/// it has been left alone for 100 ms.
const REVOCATION_INTERVAL: Duration = Duration::from_millis(250);

/// Completes the name of the file of an issuer's authorities, which must be there.
fn name_authorities(cf: *mut ngx_conf_t, issuer: &mut Issuer) -> Result<(), ()> {
    let fetched = match &mut issuer.keys {
        KeySource::File(_) | KeySource::None => &mut None,
        KeySource::Remote(remote) => &mut remote.trusted_certificate,
    };
    let asked = issuer.introspection.as_mut().and_then(|it| it.trusted_certificate.as_mut());
    let Some(file) = asked.as_deref().or(fetched.as_ref()) else { return Ok(()) };
    let path = full_name(cf, file, Relative::ToConfiguration)?;
    let place = format!(
        "trusted_certificate file \"{}\" of mesh_issuer \"{}\"",
        path.display(),
        issuer.name
    );
    read_capped(&path, MOST_AUTHORITIES).map_err(|error| {
        log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
    })?;
    checks::warn_unreadable(cf, &path, &place);
    // The same authorities apply to both.
    for file in asked.into_iter().chain(fetched.as_mut()) {
        file.clone_from(&path);
    }
    Ok(())
}

/// Completes the name of the file of the token that an issuer's server wants, which must hold one.
fn name_bearer(cf: *mut ngx_conf_t, issuer: &mut Issuer) -> Result<(), ()> {
    let KeySource::Remote(remote) = &mut issuer.keys else { return Ok(()) };
    let Some(file) = &mut remote.bearer else { return Ok(()) };
    *file = full_name(cf, file, Relative::ToConfiguration)?;
    let name = &issuer.name;
    let place = format!("jwks_bearer file \"{}\" of mesh_issuer \"{name}\"", file.display());
    let refused = |error: &dyn core::fmt::Display| {
        log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
    };
    let (contents, _) = read_capped(file, MOST_BEARER).map_err(|error| refused(&error))?;
    read_bearer(&contents).map_err(|error| refused(&error))?;
    checks::warn_unreadable(cf, file, &place);
    Ok(())
}

/// Completes the name of the file of the client's credential for introspection, and reads it; `None` if
/// the issuer has no `introspection`.
fn introspection(cf: *mut ngx_conf_t, issuer: &mut Issuer) -> Result<Option<Credential>, ()> {
    let Some(introspection) = &mut issuer.introspection else { return Ok(None) };
    let refused = |place: &dyn core::fmt::Display, error: &dyn core::fmt::Display| {
        log_elsewhere(cf).write(Level::Emerg, format_args!("{place}: {error}"));
    };
    let (ClientProof::Key(file, _) | ClientProof::Secret(file, _)) =
        &mut introspection.client.proof;
    *file = full_name(cf, file, Relative::ToConfiguration)?;
    let file = file.clone();
    let place = format!(
        "introspection_client file \"{}\" of mesh_issuer \"{}\"",
        file.display(),
        issuer.name
    );
    let (contents, _) =
        read_capped(&file, MOST_CREDENTIAL).map_err(|error| refused(&place, &error))?;
    let credential = Credential::read(&introspection.client, &contents)
        .map_err(|error| refused(&place, &error))?;
    checks::warn_unreadable(cf, &file, &place);
    Ok(Some(credential))
}

/// The most bytes of a file of authorities.
const MOST_AUTHORITIES: u64 = 4 << 20;

/// `mesh_zone` if none is given.
const DEFAULT_ZONE: usize = 8 << 20;

/// `mesh_dpop_zone` if none is given.
const DEFAULT_DPOP_ZONE: usize = 1 << 20;
