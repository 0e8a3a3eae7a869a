//! How lines of the configuration reach the core's table of directives.

use core::ffi::{c_char, c_void};
use core::ptr;

use mesh_core::config::directive::{self, ANSWER, Context, Directive, ISSUER, LOCATION, MAIN};
use mesh_core::config::{ConfigError, Place, RawIssuer, RawLocation, RawMain};
use nginx_sys::{
    NGX_CONF_1MORE, NGX_CONF_BLOCK, NGX_CONF_NOARGS, NGX_HTTP_LIF_CONF, NGX_HTTP_LMT_CONF,
    NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF, NGX_HTTP_MAIN_CONF_OFFSET,
    NGX_HTTP_SIF_CONF, NGX_HTTP_SRV_CONF, ngx_command_t, ngx_conf_t, ngx_str_t, ngx_uint_t,
};

use super::{ERROR, checks, guarded, refuse};
use crate::nginx::answer::content;
use crate::nginx::answer::status;
use crate::nginx::answer::variable;
use crate::nginx::ngx::bytes::bytes;
use crate::nginx::state::settings::{LocationConf, MainConf};

pub(crate) const COMMANDS: usize = ROWS + 1;

const ROWS: usize = MAIN.len() + LOCATION.len() + ANSWER.len();

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what would panic"
)]
mod table {
    use super::*;

    /// The command table that Nginx reads.
    pub(crate) const fn commands() -> [ngx_command_t; COMMANDS] {
        let mut table = [ngx_command_t::empty(); COMMANDS];
        let mut at = 0;
        while at < MAIN.len() {
            table[at] = command(&MAIN[at], &NAMES[at], NGX_HTTP_MAIN_CONF_OFFSET, set_main);
            at += 1;
        }
        while at < ROWS {
            let row = location(at - MAIN.len());
            table[at] = command(row, &NAMES[at], NGX_HTTP_LOC_CONF_OFFSET, set_location);
            at += 1;
        }
        table
    }

    /// The row of a location with that number.
    const fn location(at: usize) -> &'static Directive<RawLocation> {
        if at < LOCATION.len() { &LOCATION[at] } else { &ANSWER[at - LOCATION.len()] }
    }

    /// A directive's name as Nginx compares it, up to the null.
    type Name = [u8; 32];

    static NAMES: [Name; COMMANDS] = {
        let mut names = [[0; 32]; COMMANDS];
        let mut at = 0;
        while at < ROWS {
            let name = if at < MAIN.len() { MAIN[at].name } else { location(at - MAIN.len()).name };
            let name = name.as_bytes();
            let mut byte = 0;
            while byte < name.len() {
                // The last byte stays null: a name that is too long does not compile.
                assert!(byte < 31);
                names[at][byte] = name[byte];
                byte += 1;
            }
            at += 1;
        }
        names
    };

    const fn command<C>(
        row: &'static Directive<C>,
        name: &'static Name,
        conf: usize,
        set: Setter,
    ) -> ngx_command_t {
        // Nginx counts arguments only up to a few; `directive::apply` counts them all.
        let mut flags = if row.words.1 == 0 { NGX_CONF_NOARGS } else { NGX_CONF_1MORE };
        if row.block {
            flags |= NGX_CONF_BLOCK;
        }
        let mut at = 0;
        while at < row.contexts.len() {
            flags |= match row.contexts[at] {
                Context::Http => NGX_HTTP_MAIN_CONF,
                Context::Server => NGX_HTTP_SRV_CONF,
                Context::Location => NGX_HTTP_LOC_CONF,
                // A directive in an `if` reaches us, to be refused in our words.
                Context::LimitExcept => NGX_HTTP_LMT_CONF | NGX_HTTP_LIF_CONF | NGX_HTTP_SIF_CONF,
                Context::Issuer => 0,
            };
            at += 1;
        }
        ngx_command_t {
            name: ngx_str_t { len: row.name.len(), data: name.as_ptr().cast_mut() },
            type_: flags as ngx_uint_t,
            set: Some(set),
            conf,
            offset: 0,
            post: ptr::from_ref(row).cast_mut().cast(),
        }
    }
}

pub(crate) use table::commands;

type Setter = unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

unsafe extern "C" fn set_main(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(cf, ERROR, || {
        // SAFETY: `post` is the row that `command` put there, and `conf` is the value that
        // `create_main` made, which nothing else refers to while a directive is read.
        let (row, main) = unsafe {
            (&*(*command).post.cast::<Directive<RawMain>>(), &mut *conf.cast::<MainConf>())
        };
        if let Err(error) = set(cf, row, &mut main.raw) {
            return refuse(cf, Some(row.name), &error);
        }
        if row.block {
            return issuer_block(cf, main);
        }
        if let ("mesh_state_path", Some(directory)) = (row.name, &mut main.raw.state_path) {
            match checks::state_path(cf, directory) {
                Ok(path) => *directory = path,
                Err(error) => return refuse(cf, Some(row.name), &error),
            }
        }
        if let ("mesh_claim", Some((name, _))) = (row.name, main.raw.claims.last()) {
            let index = main.raw.claims.len().saturating_sub(1);
            if let Err(error) = variable::declare_claim(cf, name, index) {
                return refuse(cf, Some(row.name), &error);
            }
        }
        ptr::null_mut()
    })
}

