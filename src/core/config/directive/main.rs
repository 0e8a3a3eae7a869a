//! The directives of `http`.

use super::{Directive, Line, bytes, once, row};
use crate::config::{ConfigError, RawIssuer, RawMain};

/// The directives that are allowed in `http` alone.
pub const MAIN: &[Directive<RawMain>] = &[
    row("mesh_zone", "size", "mesh_zone 8m", include_str!("doc/mesh_zone.md"), (1, 1), zone),
    row(
        "mesh_dpop_zone",
        "size",
        "mesh_dpop_zone 1m",
        include_str!("doc/mesh_dpop_zone.md"),
        (1, 1),
        |main, line| {
            let size = zone_size(line)?;
            once(&mut main.dpop_zone, size)
        },
    ),
    Directive {
        block: true,
        ..row(
            "mesh_issuer",
            "name { ... }",
            "—",
            "A token issuer. `mesh_accept` refers to it by its name, and `$mesh_issuer` shows the name. \
              `all`, `any`, `certificate`, `default`, `hop`, `none`, `off`, `on` and `token` \
              cannot be names. Two blocks cannot have the same `issuer`.",
            (1, 1),
            issuer,
        )
    },
    row("mesh_claim", "$variable pointer", "—", include_str!("doc/mesh_claim.md"), (2, 2), claim),
    row(
        "mesh_state_path",
        "directory",
        "—",
        include_str!("doc/mesh_state_path.md"),
        (1, 1),
        state_path,
    ),
    row(
        "mesh_body_memory",
        "size",
        "mesh_body_memory 16m",
        include_str!("doc/mesh_body_memory.md"),
        (1, 1),
        |main, line| {
            let size = zone_size(line)?;
            once(&mut main.body_memory, size)
        },
    ),
    row(
        "mesh_revocation",
        "file",
        "—",
        include_str!("doc/mesh_revocation.md"),
        (1, 1),
        |main, line| {
            if line.first().is_empty() {
                return Err(ConfigError::new("the file's name is empty"));
            }
            once(&mut main.revocation, line.first().into())
        },
    ),
];

fn state_path(main: &mut RawMain, line: &Line<'_>) -> Result<(), ConfigError> {
    if line.first().is_empty() {
        return Err(ConfigError::new("the directory's name is empty"));
    }
    once(&mut main.state_path, line.first().into())
}

fn zone(main: &mut RawMain, line: &Line<'_>) -> Result<(), ConfigError> {
    let size = zone_size(line)?;
    once(&mut main.zone, size)
}

fn zone_size(line: &Line<'_>) -> Result<usize, ConfigError> {
    let size = bytes(line.first())?;
    if size < LEAST_ZONE {
        let message = format!("size \"{}\" is too small, at least 64k", line.first());
        return Err(ConfigError::new(message));
    }
    Ok(size)
}

/// Room for the slab allocator's own pages and a table; Nginx asks for eight pages at least.
const LEAST_ZONE: usize = 64 * 1024;

/// Words that directives use in place of a name, or may use one day.
const RESERVED: [&str; 9] =
    ["all", "any", "certificate", "default", "hop", "none", "off", "on", "token"];

fn issuer(main: &mut RawMain, line: &Line<'_>) -> Result<(), ConfigError> {
    let name = line.first();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_word) {
        let message =
            format!("issuer name \"{name}\" may hold letters, digits, \"-\", \"_\", \".\"");
        return Err(ConfigError::new(message));
    }
    if RESERVED.contains(&name) {
        return Err(ConfigError::new(format!("\"{name}\" is a word of the directives, no name")));
    }
    if main.issuers.iter().any(|known| *known.name == *name) {
        return Err(ConfigError::new(format!("issuer \"{name}\" is duplicate")));
    }
    main.open =
        Some(RawIssuer { name: name.into(), place: line.place.clone(), ..RawIssuer::default() });
    Ok(())
}

fn claim(main: &mut RawMain, line: &Line<'_>) -> Result<(), ConfigError> {
    let [variable, pointer] = line.words else {
        return Err(ConfigError::new("takes a variable and a pointer"));
    };
    let name = variable.strip_prefix('$').unwrap_or_default();
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_word) {
        let message =
            format!("variable \"{variable}\" is not \"$\" and lower-case letters, digits, \"_\"");
        return Err(ConfigError::new(message));
    }
    if main.claims.iter().any(|(known, _)| **known == *name) {
        return Err(ConfigError::new(format!("variable \"{variable}\" is duplicate")));
    }
    let pointer = super::pointer(pointer)?;
    main.claims.push((name.into(), pointer));
    Ok(())
}
