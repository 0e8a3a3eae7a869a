//! The sections of a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::Word;
use super::fault::{At, Fault, nearest};
use super::names::Names;
use super::reader::{Go, Reader};
use super::rows::{BINDING, DENIAL, Field, LIMIT, ROLE, SECTIONS};
use super::scope::{For, Numbers, Owner, scope};
use super::texts::Texts;
use super::{MAX_RULES, condition};
use crate::platform::table::Table;
use crate::policy::model::{
    Binding, Conditions, Denial, Grant, Group, IssuerGroup, Policy, Role, Subjects,
};
use crate::policy::plain::DEFAULT;

/// What was read so far.
pub(super) struct Sections {
    pub(super) policy: Policy,
    pub(super) services: Names,
    pub(super) groups: Names,
    pub(super) roles: Names,
    pub(super) numbers: Numbers,
    pub(super) warnings: Vec<Fault>,
    /// Where each issuer is named first.
    pub(super) issuers: BTreeMap<Arc<str>, At>,
    /// Where each denial is.
    pub(super) denials: Vec<At>,
    rule_names: Texts,
    /// Where each name of a rule was met last.
    rule_names_at: Vec<At>,
    pub(super) rules: usize,
    /// Of rules that hold at all times.
    unconditional: Arc<Conditions>,
    /// How many roles ship with the product.
    pub(super) shipped: usize,
    is_shipped: bool,
}

impl Sections {
    pub(super) fn new(tables: &[Arc<Table>]) -> Self {
        Self {
            policy: Policy { tables: tables.to_vec(), ..Policy::default() },
            services: Names::default(),
            groups: Names::default(),
            roles: Names::default(),
            numbers: Numbers::default(),
            warnings: Vec::new(),
            issuers: BTreeMap::new(),
            denials: Vec::new(),
            rule_names: Texts::default(),
            rule_names_at: Vec::new(),
            rules: 0,
            unconditional: Arc::default(),
            shipped: 0,
            is_shipped: false,
        }
    }

    /// Reads the roles that ship with the product.
    pub(super) fn add_shipped(&mut self, text: &str) {
        self.is_shipped = true;
        let mut reader = Reader::new(text);
        // A test reads them against our tables. In another table of the same name, a role lacks the
        // grants of what that table does not know.
        let _ = self.add(&mut reader);
        self.is_shipped = false;
        self.shipped = self.roles.len();
        // What ships is not the operator's to mend.
        self.warnings.clear();
    }

    /// Reads a document.
    pub(super) fn add(&mut self, reader: &mut Reader<'_>) -> Go {
        if reader.is_empty()? {
            return reader.fault(At::START, "the document is empty: it begins with \"version: 1\"");
        }
        reader.members("a policy", &SECTIONS, &mut |reader, field, _| match field {
            Field::Version => {
                let at = reader.at()?;
                let word = reader.word()?;
                if word.is_some_and(|word| word.text != "1" || word.is_quoted) {
                    reader.fault(at, "this product reads version 1")?;
                }
                Ok(())
            }
            Field::Names => {
                reader.map(&mut |reader, platform| self.add_numbers(reader, platform)).map(drop)
            }
            Field::Services => {
                reader.map(&mut |reader, name| self.add_service(reader, name)).map(drop)
            }
            Field::Groups => reader.map(&mut |reader, name| self.add_group(reader, name)).map(drop),
            Field::Roles => reader.map(&mut |reader, name| self.add_role(reader, name)).map(drop),
            Field::Bindings => reader.list(&mut |reader| self.add_binding(reader)),
            Field::Deny => reader.list(&mut |reader| self.add_denial(reader)),
            _ => reader.list(&mut add_limit),
        })?;
        reader.end()
    }

    /// Counts a rule before memory is taken for it.
    fn count(&mut self, reader: &mut Reader<'_>) -> Go<At> {
        let at = reader.at()?;
        self.rules = self.rules.saturating_add(1);
        if self.rules > MAX_RULES {
            reader.fault(at, "there are more than 1,000,000 rules")?;
            return Err(super::reader::Stop);
        }
        Ok(at)
    }

