//! Which request headers are removed or added, and which response headers are set.
//!
//! Every function fails as a whole: the caller answers 500 and nothing was changed. A request that
//! could not be stripped must not go upstream.

use core::fmt;
use core::mem::size_of;
use core::ptr;

use mesh_core::identity::export::{self, hash};
use mesh_core::text::rendered::Rendered;
use mesh_core::text::reserved::{folds_to, is_reserved, is_word};
use nginx_sys::{
    ngx_http_request_t, ngx_list_part_t, ngx_list_t, ngx_palloc, ngx_pnalloc, ngx_pool_t,
    ngx_str_t, ngx_table_elt_t, ngx_uint_t,
};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::list::{self, Elements, OutOfMemory};
use crate::nginx::ngx::live::Live;

mod cookie;
mod field;
mod hop;
mod response;
mod shared;

pub(crate) use cookie::set_cookies;
pub(crate) use field::{WEBSOCKET_PROTOCOL, set_field};
pub(crate) use hop::{has_upgrade, remove_upgrade, restore_upgrade, upgrades};
pub(crate) use response::{add_response_header, set_challenge, withdraw_challenge};
pub(crate) use shared::are_those_of_main;
use shared::{is_shared, open};

/// Unlinks every request header whose name `matches`, and returns how many there were.
///
/// `hash = 0` would not do: Nginx passes such a request header on all the same
/// (`ngx_http_proxy_create_request`). Names come as they were sent, in any case. Not for a name
/// that has a typed slot (`ngx_http_headers_in_t`): the slot is left, and Nginx goes on reading it;
/// for `Authorization` there is [`remove_authorization`].
///
/// In a subrequest it changes the subrequest's own list alone. That list is a copy of the parent's,
/// with all headers that were pushed there.
pub(crate) fn strip(
    r: Live<'_>,
    mut matches: impl FnMut(&[u8]) -> bool,
) -> Result<usize, HeaderError> {
    let mut alloc = |size| palloc(r, size);
    let mut keep = |element: *mut core::ffi::c_void| {
        // SAFETY: a request's header list holds `ngx_table_elt_t` (`ngx_http_process_request_line`,
        // `ngx_http_v2_create_stream`), whose strings live in the request's pool.
        !matches(unsafe { bytes(&raw const (*element.cast::<ngx_table_elt_t>()).key) })
    };
    // SAFETY: the request is alive; only the thread of Nginx changes the list (single thread), and
    // neither closure does; `ngx_palloc` aligns for a pointer (the pool outlives).
    Ok(unsafe { list::retain(headers_in(r), &mut alloc, &mut keep) }?)
}

/// Unlinks every header that only we may set, and lets no `Connection` name one.
pub(crate) fn strip_reserved(r: Live<'_>) -> Result<(), HeaderError> {
    // Nearly no request has one: it is only looked for.
    let mut is_there = false;
    for element in elements(r) {
        // SAFETY: as in `strip`.
        let name = unsafe { bytes(&raw const (*element).key) };
        is_there |= is_reserved(name);
        if hop::is_connection(name) {
            // SAFETY: the element is of that list.
            unsafe { hop::clean_connection(r, element)? };
        }
    }
    if is_there {
        strip(r, is_reserved)?;
    }
    Ok(())
}

/// A number that changes whenever a header is added to the list; odd, and so no address of ours.
pub(crate) fn stamp(r: Live<'_>) -> usize {
    // SAFETY: the request is alive, and `last` is null or a part of its list.
    unsafe {
        let last = (*headers_in(r)).last;
        let count = last.as_ref().map_or(0, |last| last.nelts);
        ((last as usize) ^ count.rotate_right(16)) | 1
    }
}

/// Unlinks every `Authorization` and empties its typed slot, so that the credential is not proxied;
/// also unlinks the proofs of it, and shows each to `is_proof`.
pub(crate) fn remove_authorization(
    r: Live<'_>,
    mut is_proof: impl FnMut(&[u8], &[u8]),
) -> Result<(), HeaderError> {
    let mut alloc = |size| palloc(r, size);
    let mut keep = |element: *mut core::ffi::c_void| {
        let element = element.cast::<ngx_table_elt_t>();
        // SAFETY: as in `strip`.
        let name = unsafe { bytes(&raw const (*element).key) };
        if is_word(name, b"dpop") {
            // SAFETY: as in `strip`.
            is_proof(name, unsafe { bytes(&raw const (*element).value) });
            return false;
        }
        !is_word(name, b"authorization")
    };
    // SAFETY: as in `strip`.
    unsafe { list::retain(headers_in(r), &mut alloc, &mut keep) }?;
    // SAFETY: the request is alive. The slot is null if no such header came; from
    // 1.23.0 on it heads the chain of all of them, which goes as a whole.
    unsafe { (*r.as_ptr()).headers_in.authorization = ptr::null_mut() };
    Ok(())
}

