//! The peer of the TLS connection.
//!
//! The certificate is parsed once a connection: it cannot change, since Nginx refuses every
//! renegotiation (`ngx_ssl_handshake`) and never asks for a certificate after the handshake. Whether
//! the verdict on it applies depends on the request, and is asked every time.
//!
//! | protocol | `c` | whose `c->pool` | `c->ssl` |
//! | --- | --- | --- | --- |
//! | HTTP/1 | the connection | the connection's, kept over keepalive | its own |
//! | HTTP/2 | a copy for the stream (`ngx_http_v2_create_stream`) | the connection's, as copied | the connection's, as copied |
//! | HTTP/3 | one for the stream (`ngx_quic_create_stream`) | the stream's own | the connection's |
//!
//! So the pool always lives at least as long as the request, and never longer than the session the
//! certificate came from; under HTTP/3 a certificate is parsed once a request.

use core::ffi::c_void;
use core::ptr;
use std::rc::Rc;

use mesh_core::peer::x509::{CertificateError, ChainVerdict, PeerCertificate};
use mesh_core::request::Peer;
use nginx_sys::{
    NGX_OK, ngx_connection_t, ngx_int_t, ngx_pool_cleanup_add, ngx_pool_cleanup_pt, ngx_pool_t,
    ngx_ssl_get_client_verify, ngx_ssl_get_raw_certificate, ngx_str_t,
};

use crate::nginx::ngx::bytes::bytes;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::list::OutOfMemory;
use crate::nginx::ngx::live::Live;
use crate::nginx::ngx::log::Log;

/// The peer of a request; `None` on a connection without TLS or without a peer's certificate.
///
/// # Errors
///
/// [`OutOfMemory`], upon which the caller refuses: nothing is known about the peer then.
pub(crate) fn peer(r: Live<'_>) -> Result<Option<Peer>, OutOfMemory> {
    let Some(presented) = presented(r)? else { return Ok(None) };
    let Some(certificate) = presented else { return Ok(None) };
    let verdict = if is_foreign(r) { ChainVerdict::Foreign } else { chain_verdict(r)? };
    Ok(Some(Peer { certificate: certificate.clone(), verdict }))
}

/// The result of the handshake: no certificate, one, or one that cannot be read.
type Presented = Option<Result<Rc<PeerCertificate>, CertificateError>>;

/// Recalls or parses the peer's certificate; `None` without TLS.
fn presented<'r>(r: Live<'r>) -> Result<Option<&'r Presented>, OutOfMemory> {
    let c = r.connection();
    // SAFETY: the request and its connection are alive.
    let (pool, plain) = unsafe { ((*c).pool, (*c).ssl.is_null()) };
    if plain {
        return Ok(None);
    }
    let known = match recall(pool) {
        Some(known) => known,
        None => keep(pool, parse(c, r.pool())?)?,
    };
    // SAFETY: the box is dropped by the pool's cleanup alone, after the last request on it (the
    // pool outlives), and nothing writes to it.
    Ok(Some(unsafe { &*known }))
}

/// Finds the result that an earlier request on the connection left in its pool.
fn recall(pool: *mut ngx_pool_t) -> Option<*const Presented> {
    // SAFETY: the pool of a live connection; its cleanups end with a null pointer.
    unsafe {
        let mut cleanup = (*pool).cleanup;
        while !cleanup.is_null() {
            if is_ours((*cleanup).handler) {
                return Some((*cleanup).data.cast_const().cast());
            }
            cleanup = (*cleanup).next;
        }
    }
    None
}

/// Leaves the result in the connection's pool, to be dropped with it.
fn keep(pool: *mut ngx_pool_t, presented: Presented) -> Result<*const Presented, OutOfMemory> {
    // SAFETY: the pool of a live connection; the cleanup is filled before Nginx can run it.
    unsafe {
        let cleanup = ngx_pool_cleanup_add(pool, 0);
        if cleanup.is_null() {
            return Err(OutOfMemory);
        }
        let kept = Box::into_raw(Box::new(presented));
        (*cleanup).data = kept.cast();
        (*cleanup).handler = FORGET;
        Ok(kept)
    }
}

fn parse(c: *mut ngx_connection_t, scratch: *mut ngx_pool_t) -> Result<Presented, OutOfMemory> {
    let pem = ask(c, scratch, ngx_ssl_get_raw_certificate)?;
    Ok((!pem.is_empty()).then(|| PeerCertificate::parse(pem).map(Rc::new)))
}

/// Tells whether the chain was judged by the settings of another server than the request's.
///
/// The handshake belongs to the server that SNI named, or to the default one of the socket; a
/// `Host` header can name another (`ngx_http_set_virtual_server`), whose authorities never judged
/// the chain. Internal redirects and named locations stay within the server.
fn is_foreign(r: Live<'_>) -> bool {
    // SAFETY: the main request is whole; `ngx_http_alloc_request` sets `http_connection`, whose
    // `conf_ctx` is set when the connection is made (`ngx_http_init_connection`) and by SNI
    // (`ngx_http_ssl_servername`). A subrequest has no `http_connection` of its own.
    unsafe {
        let main = r.main().as_ptr();
        let connection = (*main).http_connection;
        !ptr::eq((*main).srv_conf, (*(*connection).conf_ctx).srv_conf)
    }
}

/// Nginx's verdict on the chain, and on OCSP if it is asked for.
///
/// Asked for every request: it costs a look into the session, and no copy of it can go stale.
fn chain_verdict(r: Live<'_>) -> Result<ChainVerdict, OutOfMemory> {
    let verdict = ask(r.connection(), r.pool(), ngx_ssl_get_client_verify)?;
    // All else is "FAILED:.." or "NONE".
    Ok(if verdict == b"SUCCESS" { ChainVerdict::Verified } else { ChainVerdict::Failed })
}

type Question = unsafe extern "C" fn(
    c: *mut ngx_connection_t,
    pool: *mut ngx_pool_t,
    answer: *mut ngx_str_t,
) -> ngx_int_t;

/// Asks one of Nginx's own functions about the TLS session; the answer lives in the pool.
fn ask<'p>(
    c: *mut ngx_connection_t,
    pool: *mut ngx_pool_t,
    question: Question,
) -> Result<&'p [u8], OutOfMemory> {
    let mut answer = ngx_str_t::empty();
    // SAFETY: connection and pool belong to a live request, and its callers have seen that `c->ssl`
    // is not null. Both functions return a static string or one in the pool; they fail for want of
    // memory only.
    unsafe {
        if question(c, pool, &raw mut answer) != NGX_OK as ngx_int_t {
            return Err(OutOfMemory);
        }
        Ok(bytes(&raw const answer))
    }
}

/// Drops the result that [`keep`] left.
unsafe extern "C" fn forget(presented: *mut c_void) {
    // SAFETY: `keep` made the pointer from a box of that type, and a pool runs a cleanup once
    // (`ngx_destroy_pool`).
    let presented = unsafe { Box::from_raw(presented.cast::<Presented>()) };
    guard("connection cleanup", (), || Log::NOWHERE, || drop(presented));
}

/// The one address of [`forget`] that is written and compared: Rust promises no single one.
static FORGET: ngx_pool_cleanup_pt = Some(forget);

fn is_ours(handler: ngx_pool_cleanup_pt) -> bool {
    handler.map(|handler| handler as usize) == FORGET.map(|handler| handler as usize)
}
