//! The only reader of `ngx_http_request_t`: what a request says, as the core asks for it.

use core::cell::{OnceCell, RefCell};
use core::net::IpAddr;

use mesh_core::peer::x509::{CertificateError, ChainVerdict};
use mesh_core::request::{Connection, Field, Length, Peer, Request, Target, Upstream, Uri};
use mesh_core::text::reserved::is_shown_as;
use nginx_sys::{
    ngx_http_get_flushed_variable, ngx_http_request_t, sockaddr, sockaddr_in, sockaddr_in6,
};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::live::Live;
use crate::nginx::request::connection;
use crate::nginx::request::headers;

/// A request for as long as one call of Nginx's lasts.
pub(crate) struct RequestView<'r> {
    r: Live<'r>,
    captured: &'r OnceCell<Captured>,
    /// None if nothing was removed before this call.
    removed: Option<&'r RefCell<Vec<Removed>>>,
    /// The first that was read: most requests need no other.
    variable: Option<(usize, &'r [u8])>,
    others: Vec<(usize, &'r [u8])>,
}

/// The unchanged `Authorization` fields, for use after the field is removed.
#[derive(Clone, Copy)]
pub(crate) enum Captured {
    Absent,
    /// The value is in the request's header buffers.
    One(*const u8, usize),
    Several,
}

impl Captured {
    /// The value of the only field.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match *self {
            Self::Absent | Self::Several => None,
            // SAFETY: Nginx keeps the header buffers of a request until it is freed, together with the
            // context that holds this; no module may change a value in place.
            Self::One(value, len) => Some(unsafe { core::slice::from_raw_parts(value, len) }),
        }
    }
}

/// The unchanged value of a field that we have removed or shortened.
pub(crate) struct Removed {
    name: Box<str>,
    /// The value is in the request's header buffers.
    value: (*const u8, usize),
}

impl Removed {
    pub(crate) fn new(name: &str, value: (*const u8, usize)) -> Self {
        Self { name: name.into(), value }
    }

    pub(crate) fn is_of(&self, name: &str) -> bool {
        *self.name == *name
    }
}

/// The value that a field had before it was removed or shortened.
pub(crate) fn removed<'r>(
    _: Live<'r>,
    fields: &RefCell<Vec<Removed>>,
    name: &str,
) -> Option<&'r [u8]> {
    let fields = fields.try_borrow().ok()?;
    let (value, len) = fields.iter().find(|known| known.is_of(name))?.value;
    // SAFETY: as in `Captured::value`: the buffers of the live request hold it, and stay unchanged.
    Some(unsafe { core::slice::from_raw_parts(value, len) })
}

impl<'r> RequestView<'r> {
    pub(crate) const fn new(
        r: Live<'r>,
        captured: &'r OnceCell<Captured>,
        removed: Option<&'r RefCell<Vec<Removed>>>,
    ) -> Self {
        Self { r, captured, removed, variable: None, others: Vec::new() }
    }

    /// Reads a variable now, so that what it evaluates may ask us in turn. One that may not be cached
    /// is read anew: an answer from before the location was found says nothing of this one.
    ///
    /// `None` if it cannot be read: the caller refuses.
    pub(crate) fn read_variable(&mut self, index: usize) -> Option<()> {
        // SAFETY: the request is live, and Nginx gave the index out; the value lives in the
        // request's pool, or as long as the cycle.
        let value = unsafe {
            let value = ngx_http_get_flushed_variable(self.r.as_ptr(), index).as_ref()?;
            if value.not_found() != 0 || value.valid() == 0 || value.len() == 0 {
                return Some(());
            }
            core::slice::from_raw_parts(value.data, value.len() as usize)
        };
        match self.variable {
            None => self.variable = Some((index, value)),
            Some(_) => self.others.push((index, value)),
        }
        Some(())
    }
}

