//! One look at each issuer, with the module's own client and judges.

use core::time::Duration;
use std::path::Path;

use mesh_control::http::{Client, FetchError, Network, Request, Response, TlsFault};
use mesh_control::{
    DiscoveryFault, bearer_for, discovery_request, keys_request, keys_url, next_fetch, read_capped,
};
use mesh_core::issuer::{Entry, Issuer, KeySource, Remote};
use mesh_core::key::jwks::{JwksError, MAX_BYTES, SkippedKey};
use mesh_core::text::endpoint::Endpoint;
use mesh_core::text::json;
use serde_json::Value;

use super::config::Configuration;
use super::report::{Checked, Level};

/// Checks all issuers, one after the other.
pub(super) async fn all(configuration: &Configuration) -> Vec<Checked> {
    let network = Network::new();
    let mut all = Vec::new();
    for issuer in &configuration.issuers {
        let mut checked = Checked::new(&issuer.name, &issuer.url);
        match &issuer.keys {
            KeySource::File(file) => {
                of_file(issuer, &configuration.directory.join(file), &mut checked);
            }
            KeySource::None => checked.find(
                Level::Note,
                "keys",
                "none: the issuer is asked about each token, and `issuer check` sends none",
            ),
            KeySource::Remote(remote) => {
                let authorities =
                    remote.trusted_certificate.as_ref().map(|it| configuration.directory.join(it));
                let client = network.client(authorities);
                let mut remote = remote.clone();
                remote.bearer = remote.bearer.map(|it| configuration.directory.join(it));
                Probe { issuer, remote: &remote, client, checked: &mut checked }.run().await;
            }
        }
        all.push(checked);
    }
    all
}

fn of_file(issuer: &Issuer, file: &Path, checked: &mut Checked) {
    let max = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    match read_capped(file, max) {
        Ok((document, _)) => keys(issuer, &document, &file.display().to_string(), checked),
        Err(error) => checked.fail("keys", format_args!("{}: {error}", file.display()), None),
    }
}

/// Reports for each key whether it is usable.
fn keys(issuer: &Issuer, document: &[u8], from: &str, checked: &mut Checked) {
    let (used, skipped) = match issuer.read_keys(document) {
        Ok((set, skipped)) => {
            let line = |(kid, algorithms): (Option<&str>, _)| (quoted(kid), algorithms);
            (set.keys().map(line).collect(), skipped)
        }
        Err(JwksError::NoUsableKey(skipped)) => (Vec::new(), skipped),
        Err(error) => {
            let advice = "the answer is not a JWK set (RFC 7517): look at it, and check the URL";
            return checked.fail("keys", format_args!("{from}: {error}"), Some(advice));
        }
    };
    let all = used.len().saturating_add(skipped.len());
    let count = format!("{from}: {} of {all} keys are usable", used.len());
    if used.is_empty() {
        let advice = "with another algorithm than the defaults, name it in `algorithms`";
        checked.fail("keys", count, Some(advice));
    } else {
        checked.find(Level::Ok, "keys", count);
    }
    for (kid, algorithms) in used {
        checked.find(Level::Ok, "key", format_args!("{kid}: {algorithms}"));
    }
    for SkippedKey { kid, fault, .. } in skipped {
        let level = if fault.is_weakness() { Level::Warning } else { Level::Note };
        let kid = quoted(kid.as_deref());
        checked.find(level, "key", format_args!("{kid} is not used: {fault}"));
    }
}

/// The publisher's word, quoted so that no terminal obeys it.
fn quoted(kid: Option<&str>) -> String {
    kid.map_or_else(|| "no kid".to_owned(), |kid| format!("{kid:?}"))
}

/// The look at one issuer whose keys come from a server.
struct Probe<'p> {
    issuer: &'p Issuer,
    remote: &'p Remote,
    client: Client,
    checked: &'p mut Checked,
}

