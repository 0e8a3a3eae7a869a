//! The blocks of a configuration as a tree: which settings do nothing in it, and which do too little.
//!
//! `mesh_require_claim` in a block without authentication reads like protection and is none. Nginx
//! merges blocks from the outside in, so this is judged once all of them are known.

use super::{ConfigError, Location, Place, RawLocation};
use crate::issuer::Issuer;
use crate::text::clean::Clean;

/// A line that does nothing unless a request is authenticated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Need {
    /// Which directive it is.
    pub setting: Setting,
    /// Whether it is a promise that an open location breaks, or merely in vain there.
    pub is_promise: bool,
    /// Its place in the configuration.
    pub place: Place,
}

/// A directive that needs an authenticated request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Setting {
    /// `mesh_accept`
    Accept,
    /// `mesh_dpop require`
    Dpop,
    /// `mesh_limit`
    Limit,
    /// `mesh_platform`
    Platform,
    /// `mesh_policy`, which needs a platform as well.
    Policy,
    /// `mesh_require_claim`
    RequireClaim,
}

impl Setting {
    const ALL: [Self; 6] =
        [Self::Accept, Self::Dpop, Self::Limit, Self::Platform, Self::Policy, Self::RequireClaim];

    const fn name(self) -> &'static str {
        match self {
            Self::Accept => "mesh_accept",
            Self::Dpop => "mesh_dpop require",
            Self::Limit => "mesh_limit",
            Self::Platform => "mesh_platform",
            Self::Policy => "mesh_policy",
            Self::RequireClaim => "mesh_require_claim",
        }
    }

    /// What a block must have for it to do something.
    const fn wants(self) -> &'static str {
        match self {
            Self::Policy => "mesh_platform",
            Self::Accept | Self::Dpop | Self::Limit | Self::Platform | Self::RequireClaim => {
                "mesh_authenticate"
            }
        }
    }

    /// Whether it does something in a block.
    const fn holds(self, level: &Level) -> bool {
        match self {
            Self::Policy => level.decides,
            Self::Accept | Self::Dpop | Self::Limit | Self::Platform | Self::RequireClaim => {
                level.authenticates
            }
        }
    }

    /// Whether a block has lines of its own, which replace those of the block around it.
    const fn is_set(self, own: &RawLocation) -> bool {
        match self {
            Self::Accept => own.accept.is_some(),
            Self::Dpop => own.dpop.is_some(),
            Self::Limit => own.limits.is_some(),
            Self::Platform => own.platform.is_some(),
            Self::Policy => own.policy.is_some(),
            Self::RequireClaim => own.requirements.is_some(),
        }
    }
}

/// Which block Nginx merges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Block<'n> {
    /// A `location`, by its name.
    Location(&'n str),
    /// A `server`.
    Server,
    /// A `limit_except` or an `if`, which is a location without a name to Nginx. An `if` has no
    /// directive of ours: it is like the block around it.
    Unnamed,
}

/// Every block, each behind the one that it is in; the first is `http`.
#[derive(Debug, Default)]
pub struct Levels {
    all: Vec<Level>,
    advice: Vec<ConfigError>,
}

#[derive(Debug)]
struct Level {
    parent: usize,
    kind: Kind,
    needs: Vec<Need>,
    /// For each of [`Setting::ALL`], whether it has lines of its own.
    set: [bool; Setting::ALL.len()],
    /// Whether it says `mesh_authenticate off` itself.
    is_opened: bool,
    /// Whether it says `mesh_platform off` itself.
    is_without_platform: bool,
    authenticates: bool,
    /// Whether it asks a policy.
    decides: bool,
    /// The issuers that it believes without any required claim, and where it says so.
    unrequired: Vec<usize>,
    place: Option<Place>,
}

#[derive(Debug, Eq, PartialEq)]
enum Kind {
    Http,
    Location(Box<str>),
    Server,
    Unnamed,
}