unsafe extern "C" fn set_location(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(cf, ERROR, || {
        // SAFETY: as in `set_main`, with what `create_location` made.
        let (row, location) = unsafe {
            (&*(*command).post.cast::<Directive<RawLocation>>(), &mut *conf.cast::<LocationConf>())
        };
        // SAFETY: Nginx passes the configuration that it reads.
        let context = unsafe { (*cf).cmd_type };
        if context & (NGX_HTTP_LIF_CONF | NGX_HTTP_SIF_CONF) as ngx_uint_t != 0 {
            return refuse(cf, Some(row.name), &ConfigError::new(directive::IN_IF));
        }
        if let Err(error) = set(cf, row, &mut location.raw) {
            return refuse(cf, Some(row.name), &error);
        }
        match row.name {
            "mesh_resource_metadata" => content::serve_metadata(cf),
            "mesh_status" => status::answer_here(cf),
            _ => {}
        }
        ptr::null_mut()
    })
}

/// Reads a `mesh_issuer` block with our own table, as Nginx's `types` and `map` do.
fn issuer_block(cf: *mut ngx_conf_t, main: &mut MainConf) -> *mut c_char {
    let main: *mut MainConf = main;
    // SAFETY: `ngx_conf_parse` calls the handler for each line of the block and returns; the
    // caller's configuration is put back whatever it returned.
    let parsed = unsafe {
        let saved = *cf;
        (*cf).handler = Some(issuer_line);
        (*cf).handler_conf = main.cast();
        let parsed = nginx_sys::ngx_conf_parse(cf, ptr::null_mut());
        *cf = saved;
        parsed
    };
    if !parsed.is_null() {
        return parsed;
    }
    // SAFETY: the handler no longer holds the pointer.
    match unsafe { &mut *main }.raw.close_issuer() {
        Ok(()) => ptr::null_mut(),
        Err(error) => refuse(cf, None, &error),
    }
}

unsafe extern "C" fn issuer_line(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(cf, ERROR, || {
        let (words, place) = match line(cf) {
            Ok(line) => line,
            Err(error) => return refuse(cf, None, &error),
        };
        let Some((name, words)) = words.split_first() else { return ERROR };
        if *name == "include" {
            // Nginx counts the arguments of its own directives before it calls them.
            if words.len() != 1 {
                let error = ConfigError::new("invalid number of arguments in \"include\"");
                return refuse(cf, Some(name), &error);
            }
            // SAFETY: `ngx_conf_include` takes the line that is being read, as this handler did.
            return unsafe { nginx_sys::ngx_conf_include(cf, command, conf) };
        }
        // SAFETY: `handler_conf` is what `issuer_block` put there.
        let main = unsafe { &mut *conf.cast::<MainConf>() };
        let issuer = main.raw.open.get_or_insert_with(RawIssuer::default);
        match directive::read(ISSUER, issuer, name, words, &place) {
            Ok(()) => ptr::null_mut(),
            Err(error) => refuse(cf, Some(name), &error),
        }
    })
}

fn set<C>(cf: *mut ngx_conf_t, row: &Directive<C>, raw: &mut C) -> Result<(), ConfigError> {
    let (words, place) = line(cf)?;
    directive::apply(row, raw, words.get(1..).unwrap_or_default(), &place)
}

/// The words of the line that is being read, and its place.
fn line<'c>(cf: *mut ngx_conf_t) -> Result<(Vec<&'c str>, Place), ConfigError> {
    // SAFETY: while a directive is read, `args` holds its words, which live as long as the cycle,
    // and `conf_file` is the file (for `-g` it has no name).
    let (words, file, line) = unsafe {
        let words = (*(*cf).args).as_slice::<ngx_str_t>();
        (
            (words.iter().map(|word| bytes(word)).collect::<Vec<_>>()),
            bytes(&raw const (*(*cf).conf_file).file.name),
            (*(*cf).conf_file).line,
        )
    };
    let words = words
        .into_iter()
        .map(|word| core::str::from_utf8(word).map_err(|_| ConfigError::new("is not UTF-8")))
        .collect::<Result<_, _>>()?;
    Ok((words, Place { file: String::from_utf8_lossy(file).into(), line }))
}
