//! The variables: `$mesh_...`, and those that `mesh_claim` declares.

use std::borrow::Cow;

use mesh_core::config::ConfigError;
use mesh_core::identity::{Shown, VARIABLES};
use mesh_core::text::encode::encode;
use nginx_sys::{
    NGX_HTTP_VAR_NOCACHEABLE, ngx_conf_t, ngx_http_add_variable, ngx_http_get_variable_index,
    ngx_http_request_t, ngx_http_variable_value_t, ngx_int_t, ngx_pnalloc, ngx_str_t,
};

use crate::nginx::ngx::guard::guard;
use crate::nginx::ngx::live::Live;
use crate::nginx::phase::context::Context;
use crate::nginx::state::settings;

/// Declares our variables; called before the configuration is read.
pub(crate) fn declare_all(cf: *mut ngx_conf_t) -> Result<(), ()> {
    for (index, variable) in VARIABLES.iter().enumerate() {
        declare(cf, variable.name, value_of, index)?;
    }
    Ok(())
}

/// Declares the variable of a `mesh_claim`.
pub(crate) fn declare_claim(
    cf: *mut ngx_conf_t,
    name: &str,
    claim: usize,
) -> Result<(), ConfigError> {
    declare(cf, name, claim_of, claim)
        .map_err(|()| ConfigError::new(format!("the variable \"${name}\" is declared elsewhere")))
}

/// Whether the variable with that name shows a verified identity.
pub(crate) fn shows_identity(name: &str) -> bool {
    VARIABLES.iter().any(|it| it.name == name && matches!(it.shown, Shown::Identity(_)))
}

/// The index of the variable with that name, for a limit's key.
pub(crate) fn index(cf: *mut ngx_conf_t, name: &str) -> Option<usize> {
    let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
    // SAFETY: Nginx copies the name and leaves the original.
    let index = unsafe { ngx_http_get_variable_index(cf, &raw mut name) };
    usize::try_from(index).ok()
}

type Getter = unsafe extern "C" fn(
    *mut ngx_http_request_t,
    *mut ngx_http_variable_value_t,
    usize,
) -> ngx_int_t;

fn declare(cf: *mut ngx_conf_t, name: &str, getter: Getter, index: usize) -> Result<(), ()> {
    let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
    // SAFETY: Nginx copies the name into the cycle's pool and returns null or a variable that
    // lives as long as the cycle; it may be changed until the configuration is read.
    unsafe {
        let flags = NGX_HTTP_VAR_NOCACHEABLE as usize;
        let variable = ngx_http_add_variable(cf, &raw mut name, flags);
        // A variable that has a getter belongs to another module.
        if variable.is_null() || (*variable).get_handler.is_some() {
            return Err(());
        }
        (*variable).get_handler = Some(getter);
        (*variable).data = index;
    }
    Ok(())
}

unsafe extern "C" fn value_of(
    r: *mut ngx_http_request_t,
    v: *mut ngx_http_variable_value_t,
    index: usize,
) -> ngx_int_t {
    // SAFETY: Nginx calls a getter with a live request and a value to fill.
    unsafe {
        get(r, v, |r, context| {
            VARIABLES.get(index).and_then(|variable| show(variable.shown, r, context))
        })
    }
}

unsafe extern "C" fn claim_of(
    r: *mut ngx_http_request_t,
    v: *mut ngx_http_variable_value_t,
    claim: usize,
) -> ngx_int_t {
    // SAFETY: as in `value_of`.
    unsafe {
        get(r, v, |r, context| {
            let identity = context.identify(r)?;
            identity.claim(claim).map(|text| encode(text).into_owned().into())
        })
    }
}

/// Fills a value with the result of `show`; after a panic it is not found.
///
/// # Safety
///
/// `r` and `v` are what Nginx passed to a getter.
unsafe fn get(
    r: *mut ngx_http_request_t,
    v: *mut ngx_http_variable_value_t,
    show: impl FnOnce(Live<'_>, &Context) -> Option<Cow<'static, str>>,
) -> ngx_int_t {
    // SAFETY: the caller's contract.
    unsafe {
        let Some(r) = Live::new(r) else { return not_found(v) };
        let text = guard("variable", None, || r.log(), || show(r, Context::of(r)?));
        put(r, v, &text.unwrap_or_default())
    }
}

/// The value of a variable.
fn show(shown: Shown, r: Live<'_>, context: &Context) -> Option<Cow<'static, str>> {
    match shown {
        Shown::Action | Shown::Operation | Shown::Platform | Shown::Resource => {
            operation(shown, r, context)
        }
        Shown::Decision => context.decision(r).map(Into::into),
        Shown::Identity(attribute) => {
            let identity = context.identify(r)?;
            identity.attribute(attribute).map(|value| value.into_owned().into())
        }
        Shown::LimitRemaining => context.remaining(r).map(|left| left.to_string().into()),
        Shown::Reason => context.reason(r).map(Into::into),
        Shown::Rule => context.rule(r).map(|rule| encode(&rule).into_owned().into()),
        Shown::Time => context.micros(r).map(|micros| micros.to_string().into()),
    }
}

/// What the request asks for, in the platform's words.
fn operation(shown: Shown, r: Live<'_>, context: &Context) -> Option<Cow<'static, str>> {
    if let Shown::Platform = shown
        && let Some(authorization) = settings::location(r).and_then(|it| it.authorization.as_ref())
    {
        return Some(authorization.platform.table().name().to_owned().into());
    }
    let text = context.named(r, |named| match shown {
        Shown::Platform => Some(named.table.name().to_owned()),
        Shown::Operation => Some(named.operation().to_owned()),
        Shown::Resource => match named.resource.as_ref()? {
            Some(name) => Some(encode(name).into_owned()),
            None => Some("*".to_owned()),
        },
        _ => Some(format!("{}:{}", named.kind(), named.action())),
    });
    text?.map(Into::into)
}

/// Fills a value with a copy in the request's pool; an empty text is not found.
///
/// # Safety
///
/// `v` is what Nginx passed to a getter.
unsafe fn put(r: Live<'_>, v: *mut ngx_http_variable_value_t, text: &str) -> ngx_int_t {
    let Some(len) = u32::try_from(text.len()).ok().filter(|len| *len > 0 && *len < 1 << 28) else {
        // SAFETY: the caller's contract.
        return unsafe { not_found(v) };
    };
    // SAFETY: the pool is the request's; the copy is `len` bytes long.
    unsafe {
        let data = ngx_pnalloc(r.pool(), text.len()).cast::<u8>();
        if data.is_null() {
            return nginx_sys::NGX_ERROR as ngx_int_t;
        }
        core::ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
        (*v).set_len(len);
        (*v).set_valid(1);
        (*v).set_no_cacheable(1);
        (*v).set_not_found(0);
        (*v).data = data;
    }
    nginx_sys::NGX_OK as ngx_int_t
}

/// # Safety
///
/// `v` is what Nginx passed to a getter.
unsafe fn not_found(v: *mut ngx_http_variable_value_t) -> ngx_int_t {
    // SAFETY: the caller's contract.
    unsafe {
        (*v).set_valid(0);
        (*v).set_not_found(1);
    }
    nginx_sys::NGX_OK as ngx_int_t
}