impl Probe<'_> {
    async fn run(mut self) {
        let url = match &self.remote.entry {
            Entry::AlbKeys(base) => return self.alb(base).await,
            Entry::Discovery(url) => match self.discovery(url).await {
                Some(keys) => keys,
                None => return,
            },
            Entry::Jwks(url) => url.clone(),
        };
        let Some(answer) = self.ask("keys", &keys_request(&url)).await else { return };
        keys(self.issuer, &answer.body, url.as_str(), self.checked);
        self.clock(&answer);
        self.freshness(&answer);
    }

    /// Asks; a failure is noted.
    async fn ask(&mut self, check: &'static str, request: &Request<'_>) -> Option<Response> {
        let url = request.url;
        if !url.is_secure() {
            let text = "fetched without TLS, which is only for an issuer on this host";
            self.checked.find(Level::Warning, check, format_args!("{url}: {text}"));
        }
        let bearer = match bearer_for(self.remote, url) {
            Ok(bearer) => bearer,
            Err(error) => {
                let advice =
                    "check that the file exists, is readable here, and holds only the token";
                self.checked.fail(check, format_args!("{url}: {error}"), Some(advice));
                return None;
            }
        };
        let request = Request { authorization: bearer.as_deref(), ..*request };
        match self.client.send(&request).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.checked.fail(check, format_args!("{url}: {error}"), advice(check, &error));
                None
            }
        }
    }

    /// The URL of the keys by the discovery document.
    async fn discovery(&mut self, url: &Endpoint) -> Option<Endpoint> {
        let answer = self.ask("discovery", &discovery_request(url)).await?;
        match keys_url(&answer.body, &self.issuer.url, url) {
            Ok(keys) => {
                let text = format_args!("{url}: the issuer is the same, the keys are at {keys}");
                self.checked.find(Level::Ok, "discovery", text);
                Some(keys)
            }
            Err(DiscoveryFault::OtherIssuer) => {
                let document = json::parse(json::without_mark(&answer.body)).unwrap_or_default();
                let named = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
                let (text, advice) = difference(&self.issuer.url, named);
                self.checked.fail("issuer", text, Some(advice));
                None
            }
            Err(fault) => {
                let advice = match fault {
                    DiscoveryFault::Json(_) | DiscoveryFault::NoIssuer => {
                        "the answer is no discovery document: check the issuer, or name the \
                         key set with `jwks`"
                    }
                    _ => "name the key set with `jwks`",
                };
                self.checked.fail("discovery", format_args!("{url}: {fault}"), Some(advice));
                None
            }
        }
    }

    /// Checks only that the server answers: there is no list of keys, a token has to name each.
    async fn alb(&mut self, base: &Endpoint) {
        let nobody = format!("{base}00000000-0000-0000-0000-000000000000");
        let Ok(nobody) = nobody.parse::<Endpoint>() else { return };
        match self.client.send(&Request::get(&nobody)).await {
            Ok(_) | Err(FetchError::Status(_)) => {
                let text = "the server answers; each key is fetched when a token names it";
                self.checked.find(Level::Ok, "keys", format_args!("{base}: {text}"));
            }
            Err(error) => {
                self.checked.fail("keys", format_args!("{base}: {error}"), advice("keys", &error));
            }
        }
    }

    /// By how much the clocks differ, as far as whole seconds and the way allow.
    fn clock(&mut self, answer: &Response) {
        let Some(date) = answer.date else {
            return self.checked.find(Level::Note, "clock", "the server does not tell its time");
        };
        let ahead = mesh_control::now().secs().saturating_sub(date.secs());
        let by = ahead.unsigned_abs();
        let than = if ahead >= 0 { "ahead of" } else { "behind" };
        let text = format!("the clock here is {by} s {than} the server's");
        let leeway = self.issuer.leeway;
        if by > leeway.unsigned_abs() && by > CLOCK_TOLERANCE {
            let text = format_args!("{text}, more than the leeway of {leeway} s");
            let advice = "synchronise the clocks (NTP): tokens are refused too early or too late";
            self.checked.fail("clock", text, Some(advice));
        } else if by > CLOCK_TOLERANCE {
            self.checked.find(Level::Warning, "clock", text);
        } else {
            self.checked.find(Level::Ok, "clock", text);
        }
    }

    /// When the module would ask again.
    fn freshness(&mut self, answer: &Response) {
        let Remote { refresh, min_refresh, .. } = *self.remote;
        let next = next_fetch(refresh, min_refresh, answer.max_age).as_secs();
        let says = match answer.max_age {
            None => "nothing of their freshness".to_owned(),
            Some(Duration::ZERO) => "not to keep them".to_owned(),
            Some(age) => format!("that they are fresh for {} s", age.as_secs()),
        };
        let etag = if answer.etag.is_some() { "with" } else { "without" };
        let text = format!(
            "the server says {says}, {etag} an ETag: they are asked for again within {next} s"
        );
        self.checked.find(Level::Note, "refresh", text);
    }
}

