//! A whole answer of ours.

use core::ptr;

use nginx_sys::{
    NGX_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_OK, ngx_chain_t, ngx_create_temp_buf,
    ngx_http_output_filter, ngx_http_send_header, ngx_int_t, ngx_str_t, ngx_uint_t,
};

use crate::nginx::ngx::live::Live;
use crate::nginx::request::headers;

/// Sends an answer, with a phrase of ours if there is a status line; to HEAD, without its content. Returns
/// what the request is to be finalized with.
pub(crate) fn send(
    r: Live<'_>,
    (status, line): (u16, Option<&str>),
    content_type: &'static str,
    text: &str,
) -> ngx_int_t {
    const FAILED: ngx_int_t = NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;
    let raw = r.as_ptr();
    let Ok(length) = i64::try_from(text.len()) else { return FAILED };
    let Ok(line) = line.map(|line| headers::copy(r, line.as_bytes())).transpose() else {
        return FAILED;
    };
    // SAFETY: the request is live and nothing of its response is sent; the type is static. The buffer is
    // the pool's, and as long as the text.
    unsafe {
        let kind = ngx_str_t { len: content_type.len(), data: content_type.as_ptr().cast_mut() };
        (*raw).headers_out.status = ngx_uint_t::from(status);
        if let Some(line) = line {
            (*raw).headers_out.status_line = line;
        }
        (*raw).headers_out.content_type = kind;
        (*raw).headers_out.content_type_len = kind.len;
        (*raw).headers_out.content_length_n = length;
        if text.is_empty() {
            (*raw).set_header_only(1);
        }
        let sent = ngx_http_send_header(raw);
        if sent == NGX_ERROR as ngx_int_t || sent > NGX_OK as ngx_int_t || (*raw).header_only() != 0
        {
            return sent;
        }
        let buffer = ngx_create_temp_buf(r.pool(), text.len());
        if buffer.is_null() {
            // The header is on its way: the connection must end.
            return NGX_ERROR as ngx_int_t;
        }
        (*buffer).last.copy_from_nonoverlapping(text.as_ptr(), text.len());
        (*buffer).last = (*buffer).last.add(text.len());
        (*buffer).set_last_buf(u32::from(r.is_main()));
        (*buffer).set_last_in_chain(1);
        let mut chain = ngx_chain_t { buf: buffer, next: ptr::null_mut() };
        ngx_http_output_filter(raw, &raw mut chain)
    }
}