impl Request for RequestView<'_> {
    fn authorization(&self) -> Field<'_> {
        let captured = self.captured.get_or_init(|| {
            let mut fields = headers::authorizations(self.r);
            match (fields.next(), fields.next()) {
                (None, _) => Captured::Absent,
                (Some(value), None) => Captured::One(value.as_ptr(), value.len()),
                (Some(_), Some(_)) => Captured::Several,
            }
        });
        match (captured, captured.value()) {
            (_, Some(value)) => Field::One(value),
            (Captured::Several, None) => Field::Several,
            (Captured::Absent | Captured::One(..), None) => Field::Absent,
        }
    }

    fn field(&self, name: &str) -> Field<'_> {
        if let Some(value) = self.removed.and_then(|fields| removed(self.r, fields, name)) {
            return Field::One(value);
        }
        let mut fields = headers::named_fields(self.r, name.as_bytes());
        match (fields.next(), fields.next()) {
            (None, _) => Field::Absent,
            (Some((it, value)), None) if is_shown_as(it, name.as_bytes()) => Field::One(value),
            (Some(_), _) => Field::Several,
        }
    }

    fn method(&self) -> &[u8] {
        // An error page and a subrequest have a method of their own; the request line stays
        // unchanged, and Nginx writes one for HTTP/2 and HTTP/3.
        // SAFETY: the main request is whole and live; its request line is in its header buffers or
        // in its pool.
        let line = unsafe { bytes(&raw const (*self.r.main().as_ptr()).request_line) };
        line.split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    fn target(&self) -> Target<'_> {
        // SAFETY: the main request is whole and live, and so are its connection, its header and its
        // strings; `host` is null or an element of the list of its headers. No redirect changes
        // any of them.
        unsafe {
            let main = self.r.main().as_ptr();
            let host = (*main).headers_in.host.as_ref().map(|host| bytes(&raw const host.value));
            Target {
                is_secure: !(*(*main).connection).ssl.is_null(),
                authority: Target::authority(host, bytes(&raw const (*main).headers_in.server)),
                path: bytes(&raw const (*main).unparsed_uri),
            }
        }
    }

    fn upstream(&self) -> Upstream<'_> {
        let raw = self.r.as_ptr();
        // SAFETY: the request is whole and live, and so are its strings. As in
        // `ngx_http_proxy_create_request`: the line of the client goes upstream unless the path was
        // changed.
        unsafe {
            let uri = if (*raw).valid_unparsed_uri() == 0 {
                let args = bytes(&raw const (*raw).args);
                let query = Some(args).filter(|args| !args.is_empty());
                Uri::Decoded { path: bytes(&raw const (*raw).uri), query }
            } else {
                Uri::Sent(bytes(&raw const (*raw).unparsed_uri))
            };
            Upstream { method: bytes(&raw const (*raw).method_name), uri, length: length(raw) }
        }
    }
}

/// The length of a request's body, by its header.
///
/// # Safety
///
/// The request is whole and live.
unsafe fn length(raw: *mut ngx_http_request_t) -> Length {
    // SAFETY: the caller's contract. Nginx notes of HTTP/2 and HTTP/3 that a body of unknown length comes
    // as it does of chunks (`ngx_http_v2_run_request`, `ngx_http_v3_process_request_header`), and counts
    // what has come of it.
    unsafe {
        let headers = &(*raw).headers_in;
        let is_partial = headers.chunked() != 0 && (*raw).reading_body() != 0;
        match u64::try_from(headers.content_length_n) {
            Ok(_) if is_partial => Length::Unknown,
            Ok(0) => Length::None,
            Ok(length) => Length::Known(length),
            Err(_) if headers.chunked() != 0 => Length::Unknown,
            Err(_) => Length::None,
        }
    }
}

impl Connection for RequestView<'_> {
    fn peer(&self) -> Option<Peer> {
        // Without memory nothing is known of the peer: it is taken to have a certificate that cannot
        // be read, never none.
        let unread =
            Peer { verdict: ChainVerdict::Failed, certificate: Err(CertificateError::Malformed) };
        connection::peer(self.r).unwrap_or(Some(unread))
    }

    fn address(&self) -> &[u8] {
        // SAFETY: a connection has an address, whose family says how long it is and how it is
        // laid out; it lives as long as the request (realip replaces it before the access phase).
        unsafe { address((*self.r.connection()).sockaddr) }
    }

    fn ip(&self) -> Option<IpAddr> {
        // SAFETY: as in `address`.
        unsafe { ip((*self.r.connection()).sockaddr) }
    }

    fn variable(&self, index: usize) -> Option<&[u8]> {
        let mut variables = self.variable.iter().chain(&self.others);
        variables.find(|(known, _)| *known == index).map(|(_, value)| *value)
    }
}

/// # Safety
///
/// The address is as long as its family says.
unsafe fn ip(address: *const sockaddr) -> Option<IpAddr> {
    // SAFETY: every address begins with its family, which says what the rest is.
    unsafe {
        match i32::from((*address).sa_family) {
            libc::AF_INET => {
                let v4 = &raw const (*address.cast::<sockaddr_in>()).sin_addr;
                Some(IpAddr::from(*v4.cast::<[u8; 4]>()))
            }
            libc::AF_INET6 => {
                let v6 = &raw const (*address.cast::<sockaddr_in6>()).sin6_addr;
                Some(IpAddr::from(*v6.cast::<[u8; 16]>()).to_canonical())
            }
            _ => None,
        }
    }
}

/// # Safety
///
/// The address is as long as its family says, and lives for `'a`.
unsafe fn address<'a>(address: *const sockaddr) -> &'a [u8] {
    const V4: i32 = libc::AF_INET;
    const V6: i32 = libc::AF_INET6;
    // SAFETY: every address begins with its family, which says what the rest is.
    unsafe {
        match i32::from((*address).sa_family) {
            V4 => {
                let v4 = &raw const (*address.cast::<sockaddr_in>()).sin_addr;
                core::slice::from_raw_parts(v4.cast(), 4)
            }
            V6 => {
                let v6 = &raw const (*address.cast::<sockaddr_in6>()).sin6_addr;
                match &*v6.cast::<[u8; 16]>() {
                    // An IPv4 client of a socket that takes both.
                    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4 @ ..] => v4,
                    [network @ .., _, _, _, _, _, _, _, _] => network,
                }
            }
            _ => &[],
        }
    }
}
