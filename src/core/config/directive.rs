//! The table of directives: their names, contexts and syntax, and what their words mean.
//!
//! The shell turns these rows into Nginx's command tables and calls `apply`; `meshctl help` prints
//! them as the manual.
//!
//! A row holds its own documentation, so that a directive is described by one change in one place. A
//! paragraph is a text in the row. A longer text is a Markdown file of the directive's name in `doc/`,
//! beside the tables: there it can have lists, tables and examples, and the tables stay readable.

mod answer;
mod authorization;
mod dpop;
mod introspection;
mod issuer;
mod limit;
mod location;
mod main;
mod metadata;

use core::time::Duration;
use std::path::PathBuf;

use crate::config::{ConfigError, Need, Place, RawIssuer, RawLocation, RawMain, Setting};
use crate::key::algorithm::Algorithm;
use crate::text::json::Pointer;

pub use answer::ANSWER;
pub use issuer::ISSUER;
pub use location::LOCATION;
pub use main::MAIN;

/// A directive whose values end in a `C`.
#[derive(Debug)]
pub struct Directive<C: 'static> {
    /// Its name.
    pub name: &'static str,
    /// Its syntax, as the manual writes it, without the name; empty if it takes no words.
    pub syntax: &'static str,
    /// Its default, as the manual writes it; `—` for none.
    pub default: &'static str,
    /// What it does, in Markdown.
    pub doc: &'static str,
    /// The contexts that it is allowed in.
    pub contexts: &'static [Context],
    /// The least and the most words after the name.
    pub words: (usize, usize),
    /// Whether a block follows.
    pub block: bool,
    /// Reads the words into the raw settings.
    pub apply: fn(&mut C, &Line<'_>) -> Result<(), ConfigError>,
}

/// A context of Nginx's configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Context {
    /// `http`
    Http,
    /// `server`
    Server,
    /// `location`
    Location,
    /// `limit_except`, for the methods that it does not name.
    LimitExcept,
    /// The block of `mesh_issuer`.
    Issuer,
}

impl Context {
    /// As the manual writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Issuer => "mesh_issuer",
            Self::LimitExcept => "limit_except",
            Self::Location => "location",
            Self::Server => "server",
        }
    }
}

/// One line of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Line<'l> {
    /// The words after the directive's name.
    pub words: &'l [&'l str],
    /// Its place in the configuration.
    pub place: &'l Place,
}

impl<'l> Line<'l> {
    /// The first word; Nginx has counted them, so it is there.
    fn first(&self) -> &'l str {
        self.words.first().copied().unwrap_or_default()
    }

    /// The words after the first.
    fn rest(&self) -> &'l [&'l str] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// The settings that a table of directives ends in.
trait Settings: 'static {
    /// The contexts of the table's directives, unless a row says otherwise.
    const CONTEXTS: &'static [Context];
}

impl Settings for RawMain {
    const CONTEXTS: &'static [Context] = &[Context::Http];
}

impl Settings for RawLocation {
    const CONTEXTS: &'static [Context] =
        &[Context::Http, Context::Server, Context::Location, Context::LimitExcept];
}

impl Settings for RawIssuer {
    const CONTEXTS: &'static [Context] = &[Context::Issuer];
}

/// A row without a block, in the contexts of its table.
const fn row<C: Settings>(
    name: &'static str,
    syntax: &'static str,
    default: &'static str,
    doc: &'static str,
    words: (usize, usize),
    apply: fn(&mut C, &Line<'_>) -> Result<(), ConfigError>,
) -> Directive<C> {
    Directive { name, syntax, default, doc, contexts: C::CONTEXTS, words, block: false, apply }
}

/// Why directives that are allowed in `limit_except` are refused in an `if`, and what to write
/// instead.
pub const IN_IF: &str = "is in an \"if\": Nginx uses only the last \"if\" that matches, so another one \
                         would open the location. Put it into a location of its own or, for some \
                         methods, into limit_except";

/// Applies a row to words as Nginx would, counting them first: for tools, tests and fuzzers.
///
/// # Errors
///
/// What the row's `apply` says, or that the number of words is wrong.
pub fn apply<C>(
    row: &Directive<C>,
    settings: &mut C,
    words: &[&str],
    place: &Place,
) -> Result<(), ConfigError> {
    let (least, most) = row.words;
    if !(least..=most).contains(&words.len()) {
        return Err(ConfigError::new(format!("invalid number of arguments in \"{}\"", row.name)));
    }
    (row.apply)(settings, &Line { words, place })
}

/// Sets a value that may be set once a level.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), ConfigError> {
    if slot.is_some() {
        return Err(ConfigError::new("is duplicate"));
    }
    *slot = Some(value);
    Ok(())
}

