//! Which modules Nginx runs beside this one.

use core::ffi::CStr;

use nginx_sys::{NGX_HTTP_MODULE, ngx_cycle_t, ngx_uint_t};

/// Tells whether Nginx has no HTTP module but its own and this one, so that nothing changes the header
/// of a request between two phases: none of its own does. A script or a module of another author may
/// remove one field and add another, which the [stamp](crate::nginx::request::headers::stamp) of a list need not show.
///
/// # Safety
///
/// The configuration of the cycle is complete.
pub(crate) unsafe fn are_nginx_own(cycle: *mut ngx_cycle_t) -> bool {
    let ours: *const nginx_sys::ngx_module_t = crate::nginx::module();
    // SAFETY: the modules of a cycle are an array that ends in null (`ngx_cycle_modules`), and each has
    // a name once it is loaded.
    unsafe {
        let mut module = (*cycle).modules;
        while let Some(it) = (*module).as_ref() {
            if it.type_ == NGX_HTTP_MODULE as ngx_uint_t
                && !core::ptr::eq(it, ours)
                && !is_nginx_own(CStr::from_ptr(it.name).to_bytes())
            {
                return false;
            }
            module = module.add(1);
        }
    }
    true
}

/// Tells whether Nginx's own sources have an HTTP module with that name. One that runs scripts is not
/// among them.
fn is_nginx_own(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"ngx_http_").and_then(|name| name.strip_suffix(b"_module"));
    name.is_some_and(|name| OWN.iter().any(|own| own.as_bytes() == name))
}

/// `ngx_http_NAME_module`, for Nginx 1.22 to 1.31 (`auto/modules`), all but perl; and `header_count`,
/// which Debian adds to its 1.22.1.
const OWN: [&str; 67] = [
    "access",
    "addition_filter",
    "auth_basic",
    "auth_request",
    "autoindex",
    "browser",
    "charset_filter",
    "chunked_filter",
    "copy_filter",
    "core",
    "dav",
    "degradation",
    "empty_gif",
    "fastcgi",
    "flv",
    "geo",
    "geoip",
    "grpc",
    "gunzip_filter",
    "gzip_filter",
    "gzip_static",
    "header_count",
    "header_filter",
    "headers_filter",
    "image_filter",
    "index",
    "limit_conn",
    "limit_req",
    "log",
    "map",
    "memcached",
    "mirror",
    "mp4",
    "not_modified_filter",
    "postpone_filter",
    "proxy",
    "random_index",
    "range_body_filter",
    "range_header_filter",
    "realip",
    "referer",
    "rewrite",
    "scgi",
    "secure_link",
    "slice_filter",
    "split_clients",
    "ssi_filter",
    "ssl",
    "static",
    "stub_status",
    "sub_filter",
    "try_files",
    "upstream",
    "upstream_hash",
    "upstream_ip_hash",
    "upstream_keepalive",
    "upstream_least_conn",
    "upstream_random",
    "upstream_zone",
    "userid_filter",
    "uwsgi",
    "v2",
    "v2_filter",
    "v3",
    "v3_filter",
    "write_filter",
    "xslt_filter",
];