/// How two issuers that should be the same differ.
fn difference(configured: &str, named: &str) -> (String, &'static str) {
    let text = format!("the configuration says {configured:?}, the discovery document {named:?}");
    let bare = |text: &str| text.trim_end_matches('/').to_owned();
    let advice = if bare(configured) == bare(named) {
        "they differ by the slash at the end: copy what the document says, if tokens say so too"
    } else if configured.eq_ignore_ascii_case(named) {
        "they differ by capital letters: copy what the document says, if tokens say so too"
    } else if named.contains('{') {
        "the document is for many tenants: use the issuer of one"
    } else {
        "it is the document of another issuer: copy `iss` from a token, it is compared byte by byte"
    };
    (text, advice)
}

/// What to do about a fetch that brought nothing.
fn advice(check: &str, error: &FetchError) -> Option<&'static str> {
    Some(match error {
        FetchError::Authorities(_) => {
            "name a readable file of authorities with `trusted_certificate`"
        }
        FetchError::Connect(_) | FetchError::Timeout(_) => {
            "check the way to the server: routes, firewalls, and that it runs; the module does not \
             use a proxy"
        }
        FetchError::Encoding => {
            "the answer is compressed, although that was not requested: check proxies on the way"
        }
        FetchError::Redirect(_) => "name the address that it leads to, once you trust it",
        FetchError::Resolve => "check the name, and the servers in /etc/resolv.conf",
        FetchError::Status(_) if check == "discovery" => {
            "no discovery document is there: check the issuer, or name it with `discovery`, or the \
             key set with `jwks`"
        }
        FetchError::Status(_) => "the key set is not there, or not public",
        FetchError::Tls(fault) => tls_advice(*fault),
        FetchError::TooLarge(_) => "no key set or discovery document is as large: check the URL",
        _ => return None,
    })
}

/// What to do about a handshake that failed.
const fn tls_advice(fault: TlsFault) -> &'static str {
    match fault {
        TlsFault::Algorithm => {
            "the server needs a certificate that is signed with SHA-256 or better"
        }
        TlsFault::Authority => {
            "give the server a certificate of its own, or name this very one with \
             `trusted_certificate`"
        }
        TlsFault::Client => "the server asks for a client certificate, and the module has none",
        TlsFault::Constraint => {
            "look at the constraints of the authorities between it and the trusted one"
        }
        TlsFault::Ended => {
            "something ended the connection: a firewall, or a server that does not know the name"
        }
        TlsFault::Expired | TlsFault::NotYet => {
            "the server needs a new certificate, unless the clock here is wrong"
        }
        TlsFault::Extension => "the server needs a certificate without that extension",
        TlsFault::Invalid | TlsFault::Malformed | TlsFault::Version => {
            "the server needs a certificate of X.509 version 3 (RFC 5280): look at it with \
             `openssl s_client`"
        }
        TlsFault::Key => "the server needs the private key that its certificate was made with",
        TlsFault::Misbehaved | TlsFault::Other => {
            "look at the server with `openssl s_client`, and at its own log"
        }
        TlsFault::Name => {
            "use one of the alternative names of the server's certificate: its common name is not read"
        }
        TlsFault::NotTls => "check the port: the server there does not speak TLS",
        TlsFault::Purpose => {
            "the server needs a certificate with serverAuth in its extended key usage"
        }
        TlsFault::Refused => "look at the server's own log: it ended the handshake by an alert",
        TlsFault::ServerName => "use the name that the server is configured for",
        TlsFault::Unsupported => {
            "the server needs TLS 1.2 or 1.3 with a cipher of today (AES-GCM or ChaCha20), and HTTP/1.1"
        }
        TlsFault::Untrusted => {
            "name the server's authority with `trusted_certificate`, if you trust it; a proxy on \
             the way may have put its own certificate in place"
        }
    }
}

/// Seconds by which clocks may seem to differ: a date is whole seconds, and takes its time.
const CLOCK_TOLERANCE: u64 = 5;