/// Puts `Authorization` back, if it was removed.
pub(crate) fn restore_authorization(r: Live<'_>, value: &[u8]) -> Result<(), HeaderError> {
    // SAFETY: the request is alive; the slot is empty if the header was removed.
    if unsafe { !(*r.as_ptr()).headers_in.authorization.is_null() } {
        return Ok(());
    }
    if let Some(element) = put_back(r, b"Authorization", value)? {
        // SAFETY: the request is alive, and the element is in its list, whose pool it shares.
        unsafe { (*r.as_ptr()).headers_in.authorization = element };
    }
    Ok(())
}

/// Puts a header that has no typed slot back, if it was removed.
pub(crate) fn restore(r: Live<'_>, name: &[u8], value: &[u8]) -> Result<(), HeaderError> {
    put_back(r, name, value).map(drop)
}

fn put_back(
    r: Live<'_>,
    name: &[u8],
    value: &[u8],
) -> Result<Option<*mut ngx_table_elt_t>, HeaderError> {
    if fields(r, name).next().is_some() {
        return Ok(None);
    }
    push_element(r, Header::copied(r, name, value)?).map(Some)
}

/// Adds the exported fields of an identity for every later reader of the request, above all the
/// upstream. In one block, with their values behind it.
///
/// The names are not copied: Nginx takes the names of headers by their length, and writes to none.
pub(crate) fn push_all(r: Live<'_>, rendered: &Rendered) -> Result<(), HeaderError> {
    let (count, text) = (rendered.count(), rendered.text());
    if count == 0 {
        return Ok(());
    }
    let list = headers_in(r);
    let elements = count.saturating_mul(size_of::<ngx_table_elt_t>());
    let values = elements.saturating_add(size_of::<ngx_list_part_t>());
    let block = palloc(r, values.saturating_add(text.len())).cast::<u8>();
    if block.is_null() {
        return Err(HeaderError::OutOfMemory);
    }
    // SAFETY: as in `strip`. The block has room for a part, the elements and the values; both
    // structures are of words, as which it is aligned.
    unsafe {
        open(r, list)?;
        let part = block.cast::<ngx_list_part_t>();
        let first = block.add(size_of::<ngx_list_part_t>()).cast::<ngx_table_elt_t>();
        let values = block.add(values);
        values.copy_from_nonoverlapping(text.as_ptr(), text.len());
        let mut element = first;
        for (field, value) in export::fields(rendered) {
            element.write(ngx_table_elt_t {
                hash: field.hash,
                key: still(field.name),
                value: ngx_str_t { len: value.len(), data: values.add(value.start) },
                lowcase_key: field.lowercase.as_ptr().cast_mut(),
                #[cfg(nginx1_23_0)]
                next: ptr::null_mut(),
            });
            element = element.add(1);
        }
        list::append(list, part, first.cast(), count);
    }
    Ok(())
}

fn push_element(r: Live<'_>, header: Header) -> Result<*mut ngx_table_elt_t, HeaderError> {
    let list = headers_in(r);
    // SAFETY: as in `strip`; the element is written before anything else reads the list.
    unsafe {
        open(r, list)?;
        let element = list::push(list, &mut |size| palloc(r, size))?;
        let element = element.cast::<ngx_table_elt_t>();
        element.write(header.element());
        Ok(element)
    }
}

/// Panics for a request that asks for it: `t/process/panic_guard.t` proves the guard with it.
#[cfg(feature = "panic-test")]
#[expect(clippy::panic, reason = "the purpose of the feature")]
pub(crate) fn panic_where_asked(r: Live<'_>) {
    if request_headers(r).any(|(name, _)| name.eq_ignore_ascii_case(b"x-panic-test")) {
        panic!("asked for by a request");
    }
}

/// The values of all `Authorization` headers, in the order they came.
pub(crate) fn authorizations<'r>(r: Live<'r>) -> impl Iterator<Item = &'r [u8]> + use<'r> {
    request_headers(r).filter(|(name, _)| is_word(name, b"authorization")).map(|(_, value)| value)
}

/// The values of all headers whose name folds to that one, in the order they came.
pub(crate) fn fields<'r, 'n>(
    r: Live<'r>,
    name: &'n [u8],
) -> impl Iterator<Item = &'r [u8]> + use<'r, 'n> {
    named_fields(r, name).map(|(_, value)| value)
}

