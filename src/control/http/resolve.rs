//! From the name of a host to its addresses, without a blocking call.

use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};

use super::FetchError;
use crate::file::Seen;

/// Asks the name servers of `resolv.conf`, after the hosts file; answers are cached for their TTL.
///
/// Both files are looked at before each question, and read again when they have changed.
#[derive(Debug)]
pub(super) struct Resolver {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    /// Another port of the name servers than 53; for tests.
    port: Option<u16>,
    /// Never borrowed during a wait.
    built: RefCell<Option<Built>>,
}

struct Built {
    seen: Seen,
    resolver: TokioResolver,
}

impl core::fmt::Debug for Built {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Built").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Resolver {
    pub(super) fn of_system() -> Self {
        Self::new("/etc/resolv.conf".into(), "/etc/hosts".into(), None)
    }

    pub(super) const fn new(resolv_conf: PathBuf, hosts: PathBuf, port: Option<u16>) -> Self {
        Self { resolv_conf, hosts, port, built: RefCell::new(None) }
    }

    /// The addresses of a host, IPv4 first: this host may have no way to IPv6.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        // RFC 6761 section 6.3: whatever a resolver says.
        if host == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let resolver = self.current()?;
        let found = resolver.lookup_ip(host).await.map_err(|_| FetchError::Resolve)?;
        let mut addresses: Vec<IpAddr> = found.iter().collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.dedup();
        addresses.truncate(MAX_ADDRESSES);
        if addresses.is_empty() {
            return Err(FetchError::Resolve);
        }
        Ok(addresses)
    }

    fn current(&self) -> Result<TokioResolver, FetchError> {
        let mut built = self.built.borrow_mut();
        if let Some(built) = &*built
            && built.seen.is_current()
        {
            return Ok(built.resolver.clone());
        }
        let seen = Seen::before([&self.resolv_conf, &self.hosts]);
        let resolver = self.build()?;
        *built = Some(Built { seen, resolver: resolver.clone() });
        Ok(resolver)
    }

    fn build(&self) -> Result<TokioResolver, FetchError> {
        // Without the file there is a name server on this host, as the C library has it.
        let (mut config, mut options) = fs::read(&self.resolv_conf)
            .ok()
            .and_then(|text| parse_resolv_conf(text).ok())
            .unwrap_or_else(|| {
                let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![local]);
                (config, ResolverOpts::default())
            });
        if let Some(port) = self.port {
            for connection in config.name_servers.iter_mut().flat_map(|it| &mut it.connections) {
                connection.port = port;
            }
        }
        options.timeout = options.timeout.min(PATIENCE);
        options.positive_max_ttl = Some(MAX_TTL);
        options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
        // Read here instead, so that tests can name another file.
        options.use_hosts_file = ResolveHosts::Never;
        let mut hosts = Hosts::default();
        if let Ok(file) = File::open(&self.hosts) {
            let _ = hosts.read_hosts_conf(file);
        }
        let mut resolver =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                .with_options(options)
                .build()
                .map_err(|_| FetchError::Resolve)?;
        resolver.set_hosts(Arc::new(hosts));
        Ok(resolver)
    }
}

/// Addresses that are tried at most.
const MAX_ADDRESSES: usize = 8;
/// The longest wait for one name server, so that a dead one leaves time for the next.
const PATIENCE: Duration = Duration::from_secs(2);
/// A record with a longer TTL is asked for again.
const MAX_TTL: Duration = Duration::from_secs(3600);
/// The longest time that a missing name is cached: one that appears is found soon.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
