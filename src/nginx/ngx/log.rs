//! Lines for the error log.
//!
//! Whatever a line is made of, it reaches Nginx as one string of printable ASCII behind a fixed
//! `%*s`: neither a format directive nor a line break can be smuggled in. Show a peer's bytes
//! through [`Clean`](mesh_core::text::clean::Clean), which cuts them as well, and never log a credential.

use core::ffi::CStr;
use core::fmt::{self, Write as _};
use core::marker::PhantomData;

use mesh_core::text::clean::write_byte;
use nginx_sys::{
    NGX_LOG_CRIT, NGX_LOG_EMERG, NGX_LOG_ERR, NGX_LOG_INFO, NGX_LOG_NOTICE, NGX_LOG_WARN,
    ngx_conf_log_error, ngx_conf_t, ngx_log_t, ngx_uint_t,
};

/// How grave a line is, as in the `error_log` directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Level {
    /// A bug, or a fault of the system.
    Crit = NGX_LOG_CRIT,
    /// The configuration cannot be used.
    Emerg = NGX_LOG_EMERG,
    /// A request failed, or a part of the service is down.
    Error = NGX_LOG_ERR,
    /// A fault of a client.
    Info = NGX_LOG_INFO,
    /// Worth knowing, once in a while.
    Notice = NGX_LOG_NOTICE,
    /// Something works, but not as it should.
    Warn = NGX_LOG_WARN,
}

/// The target of lines: a connection's log, the cycle's, or the log of the configuration being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log<'a> {
    target: Target,
    owner: PhantomData<&'a ngx_log_t>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Conf(*mut ngx_conf_t),
    Log(*mut ngx_log_t),
}

impl<'a> Log<'a> {
    /// A log that drops every line.
    pub(crate) const NOWHERE: Log<'static> =
        Log { target: Target::Log(core::ptr::null_mut()), owner: PhantomData };

    /// Wraps a log of Nginx; null drops every line.
    ///
    /// # Safety
    ///
    /// `log` is null or a log that lives for `'a`.
    pub(crate) const unsafe fn new(log: *mut ngx_log_t) -> Self {
        Self { target: Target::Log(log), owner: PhantomData }
    }

    /// The log of a directive: its lines name the file and the line that is being read.
    ///
    /// # Safety
    ///
    /// `cf` is null or the structure that Nginx passed to the handler, and lives for `'a`.
    pub(crate) const unsafe fn of_conf(cf: *mut ngx_conf_t) -> Self {
        Self { target: Target::Conf(cf), owner: PhantomData }
    }

    /// The log of the running cycle; for lines that belong to no connection.
    ///
    /// Only for the thread of Nginx, as everything in this directory.
    pub(crate) fn cycle() -> Self {
        // SAFETY: `ngx_cycle` points to a cycle from `main` on, before a module is loaded, and
        // changes on the same thread only (single thread). A line is written at once, so that the
        // log is not kept over a reload.
        unsafe { nginx_sys::ngx_cycle.as_ref() }.map_or(Self::NOWHERE, |cycle| Self {
            target: Target::Log(cycle.log),
            owner: PhantomData,
        })
    }

    /// Tells whether a line of this level would be written.
    pub(crate) fn takes(self, level: Level) -> bool {
        let log = match self.target {
            Target::Log(log) => log,
            // SAFETY: `of_conf` was told that `cf` is null or alive.
            Target::Conf(cf) => unsafe { cf.as_ref() }.map_or(core::ptr::null_mut(), |cf| cf.log),
        };
        // SAFETY: `new` was told that the log is null or alive, and so is the log of a live `cf`.
        unsafe { log.as_ref() }.is_some_and(|log| log.log_level >= level as ngx_uint_t)
    }

    /// Writes one line, such as `format_args!("limiting requests, service: \"{}\"", Clean(name))`.
    pub(crate) fn write(self, level: Level, line: fmt::Arguments<'_>) {
        if !self.takes(level) {
            return;
        }
        let mut text = Line { bytes: [0; Line::ROOM], len: 0 };
        // A line that is too long is cut, as Nginx itself does.
        let _ = text.write_fmt(line);
        let text = text.bytes.get(..text.len).unwrap_or_default();
        match self.target {
            // SAFETY: `takes` saw a log that is alive; the string is passed with its length.
            Target::Log(log) => unsafe {
                ngx::log::log_error(level as ngx_uint_t, log, 0, text);
            },
            // SAFETY: `takes` saw a `cf` that is alive, with a log; `%*s` takes a `size_t` and a
            // pointer (`ngx_vslprintf`).
            Target::Conf(cf) => unsafe {
                ngx_conf_log_error(
                    level as ngx_uint_t,
                    cf,
                    0,
                    FORMAT.as_ptr(),
                    text.len(),
                    text.as_ptr(),
                );
            },
        }
    }
}

const FORMAT: &CStr = c"%*s";

/// A line in the making, on the stack.
struct Line {
    bytes: [u8; Self::ROOM],
    len: usize,
}

impl Line {
    /// Nginx cuts a line, with its own prefix and suffix, at `NGX_MAX_ERROR_STR` (2048) bytes.
    const ROOM: usize = 1600;
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if matches!(byte, b' '..=b'~') {
                let free = self.bytes.get_mut(self.len).ok_or(fmt::Error)?;
                *free = byte;
                self.len = self.len.saturating_add(1);
            } else {
                // Comes back with printable bytes alone.
                write_byte(self, byte)?;
            }
        }
        Ok(())
    }
}