    fn add_role<'t>(&mut self, reader: &mut Reader<'t>, name: &Word<'t>) -> Go {
        reader.check_name(name)?;
        let Some(place) = self.roles.given(&name.text, name.at) else {
            let text = format!("the role \"{}\" ships with the product", name.text);
            reader.fault(name.at, text)?;
            return reader.skip();
        };
        let (mut grants, mut includes) = (Vec::new(), Vec::new());
        let whole = if reader.is_list()? {
            reader.list(&mut |reader| self.add_grant(reader, place, &mut grants))
        } else {
            let members = reader.members("a role", &ROLE, &mut |reader, field, _| match field {
                Field::Include => reader.list(&mut |reader| {
                    let Some(name) = reader.name()? else { return Ok(()) };
                    includes.push(self.roles.used(&name.text, name.at));
                    Ok(())
                }),
                _ => reader.list(&mut |reader| self.add_grant(reader, place, &mut grants)),
            });
            members.map(drop)
        };
        // Also if reading ends in it: a role that ships has what a table knows.
        let name = (*name.text).into();
        let role = Role { name, grants: grants.into(), includes: includes.into() };
        put(&mut self.policy.roles, place, role, Role::default);
        whole
    }

    fn add_grant(&mut self, reader: &mut Reader<'_>, role: usize, grants: &mut Vec<Grant>) -> Go {
        self.count(reader)?;
        let Self { policy: Policy { tables, .. }, numbers, warnings, .. } = self;
        let mut platforms = 0_usize;
        let at = reader.map(&mut |reader, platform| {
            platforms = platforms.saturating_add(1);
            let is_known = tables.iter().any(|table| table.name() == platform.text);
            // A role that ships is for a platform that need not be there.
            if platforms > 1 || self.is_shipped && !is_known {
                return reader.skip();
            }
            let scope = scope(reader, tables, numbers, warnings, platform, For::Grant)?;
            if let Some(scope) = scope {
                numbers.own(Owner::Role(role, grants.len()));
                grants.push(Grant { scope });
            }
            Ok(())
        })?;
        match at {
            Some(at) if platforms != 1 => {
                reader.fault(at, "a grant is of one platform, such as \"- kafka: { ... }\"")
            }
            _ => Ok(()),
        }
    }

    fn rule_name(&mut self, reader: &mut Reader<'_>) -> Go<Option<Arc<str>>> {
        let Some(name) = reader.name()? else { return Ok(None) };
        if name.text == DEFAULT {
            let text = "\"default\" is the rule of what no binding holds: choose another name";
            reader.fault(name.at, text)?;
            return Ok(Some(DEFAULT.into()));
        }
        let number = self.rule_names.number(&name.text);
        match self.rule_names_at.get_mut(number) {
            None => self.rule_names_at.push(name.at),
            Some(at) => {
                let line = core::mem::replace(at, name.at).line;
                let text = format!("the rule \"{}\" is in line {line} as well", name.text);
                reader.fault(name.at, text)?;
            }
        }
        Ok(Some((*name.text).into()))
    }

    fn add_binding(&mut self, reader: &mut Reader<'_>) -> Go {
        self.count(reader)?;
        let (mut name, mut role, mut dry_run) = (None, None, false);
        let (mut subjects, mut conditions) = (Subjects::default(), Conditions::default());
        let mut has_subjects = false;
        let at = reader.members("a binding", &BINDING, &mut |reader, field, _| {
            match field {
                Field::Name => name = self.rule_name(reader)?,
                Field::Role => {
                    role = reader.name()?.map(|name| self.roles.used(&name.text, name.at));
                }
                Field::DryRun => dry_run = reader.truth()?,
                Field::Services | Field::Groups => {
                    has_subjects = true;
                    self.add_subjects(reader, &mut subjects, field)?;
                }
                condition => condition::condition(reader, &mut conditions, condition)?,
            }
            Ok(())
        })?;
        let Some(at) = at else { return Ok(()) };
        if !has_subjects {
            reader.fault(at, "a binding says whom it is for: services or groups")?;
        }
        let conditions = self.conditions(conditions, at);
        if let (Some(name), Some(role)) = (name, role) {
            self.policy.bindings.push(Binding { name, role, subjects, conditions, dry_run });
        }
        Ok(())
    }

    fn add_denial(&mut self, reader: &mut Reader<'_>) -> Go {
        self.count(reader)?;
        let (mut name, mut scopes, mut dry_run) = (None, Vec::new(), false);
        let (mut subjects, mut unless) = (Subjects::default(), Subjects::default());
        let mut conditions = Conditions::default();
        let at = reader.map(&mut |reader, member| {
            let field = DENIAL.iter().find(|row| row.name == member.text).map(|row| row.field);
            match field {
                Some(Field::Name) => name = self.rule_name(reader)?,
                Some(Field::DryRun) => dry_run = reader.truth()?,
                Some(field @ (Field::Services | Field::Groups)) => {
                    self.add_subjects(reader, &mut subjects, field)?;
                }
                Some(Field::UnlessServices) => {
                    self.add_subjects(reader, &mut unless, Field::Services)?;
                }
                Some(Field::UnlessGroups) => {
                    self.add_subjects(reader, &mut unless, Field::Groups)?;
                }
                Some(condition) => condition::condition(reader, &mut conditions, condition)?,
                None => {
                    let Self { policy: Policy { tables, .. }, numbers, warnings, .. } = &mut *self;
                    if tables.iter().any(|table| table.name() == member.text) {
                        let what = For::Denial;
                        scopes.push(scope(reader, tables, numbers, warnings, member, what)?);
                        return Ok(());
                    }
                    let words = DENIAL.iter().map(|row| row.name);
                    let words = words.chain(tables.iter().map(|table| table.name()));
                    let near = nearest(&member.text, words);
                    let text = format!("a denial has no \"{}\"{near}", member.text);
                    reader.fault(member.at, text)?;
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        let Some(at) = at else { return Ok(()) };
        if name.is_none() {
            reader.fault(at, "a denial lacks \"name\"")?;
        }
        if scopes.len() != 1 {
            reader.fault(at, "a denial is of one platform, such as \"kafka: { ... }\"")?;
        }
        let conditions = self.conditions(conditions, at);
        if let (Some(name), Some(scope)) = (name, scopes.pop().flatten()) {
            self.numbers.own(Owner::Denial(self.policy.denials.len()));
            self.denials.push(at);
            let denial = Denial { name, subjects, unless, scope, conditions, dry_run };
            self.policy.denials.push(denial);
        }
        Ok(())
    }

    /// The conditions of a rule, which those without any share. Warns of times that never hold.
    fn conditions(&mut self, conditions: Conditions, at: At) -> Arc<Conditions> {
        let Conditions { from, until, .. } = &conditions;
        if from.zip(*until).is_some_and(|(from, until)| from >= until) {
            self.warnings.push(Fault::new(at, "its time ends before it begins: it never holds"));
        }
        match conditions == *self.unconditional {
            true => Arc::clone(&self.unconditional),
            false => conditions.into(),
        }
    }

    /// The name of an issuer that is met at `at`.
    pub(super) fn issuer(&mut self, name: &str, at: At) -> Arc<str> {
        if let Some((known, _)) = self.issuers.get_key_value(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.issuers.insert(Arc::clone(&new), at);
        new
    }

    fn add_subjects(&mut self, reader: &mut Reader<'_>, to: &mut Subjects, field: Field) -> Go {
        let mut places = Vec::new();
        if field == Field::Services {
            reader.names(&mut |_, name| {
                places.push(self.services.used(&name.text, name.at));
                Ok(())
            })?;
            to.services = places.into();
            return Ok(());
        }
        reader.names(&mut |reader, name| {
            if name.text.contains('/') {
                let Some((issuer, group)) = issuer_group(&name) else {
                    return reader.fault(name.at, "a group of an issuer is ISSUER/GROUP");
                };
                if let Some(place) = self.groups.given(&name.text, name.at) {
                    let member = IssuerGroup { issuer: self.issuer(issuer, name.at), group };
                    let group = Group { name: Box::default(), members: vec![member].into() };
                    put(&mut self.policy.groups, place, group, Group::default);
                }
            }
            places.push(self.groups.used(&name.text, name.at));
            Ok(())
        })?;
        to.groups = places.into();
        Ok(())
    }
}

/// Limits are read, and refused until they exist.
fn add_limit(reader: &mut Reader<'_>) -> Go {
    let at = reader.at()?;
    reader.members("a limit", &LIMIT, &mut |reader, _, _| reader.name().map(drop))?;
    reader.fault(at, "limits by role are not built yet: use mesh_limit, and remove this")
}

/// Puts an item in its place, with empty ones before it.
pub(super) fn put<T>(list: &mut Vec<T>, place: usize, item: T, empty: fn() -> T) {
    while list.len() <= place {
        list.push(empty());
    }
    if let Some(slot) = list.get_mut(place) {
        *slot = item;
    }
}

/// An issuer and its own group: what is behind the first slash.
pub(super) fn issuer_group<'w>(word: &'w Word<'_>) -> Option<(&'w str, Box<str>)> {
    let (issuer, group) = word.text.split_once('/')?;
    let is_whole = !issuer.is_empty() && !group.is_empty();
    is_whole.then(|| (issuer, group.into()))
}