impl Levels {
    /// Notes a block as typed, before it inherits anything; `outer` is the number of the block
    /// around it, `None` for `http`, whose lines are `http`. Returns its number.
    pub fn enter(
        &mut self,
        outer: Option<usize>,
        http: &RawLocation,
        own: &RawLocation,
        block: Block<'_>,
    ) -> usize {
        if self.all.is_empty() {
            self.note(0, http, Kind::Http);
        }
        let kind = match block {
            Block::Location(name) => Kind::Location(name.into()),
            Block::Server => Kind::Server,
            Block::Unnamed => Kind::Unnamed,
        };
        self.note(outer.unwrap_or(0), own, kind)
    }

    fn note(&mut self, parent: usize, own: &RawLocation, kind: Kind) -> usize {
        let methods = own.authenticate.as_ref().map(|line| line.methods.is_some());
        self.advice.extend(own.advice.iter().cloned());
        self.all.push(Level {
            parent,
            kind,
            needs: own.needs.clone(),
            set: Setting::ALL.map(|setting| setting.is_set(own)),
            is_opened: methods == Some(false),
            authenticates: methods == Some(true),
            decides: false,
            is_without_platform: matches!(own.platform, Some(None)),
            unrequired: Vec::new(),
            place: None,
        });
        self.all.len().saturating_sub(1)
    }

    /// Notes the settings of a block, with all that it inherits.
    pub fn settle(&mut self, level: usize, merged: &RawLocation, location: Option<&Location>) {
        let Some(level) = self.all.get_mut(level) else { return };
        level.authenticates = location.is_some();
        level.decides = location.is_some_and(|location| location.authorization.is_some());
        level.place = merged.authenticate.as_ref().map(|line| line.place.clone());
        if let Some(location) = location
            && merged.requirements.as_ref().is_none_or(Vec::is_empty)
        {
            let believed = location.authentication.accept.iter();
            level.unrequired = believed.map(|accept| accept.issuer).collect();
        }
    }

    /// Judges the whole, and returns the warnings for the operator.
    ///
    /// # Errors
    ///
    /// A line that promises something and does nothing in its whole block.
    pub fn judge(self, issuers: &[Issuer]) -> Result<Vec<ConfigError>, ConfigError> {
        let inner = Setting::ALL.map(|setting| self.inner(setting));
        let inner_of =
            |setting: Setting| Setting::ALL.iter().zip(&inner).find(|(it, _)| **it == setting);
        let mut advice = self.advice.clone();
        let needs = || {
            let levels = self.all.iter().enumerate();
            levels.flat_map(|(index, level)| level.needs.iter().map(move |it| (index, level, it)))
        };
        let is_policy = |need: &Need| need.setting == Setting::Policy;
        // A platform without authentication is the cause of a policy without a platform.
        let others = needs().filter(|(.., need)| !is_policy(need));
        for (index, level, need) in others.chain(needs().filter(|(.., need)| is_policy(need))) {
            let is_within = inner_of(need.setting).and_then(|(_, it)| it.get(index));
            if need.setting.holds(level) || is_within == Some(&true) {
                continue;
            }
            let (name, wanted) = (need.setting.name(), need.setting.wants());
            let message =
                format!("{name} does nothing: neither its block nor one within has {wanted}");
            let error = ConfigError::at(&need.place, message);
            if need.is_promise {
                return Err(error);
            }
            advice.push(error);
        }
        for ((at, setting), inner) in Setting::ALL.into_iter().enumerate().zip(&inner) {
            self.in_vain(at, setting, inner, &mut advice);
        }
        self.believed(issuers, &mut advice);
        Ok(advice)
    }

    /// For each block, whether a setting does something in one within.
    fn inner(&self, setting: Setting) -> Vec<bool> {
        let mut inner = vec![false; self.all.len()];
        for (index, level) in self.all.iter().enumerate().rev() {
            let is = setting.holds(level) || inner.get(index) == Some(&true);
            if is
                && index > 0
                && let Some(parent) = inner.get_mut(level.parent)
            {
                *parent = true;
            }
        }
        inner
    }

