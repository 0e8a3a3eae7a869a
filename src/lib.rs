//! The Nginx module: what Nginx looks for in the shared object when it loads it. No logic.

use core::ffi::c_char;
use core::ptr;

use nginx_sys::{NGX_HTTP_MODULE, ngx_command_t, ngx_http_module_t, ngx_module_t, ngx_uint_t};

mod nginx;

use nginx::{conf, hooks};

/// The descriptor: its defaults carry the version and the signature of the headers that were built
/// against, which Nginx compares with its own before it loads the module.
#[expect(non_upper_case_globals, reason = "the name by which Nginx knows the module")]
pub static mut ngx_http_mesh_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const CONTEXT).cast_mut().cast(),
    commands: (&raw const COMMANDS).cast_mut().cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    init_module: Some(hooks::init_module),
    init_process: Some(hooks::init_process),
    exit_process: Some(hooks::exit_process),
    ..ngx_module_t::default()
};

/// The modules in this shared object, ended by null.
#[unsafe(no_mangle)]
pub static mut ngx_modules: [*mut ngx_module_t; 2] =
    [&raw mut ngx_http_mesh_module, ptr::null_mut()];

/// Their names, as `nginx -T` and the conflict check print them.
#[unsafe(no_mangle)]
pub static mut ngx_module_names: [*const c_char; 2] =
    [c"ngx_http_mesh_module".as_ptr(), ptr::null()];

/// No order: the module is added after all others, so that its access handler runs first.
#[unsafe(no_mangle)]
pub static mut ngx_module_order: [*const c_char; 1] = [ptr::null()];

static CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(hooks::preconfiguration),
    postconfiguration: Some(hooks::postconfiguration),
    create_main_conf: Some(conf::create_main),
    init_main_conf: Some(conf::init_main),
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: Some(conf::create_location),
    merge_loc_conf: Some(conf::merge_location),
};

static mut COMMANDS: [ngx_command_t; conf::COMMANDS] = conf::commands();
