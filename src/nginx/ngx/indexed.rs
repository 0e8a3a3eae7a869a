//! Which variables a configuration names.

use nginx_sys::{
    ngx_http_conf_ctx_t, ngx_http_core_main_conf_t, ngx_http_core_module, ngx_http_variable_t,
    ngx_uint_t,
};

use crate::nginx::ngx::bytes::bytes;

/// The variables that a configuration names: they have an index.
pub(crate) struct Indexed<'c>(&'c [ngx_http_variable_t]);

/// One of them.
pub(crate) struct Named<'c> {
    pub(crate) index: ngx_uint_t,
    /// In lower case.
    pub(crate) name: &'c str,
    pub(crate) flags: ngx_uint_t,
}

impl<'c> Indexed<'c> {
    /// The variables that are known by now; modules may ask for more until `init_module`.
    ///
    /// # Safety
    ///
    /// `ctx` is the HTTP context of a configuration whose blocks are read; no variable is added while
    /// `'c` lasts.
    pub(crate) unsafe fn of(ctx: *const ngx_http_conf_ctx_t) -> Self {
        // SAFETY: the core module's main settings are always there; its variables are an array of
        // those that have an index, which is not allocated before the first.
        unsafe {
            let core = *(*ctx).main_conf.add(ngx_http_core_module.ctx_index);
            let variables = &raw const (*core.cast::<ngx_http_core_main_conf_t>()).variables;
            if (*variables).elts.is_null() {
                return Self(&[]);
            }
            Self(core::slice::from_raw_parts((*variables).elts.cast(), (*variables).nelts))
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Named<'c>> + use<'c> {
        self.0.iter().enumerate().filter_map(|(index, variable)| {
            // SAFETY: the name lives as long as the configuration.
            let name = unsafe { bytes(&raw const variable.name) };
            let name = core::str::from_utf8(name).ok()?;
            Some(Named { index, name, flags: variable.flags })
        })
    }

    /// Whether one of that name is among them.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.iter().any(|it| it.name == name)
    }
}