/// As [`fields`], each with its name as it was sent.
pub(crate) fn named_fields<'r, 'n>(
    r: Live<'r>,
    name: &'n [u8],
) -> impl Iterator<Item = (&'r [u8], &'r [u8])> + use<'r, 'n> {
    request_headers(r).filter(|(it, _)| folds_to(it, name))
}

fn elements<'r>(r: Live<'r>) -> impl Iterator<Item = *mut ngx_table_elt_t> + use<'r> {
    // SAFETY: the request is alive for `'r`, and its list with it.
    unsafe { Elements::of(headers_in(r)) }.map(<*mut core::ffi::c_void>::cast::<ngx_table_elt_t>)
}

/// Names and values of all request headers, in the order they came.
///
/// Not to be held over a [`strip`] or an addition: it may then miss a header or see one twice.
pub(crate) fn request_headers<'r>(
    r: Live<'r>,
) -> impl Iterator<Item = (&'r [u8], &'r [u8])> + use<'r> {
    elements(r).map(|element| {
        // SAFETY: as in `strip`; nothing writes to the strings of a header that has been parsed.
        unsafe { (bytes(&raw const (*element).key), bytes(&raw const (*element).value)) }
    })
}

/// A header whose strings live in the request's pool.
struct Header {
    hash: ngx_uint_t,
    key: ngx_str_t,
    value: ngx_str_t,
    lowcase_key: *mut u8,
}

impl Header {
    /// Copies key and value, each ended by a NUL as Nginx's own parser does.
    fn copied(r: Live<'_>, key: &[u8], value: &[u8]) -> Result<Self, HeaderError> {
        // One header may not become two, whatever the caller overlooked.
        if key.is_empty() || !key.iter().all(|&byte| is_token(byte)) {
            return Err(HeaderError::Name);
        }
        check_value(value)?;
        let lowcase = key.to_ascii_lowercase();
        let lowcase_key = copy(r, &lowcase)?.data;
        Ok(Self { hash: hash(&lowcase), key: copy(r, key)?, value: copy(r, value)?, lowcase_key })
    }

    fn element(self) -> ngx_table_elt_t {
        ngx_table_elt_t {
            hash: self.hash,
            key: self.key,
            value: self.value,
            lowcase_key: self.lowcase_key,
            #[cfg(nginx1_23_0)]
            next: ptr::null_mut(),
        }
    }
}

/// Refuses a value that would end its header, whatever the caller overlooked.
fn check_value(value: &[u8]) -> Result<(), HeaderError> {
    // Of all bytes, without an early exit: so the compiler takes 16 at a time.
    let ends = |byte: u8| matches!(byte, b'\0') | matches!(byte, b'\r') | matches!(byte, b'\n');
    if value.iter().fold(0, |any, byte| any | u8::from(ends(*byte))) != 0 {
        return Err(HeaderError::Value);
    }
    Ok(())
}

/// A text that lives as long as the module, as Nginx writes it.
const fn still(text: &'static str) -> ngx_str_t {
    ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() }
}

/// A byte of an HTTP field name (RFC 9110, section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Copies bytes to the request's pool and puts a NUL behind them.
pub(crate) fn copy(r: Live<'_>, bytes: &[u8]) -> Result<ngx_str_t, OutOfMemory> {
    // SAFETY: the pool is the live request's. The block that it returns has room for the bytes and the
    // NUL, belongs to nothing else, and lives as long as the request.
    unsafe {
        let data = ngx_pnalloc(r.pool(), bytes.len().saturating_add(1)).cast::<u8>();
        if data.is_null() {
            return Err(OutOfMemory);
        }
        data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        data.add(bytes.len()).write(0);
        Ok(ngx_str_t { len: bytes.len(), data })
    }
}

/// Allocates list parts and elements: aligned (`ngx_palloc`), or null.
fn palloc(r: Live<'_>, size: usize) -> *mut core::ffi::c_void {
    let pool: *mut ngx_pool_t = r.pool();
    // SAFETY: the pool is the live request's.
    unsafe { ngx_palloc(pool, size) }
}

fn headers_in(r: Live<'_>) -> *mut ngx_list_t {
    let request: *mut ngx_http_request_t = r.as_ptr();
    // SAFETY: the request is alive; this takes an address and reads nothing.
    unsafe { &raw mut (*request).headers_in.headers }
}

/// Why a header could not be removed, added or set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// A bug of ours: the name is not a token.
    Name,
    OutOfMemory,
    /// A bug of ours: the value would end the header.
    Value,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "header name is not a token",
            Self::OutOfMemory => "no memory for a header",
            Self::Value => "header value contains a line break or a NUL",
        })
    }
}

impl core::error::Error for HeaderError {}

impl From<OutOfMemory> for HeaderError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}