fn on_off(line: &Line<'_>) -> Result<bool, ConfigError> {
    match line.first() {
        "off" => Ok(false),
        "on" => Ok(true),
        other => Err(unknown(other, "on or off")),
    }
}

/// The list of a level: `off` empties it and must be alone.
fn list<'r, T>(
    slot: &'r mut Option<Vec<T>>,
    line: &Line<'_>,
) -> Result<Option<&'r mut Vec<T>>, ConfigError> {
    let off = line.words == ["off"];
    match slot {
        Some(items) if off || items.is_empty() => {
            let message =
                if off { "\"off\" must be alone" } else { "follows \"off\", which must be alone" };
            Err(ConfigError::new(message))
        }
        slot => {
            let items = slot.get_or_insert_default();
            Ok((!off).then_some(items))
        }
    }
}

/// A line that needs authenticated requests.
fn need(setting: Setting, is_promise: bool, line: &Line<'_>) -> Need {
    Need { setting, is_promise, place: line.place.clone() }
}

fn file(word: &str) -> Result<PathBuf, ConfigError> {
    if word.is_empty() {
        return Err(ConfigError::new("the file's name is empty"));
    }
    Ok(word.into())
}

fn algorithm(word: &str) -> Result<Algorithm, ConfigError> {
    word.parse().map_err(|_| unknown(word, &format!("one of {}", Algorithm::names())))
}

fn unknown(word: &str, expected: &str) -> ConfigError {
    ConfigError::new(format!("\"{word}\" is not {expected}"))
}

/// A duration in Nginx's units, in seconds: `30s`, `5m`, `1h`, `1d`, or a bare number of seconds.
fn seconds(word: &str) -> Result<i64, ConfigError> {
    let digits = word.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit = match word.get(digits.len()..).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<i64>().ok().filter(|_| is_number && unit > 0);
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| unknown(word, "a time such as 30s, 5m, 1h or 1d"))
}

/// A time within bounds, both in seconds.
fn duration(word: &str, least: u64, most: u64) -> Result<Duration, ConfigError> {
    let secs = u64::try_from(seconds(word)?).ok().filter(|it| (least..=most).contains(it));
    secs.map(Duration::from_secs)
        .ok_or_else(|| unknown(word, &format!("a time from {least} to {most} seconds")))
}

/// A size in Nginx's units, in bytes: `65536`, `512k`, `8m`.
fn bytes(word: &str) -> Result<usize, ConfigError> {
    let digits = word.trim_end_matches(['k', 'K', 'm', 'M']);
    let unit = match word.get(digits.len()..).unwrap_or_default() {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        _ => 0,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<usize>().ok().filter(|_| is_number && unit > 0);
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| unknown(word, "a size such as 512k or 8m"))
}

fn pointer(word: &str) -> Result<Pointer, ConfigError> {
    word.parse().map_err(|_| unknown(word, "a JSON pointer such as /realm_access/roles (RFC 6901)"))
}

/// Reads one line of a table by the directive's name: for tools, tests and fuzzers.
///
/// # Errors
///
/// What the row says, or that there is no such directive.
pub fn read<C>(
    table: &[Directive<C>],
    settings: &mut C,
    name: &str,
    words: &[&str],
    place: &Place,
) -> Result<(), ConfigError> {
    let row = table
        .iter()
        .find(|row| row.name == name)
        .ok_or_else(|| ConfigError::new(format!("unknown directive \"{name}\"")))?;
    apply(row, settings, words, place)
}

/// A row of any table, for code that treats all alike.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The directive's name.
    pub name: &'static str,
    /// Its syntax.
    pub syntax: &'static str,
    /// Its default.
    pub default: &'static str,
    /// What it does, in Markdown.
    pub doc: &'static str,
    /// The contexts that it is allowed in.
    pub contexts: &'static [Context],
}

/// Every directive, for the manual.
pub fn rows() -> Vec<Row> {
    fn of<C>(row: &Directive<C>) -> Row {
        let Directive { name, syntax, default, doc, contexts, .. } = *row;
        Row { name, syntax, default, doc, contexts }
    }
    let main = MAIN.iter().map(of::<RawMain>);
    let issuer = ISSUER.iter().map(of::<RawIssuer>);
    let location = LOCATION.iter().chain(ANSWER).map(of::<RawLocation>);
    main.chain(issuer).chain(location).collect()
}

#[cfg(test)]
mod tests;
