//! The calls from Nginx outside of requests and directives: before and after the configuration, and
//! when a worker begins and ends.

use nginx_sys::{
    ngx_array_push, ngx_conf_t, ngx_cycle_t, ngx_http_conf_ctx_t, ngx_http_core_main_conf_t,
    ngx_http_core_module, ngx_http_handler_pt, ngx_http_phases,
    ngx_http_phases_NGX_HTTP_ACCESS_PHASE, ngx_http_phases_NGX_HTTP_LOG_PHASE,
    ngx_http_phases_NGX_HTTP_POST_READ_PHASE, ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE,
    ngx_http_phases_NGX_HTTP_REWRITE_PHASE, ngx_http_phases_NGX_HTTP_SERVER_REWRITE_PHASE,
    ngx_int_t,
};

use crate::nginx::answer::variable;
use crate::nginx::conf;
use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::log::Log;
use crate::nginx::phase::body;
use crate::nginx::phase::cache;
use crate::nginx::phase::handlers;
use crate::nginx::phase::parking;
use crate::nginx::phase::upgrade;
use crate::nginx::start;
use crate::nginx::state::settings;
use crate::nginx::worker::thread;

/// Declares the variables, before a directive may name one.
pub(crate) unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    conf::status(guard("preconfiguration", Err(()), || Log::NOWHERE, || variable::declare_all(cf)))
}

/// Freezes the settings and takes a place in the phases.
pub(crate) unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    conf::status(guard("postconfiguration", Err(()), Log::cycle, || {
        conf::freeze(cf)?;
        add(cf, ngx_http_phases_NGX_HTTP_POST_READ_PHASE, handlers::strip)?;
        add(cf, ngx_http_phases_NGX_HTTP_SERVER_REWRITE_PHASE, handlers::strip)?;
        add(cf, ngx_http_phases_NGX_HTTP_REWRITE_PHASE, handlers::strip)?;
        add(cf, ngx_http_phases_NGX_HTTP_ACCESS_PHASE, handlers::access)?;
        add(cf, ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE, handlers::settle)?;
        let needs = conf::needs(cf);
        if needs.body {
            body::install();
            conf::check_what_is_sent(cf);
        }
        if needs.cache {
            add(cf, ngx_http_phases_NGX_HTTP_LOG_PHASE, cache::watch)?;
        }
        if needs.upgrade {
            add(cf, ngx_http_phases_NGX_HTTP_REWRITE_PHASE, upgrade::strip_here)?;
        }
        Ok(())
    }))
}

/// Completes the settings, once the whole configuration is read.
pub(crate) unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    conf::status(guard("init_module", Err(()), Log::cycle, || {
        // SAFETY: Nginx passes the cycle to `init_module`.
        unsafe { settings::complete(cycle) };
        Ok(())
    }))
}

/// Begins a worker.
pub(crate) unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // A worker without the thread goes on with the keys that it has: it never ends for that.
    guard("init_process", (), Log::cycle, || {
        if let Some(main) = settings::of_cycle(cycle) {
            start::watch(main);
        }
    });
    nginx_sys::NGX_OK as ngx_int_t
}

/// Ends a worker.
pub(crate) unsafe extern "C" fn exit_process(_: *mut ngx_cycle_t) {
    guard("exit_process", (), Log::cycle, || {
        thread::stop();
        parking::close();
    });
}

type Handler = unsafe extern "C" fn(*mut nginx_sys::ngx_http_request_t) -> ngx_int_t;

fn add(cf: *mut ngx_conf_t, phase: ngx_http_phases, handler: Handler) -> Result<(), ()> {
    // SAFETY: in `postconfiguration`, `cf->ctx` is the HTTP context, and the core module's phases
    // are arrays of handlers, one each, that may still grow.
    unsafe {
        let ctx = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let core = *(*ctx).main_conf.add(ngx_http_core_module.ctx_index);
        let core = core.cast::<ngx_http_core_main_conf_t>();
        let handlers = &raw mut (*core).phases.get_mut(phase as usize).ok_or(())?.handlers;
        let slot = ngx_array_push(handlers).cast::<ngx_http_handler_pt>();
        if slot.is_null() {
            return Err(());
        }
        slot.write(Some(handler));
    }
    Ok(())
}