    /// Warns of blocks that inherit a setting which does nothing in them, unless the configuration
    /// says that they are open.
    fn in_vain(&self, at: usize, setting: Setting, inner: &[bool], advice: &mut Vec<ConfigError>) {
        let mut inherited: Vec<Inherited<'_>> = Vec::with_capacity(self.all.len());
        for (index, level) in self.all.iter().enumerate() {
            let holds = inner.get(index) == Some(&true);
            let own = level.needs.iter().find(|need| need.setting == setting);
            let outer = inherited.get(level.parent).copied().unwrap_or_default();
            let mut here = if level.set.get(at) == Some(&true) || index == 0 {
                // A setting that does nothing in the whole block is reported once, for the block.
                let is_told = !holds && !setting.holds(level);
                Inherited { from: own.map(|need| &need.place), is_told }
            } else {
                let is_off =
                    level.is_opened || (setting == Setting::Policy && level.is_without_platform);
                Inherited { is_told: outer.is_told || is_off, ..outer }
            };
            let is_own = own.is_some();
            let is_block = match &level.kind {
                Kind::Http | Kind::Unnamed => false,
                Kind::Location(_) => true,
                // Its locations are reported instead.
                Kind::Server => !holds,
            };
            if let Some(place) = here.from
                && is_block
                && !is_own
                && !here.is_told
                && !setting.holds(level)
                && !self.is_split(index)
            {
                let (name, block) = (setting.name(), level.kind.describe());
                let message = if level.authenticates {
                    format!(
                        "{name} does nothing in {block}, which has no mesh_platform: say \
                         \"mesh_platform off\" there if no policy is meant; set"
                    )
                } else {
                    format!(
                        "{name} does nothing in {block}, which does not authenticate: say \
                         \"mesh_authenticate off\" there if it is meant to be open; set"
                    )
                };
                advice.push(ConfigError::at(place, message));
                here.is_told = !holds;
            }
            inherited.push(here);
        }
    }

    /// Warns of issuers whose tokens for other purposes would be believed like access tokens.
    fn believed(&self, issuers: &[Issuer], advice: &mut Vec<ConfigError>) {
        for (index, issuer) in issuers.iter().enumerate() {
            if issuer.audience_claim.is_none() {
                continue;
            }
            let is_believed = |(at, level): &(usize, &Level)| {
                level.unrequired.contains(&index) && !self.is_covered(*at) && self.serves(level)
            };
            let Some((_, level)) = self.all.iter().enumerate().find(is_believed) else { continue };
            let message = format!(
                "mesh_issuer \"{}\" has an audience_claim, and {} believes it without any \
                 mesh_require_claim: its ID tokens pass as well",
                issuer.name,
                level.kind.describe()
            );
            advice.push(match &level.place {
                Some(place) => ConfigError::at(place, message),
                None => ConfigError::new(message),
            });
        }
    }

    /// Whether a block authenticates some methods, by a `limit_except` in it.
    fn is_split(&self, index: usize) -> bool {
        let is_part = |level: &Level| level.parent == index && level.kind == Kind::Unnamed;
        self.all.iter().any(|level| level.authenticates && is_part(level))
    }

    /// Whether requests come to a block: none comes to an `if` of a server.
    fn serves(&self, level: &Level) -> bool {
        let outer = self.all.get(level.parent).map(|outer| &outer.kind);
        level.kind != Kind::Unnamed || outer != Some(&Kind::Server)
    }

    /// Whether a location within takes every request of the block.
    fn is_covered(&self, index: usize) -> bool {
        let root = |level: &Level| {
            level.parent == index && matches!(&level.kind, Kind::Location(name) if **name == *"/")
        };
        matches!(self.all.get(index), Some(Level { kind: Kind::Server, .. }))
            && self.all.iter().any(root)
    }
}

/// The setting that a block inherits.
#[derive(Clone, Copy, Default)]
struct Inherited<'l> {
    from: Option<&'l Place>,
    /// Whether blocks within need no further warning.
    is_told: bool,
}

impl Kind {
    fn describe(&self) -> String {
        match self {
            Self::Http => "http".to_owned(),
            Self::Location(name) => format!("location \"{}\"", Clean(name.as_bytes())),
            Self::Server => "a server".to_owned(),
            Self::Unnamed => "a limit_except".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
