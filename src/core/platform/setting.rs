//! A platform as a location sets it.

use std::sync::Arc;

use super::selector::Source;
use super::table::{Effect, Row, ScopeSource, Table};
use super::target::Target;
use super::template::Template;
use super::{Asked, Refused, Route};

/// A platform as a location sets it: its table, and what of it is on.
#[derive(Clone, Debug)]
pub struct Platform {
    pub(super) table: Arc<Table>,
    /// Bits of the dialects that are on.
    pub(super) dialects: u32,
    /// Bits of the options that are on.
    pub(super) options: u32,
    /// Ids that are pinned: the place of the scope, and the only value.
    pub(super) scopes: Vec<(usize, Box<str>)>,
}

impl Platform {
    /// A platform with every dialect on, no option, and no id pinned.
    pub const fn new(table: Arc<Table>) -> Self {
        Self { table, dialects: u32::MAX, options: 0, scopes: Vec::new() }
    }

    /// Its table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Its table, for whoever outlives its location.
    pub fn shared_table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }

    /// Sets a word as `mesh_platform` and `meshctl` have it: `dialect=a,b`, an option, or `scope=id`.
    ///
    /// # Errors
    ///
    /// What the table does not have, or what is set twice.
    pub fn set(&mut self, word: &str) -> Result<(), SettingError> {
        let unknown = || SettingError::Unknown(word.into());
        let is_known = match word.split_once('=') {
            Some(("dialect", _)) if self.dialects != u32::MAX => {
                return Err(SettingError::Twice("dialect".into()));
            }
            Some(("dialect", words)) => self.set_dialects(&words.split(',').collect::<Vec<_>>()),
            Some((word, "on" | "pass")) if self.set_option(word) => true,
            Some((_, "")) => false,
            Some((word, value)) => {
                let before = self.scopes.len();
                let is_known = self.pin(word, value);
                let places = self.scopes.iter().map(|(place, _)| place);
                let last = self.scopes.last().map(|(place, _)| place);
                if before < self.scopes.len() && places.filter(|it| Some(*it) == last).count() > 1 {
                    return Err(SettingError::Twice(word.into()));
                }
                is_known
            }
            None => self.set_option(word),
        };
        if is_known { Ok(()) } else { Err(unknown()) }
    }

    /// Whether both name every request alike.
    pub fn is_same(&self, other: &Self) -> bool {
        let Self { table, dialects, options, scopes } = self;
        Arc::ptr_eq(table, &other.table)
            && *dialects == other.dialects
            && *options == other.options
            && *scopes == other.scopes
    }

    /// Whether a field of a request may be one that [`Self::passes`] stops: a quick look at its name.
    #[inline]
    pub fn may_be_guarded(&self, field: &[u8]) -> bool {
        self.table.may_be_guarded(field)
    }

    /// Whether a field of a request goes upstream, if the request is the row of that line.
    ///
    /// A field that chooses an identity, a workspace, another method or another path goes only if the row names something
    /// by it, or if its value was compared with what is pinned.
    pub fn passes(&self, line: Option<u32>, field: &[u8]) -> bool {
        let Some(name) = self.table.guarded(field) else { return true };
        let is_of = |source: &ScopeSource| match source {
            ScopeSource::Other(Source::Header(it)) => **it == *name,
            ScopeSource::Other(_) | ScopeSource::Parameter(_) => false,
        };
        let pinned = self.scopes.iter().filter_map(|(place, _)| self.table.scopes.get(*place));
        let is_compared = pinned.flat_map(|scope| &scope.sources).any(is_of);
        let row = line.and_then(|line| self.table.row(line));
        is_compared || row.is_some_and(|row| row.fields().any(|it| it == name))
    }

    /// Leaves only these dialects on; `false` if the table lacks one of them.
    pub fn set_dialects(&mut self, words: &[&str]) -> bool {
        self.dialects = 0;
        words.iter().all(|word| {
            let place = self.table.dialects().position(|known| known == *word);
            let bit = place.and_then(|place| 1_u32.checked_shl(u32::try_from(place).ok()?));
            self.dialects |= bit.unwrap_or(0);
            bit.is_some()
        })
    }

    /// Turns an option on; `false` if the table lacks it.
    pub fn set_option(&mut self, word: &str) -> bool {
        let place = self.table.options().position(|(known, _)| known == word);
        let bit = place.and_then(|place| 1_u32.checked_shl(u32::try_from(place).ok()?));
        self.options |= bit.unwrap_or(0);
        bit.is_some()
    }

    /// Pins an id that is no resource; `false` if the table lacks its word.
    pub fn pin(&mut self, word: &str, value: &str) -> bool {
        let place = self.table.scopes().position(|known| known == word);
        if let Some(place) = place {
            self.scopes.push((place, value.into()));
        }
        place.is_some()
    }

    /// Whether some request of a path with parameters has a name: of one whose parameters have listed
    /// values, or that a member of the query chooses.
    pub fn knows(&self, method: &str, path: &str) -> bool {
        let Ok(template) = Template::parse(path.trim_end_matches('/'), self.table.folds) else {
            return false;
        };
        let rows = self.table.rows.iter().filter(|row| row.is_of(method));
        let mut named = rows.filter(|row| matches!(row.effect, Effect::Named { .. }));
        named.any(|row| row.template.overlap(&template).is_some())
    }

    /// The row that a request is.
    ///
    /// # Errors
    ///
    /// It is none, or none for certain; or it is refused on purpose.
    pub fn route<'p, 'r>(&'p self, asked: &Asked<'r>) -> Result<Route<'p, 'r>, Refused<'p>> {
        let target = Target::parse(asked.path, asked.query, asked.is_decoded)?;
        Route::new(self, asked, target)
    }

    /// Why the requests of a row are refused, if they are.
    pub(super) fn refuses<'p>(&'p self, row: &'p Row) -> Option<&'p str> {
        let is_on = |option: usize| {
            let bit = u32::try_from(option).ok().and_then(|option| 1_u32.checked_shl(option));
            self.options & bit.unwrap_or(0) != 0
        };
        match (row.option.filter(|option| !is_on(*option)), &row.effect) {
            (Some(option), _) => {
                Some(self.table.options().nth(option).map_or("", |(_, reason)| reason))
            }
            (None, Effect::Refused(reason)) => Some(reason),
            (None, Effect::Named { .. }) => None,
        }
    }
}

/// Why a word of a platform's settings is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SettingError {
    /// It is set twice.
    Twice(Box<str>),
    /// The table does not have it.
    Unknown(Box<str>),
}

impl core::fmt::Display for SettingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Twice(word) => write!(f, "\"{word}\" is set twice"),
            Self::Unknown(word) => write!(f, "the platform has no setting \"{word}\""),
        }
    }
}

impl core::error::Error for SettingError {}
