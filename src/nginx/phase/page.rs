//! The page of a refusal, in the shape that the platform's clients read.

use mesh_core::answer::page::{Page, Shape, Told, What};
use mesh_core::refusal::Refusal;
use mesh_core::request::{Field, Request as _};
use nginx_sys::{
    NGX_HTTP_SATISFY_ANY, NGX_OK, ngx_http_core_loc_conf_t, ngx_http_core_module,
    ngx_http_discard_request_body, ngx_http_err_page_t, ngx_int_t, ngx_uint_t,
};

use crate::nginx::ngx::live::Live;
use crate::nginx::phase::turn::Turn;
use crate::nginx::request::{headers, reply};
use crate::nginx::state::settings;

/// The page of a refusal; `None` if Nginx's own is to be sent: the location has no platform, has an
/// `error_page` for the status, or may be admitted by another module still.
pub(super) fn of(turn: Turn<'_>, refusal: &Refusal, status: u16) -> Option<Page> {
    let Turn { r, location, context } = turn;
    let authorization = location.authorization.as_ref()?;
    if !r.is_main() || is_elsewhere(r, refusal, status) {
        return None;
    }
    let view = context.view(r);
    let (path, _) = view.upstream().uri.split();
    let path = authorization.within(path).unwrap_or(path);
    let kind = match view.field("content-type") {
        Field::One(value) => Some(value),
        Field::Absent | Field::Several => None,
    };
    let table = authorization.platform.table();
    let shape = Shape::of(table.name(), path, kind);
    let identity = context.identify(r);
    let reference = settings::reference(r).unwrap_or_default();
    let page = |what: What<'_>| {
        let who = identity.as_deref().map(mesh_core::identity::Identity::service);
        let explain = location.explain;
        Page::new(shape, &Told { refusal, status, who, what, reference, explain })
    };
    let named = context.named(r, |named| {
        page(What {
            operation: Some(named.operation()),
            kind: Some(named.kind()),
            action: Some(named.action()),
            name: named.resource.as_ref().and_then(|name| name.as_deref()),
        })
    });
    Some(named.unwrap_or_else(|| page(What::default())))
}

/// Whether the answer is another's to give.
fn is_elsewhere(r: Live<'_>, refusal: &Refusal, status: u16) -> bool {
    // SAFETY: the request is live, and the core module has settings of every location; its error pages
    // are null or an array, and `!0` says that none is set yet.
    unsafe {
        let core = *(*r.as_ptr()).loc_conf.add(ngx_http_core_module.ctx_index);
        let core = core.cast::<ngx_http_core_loc_conf_t>();
        let may_pass =
            (*core).satisfy == NGX_HTTP_SATISFY_ANY as ngx_uint_t || (*core).auth_delay > 0;
        let pages = (*core).error_pages;
        let has_page = !pages.is_null()
            && (*pages)
                .as_slice::<ngx_http_err_page_t>()
                .iter()
                .any(|page| page.status == ngx_int_t::try_from(status).unwrap_or(0));
        // Nginx has no page for a client that is late: it ends the connection.
        (refusal.is_unauthenticated() && may_pass) || (has_page && status != 408)
    }
}

/// Sends a page; what the request is to be finalized with. `None` without memory.
pub(super) fn send(r: Live<'_>, page: &Page) -> Option<ngx_int_t> {
    for (name, value) in &page.fields {
        headers::add_response_header(r, name.as_bytes(), value.as_bytes()).ok()?;
    }
    // What the request is redirected for has another status.
    // SAFETY: the request is live.
    unsafe { (*r.as_ptr()).err_status = 0 };
    discard(r);
    Some(reply::send(r, (page.status, page.status_line.as_deref()), page.content_type, &page.body))
}

/// Has the body of a refused request go nowhere: the rest of it is no request.
fn discard(r: Live<'_>) {
    // SAFETY: the request is live, and nothing of its response is sent, as in
    // `ngx_http_special_response_handler`.
    unsafe {
        let raw = r.as_ptr();
        (*raw).set_expect_tested(1);
        if ngx_http_discard_request_body(raw) != NGX_OK as ngx_int_t {
            (*raw).set_keepalive(0);
        }
    }
}

/// Ends the connection of a request whose body cannot be trusted to end where it says.
pub(super) fn end_connection(r: Live<'_>, status: u16) {
    if matches!(status, 400 | 408 | 413 | 415) {
        // SAFETY: the request is live.
        unsafe { (*r.main().as_ptr()).set_keepalive(0) };
    }
}
