//! The sections of a document.

use std::collections::HashMap;
use std::sync::Arc;

use super::node::{At, Fault, Node, Value, Word};
use super::resolve::{self, nearest};
use super::{MAX_FAULTS, MAX_RULES, Read, each_item, each_member, each_section};
use crate::platform::kind::KindId;
use crate::platform::table::Table;
use crate::policy::model::{
    Binding, Conditions, Denial, Grant, Group, IssuerGroup, Policy, Role, Service, ServiceLine,
    Subjects,
};

/// The sections, in the order of the manual.
const SECTIONS: [&str; 8] =
    ["version", "names", "services", "groups", "roles", "bindings", "deny", "limits"];

/// Names in the policy for what a platform numbers: of one kind.
pub(super) type Numbers = HashMap<(usize, KindId), Vec<(Box<str>, Box<str>)>>;

/// What was read so far.
pub(super) struct Sections {
    pub(super) policy: Policy,
    pub(super) services: HashMap<Box<str>, usize>,
    pub(super) groups: HashMap<Box<str>, usize>,
    pub(super) roles: HashMap<Box<str>, usize>,
    pub(super) numbers: Numbers,
    /// Of each role: the roles that it includes, and the place of its name.
    includes: Vec<(Vec<usize>, At)>,
    is_granted: Vec<bool>,
    rule_names: HashMap<Box<str>, At>,
    rules: usize,
    shipped: usize,
    has_version: bool,
    faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Sections {
    pub(super) fn new(tables: &[Arc<Table>]) -> Self {
        Self {
            policy: Policy { tables: tables.to_vec(), ..Policy::default() },
            services: HashMap::new(),
            groups: HashMap::new(),
            roles: HashMap::new(),
            numbers: HashMap::new(),
            includes: Vec::new(),
            is_granted: Vec::new(),
            rule_names: HashMap::new(),
            rules: 0,
            shipped: 0,
            has_version: false,
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What was read until now ships with the product.
    pub(super) fn set_shipped(&mut self) {
        self.shipped = self.policy.roles.len();
        self.has_version = false;
    }

    /// Reads the names of everything.
    pub(super) fn add_names(&mut self, text: &str) -> Result<(), Fault> {
        each_section(text, &mut |name, events| match name.name()? {
            "version" => {
                let (event, at) = events.next()?;
                let node = events.value(event, at)?;
                self.has_version = true;
                let is_one = node.word().is_ok_and(|word| word.text == "1" && !word.is_quoted);
                self.keep(if is_one {
                    Ok(())
                } else {
                    Err(Fault::new(at, "this product reads version 1"))
                })
            }
            "names" => each_member(events, &mut |platform, node| {
                let added = self.add_numbers(&platform, &node);
                self.keep(added)
            }),
            "services" => each_member(events, &mut |name, node| {
                let added = self.add_service(&name, &node);
                self.keep(added)
            }),
            "groups" => each_member(events, &mut |name, node| {
                let added = self.add_group(&name, &node);
                self.keep(added)
            }),
            "roles" => each_member(events, &mut |name, _| {
                let added = self.add_role(&name);
                self.keep(added)
            }),
            "bindings" | "deny" | "limits" => events.skip(),
            other => {
                let near = nearest(other, SECTIONS.into_iter());
                let fault =
                    Fault::new(name.at, format!("a policy has no section \"{other}\"{near}"));
                events.skip()?;
                self.keep(Err(fault))
            }
        })
    }

    /// Reads roles, bindings and denials.
    pub(super) fn add_rules(&mut self, text: &str) -> Result<(), Fault> {
        each_section(text, &mut |name, events| match &*name.text {
            "roles" => each_member(events, &mut |name, node| {
                let added = self.add_grants(&name, &node);
                self.keep(added)
            }),
            "bindings" => each_item(events, &mut |node| {
                let added = self.add_binding(&node);
                self.keep(added)
            }),
            "deny" => each_item(events, &mut |node| {
                let added = self.add_denial(&node);
                self.keep(added)
            }),
            "limits" => each_item(events, &mut |node| {
                self.keep(Err(Fault::new(
                    node.at,
                    "limits by role are not built yet: use mesh_limit, and remove this",
                )))
            }),
            _ => events.skip(),
        })
    }

    /// The policy, if nothing is wrong; `read` is what ended the reading.
    pub(super) fn finish(mut self, read: Result<(), Fault>) -> Result<Read, Vec<Fault>> {
        if !self.has_version && read.is_ok() {
            let at = At { line: 1, column: 1 };
            self.faults.push(Fault::new(at, "the policy does not say \"version: 1\""));
        }
        self.faults.extend(read.err());
        self.include();
        self.warn();
        let Self { policy, mut faults, warnings, .. } = self;
        faults.sort_by_key(|fault| (fault.at.line, fault.at.column));
        faults.truncate(MAX_FAULTS);
        if faults.is_empty() { Ok(Read { policy, warnings }) } else { Err(faults) }
    }

    /// Goes on after a fault, unless there are too many.
    fn keep(&mut self, result: Result<(), Fault>) -> Result<(), Fault> {
        let Err(fault) = result else { return Ok(()) };
        if self.faults.len() >= MAX_FAULTS {
            return Err(fault);
        }
        self.faults.push(fault);
        Ok(())
    }

    fn count(&mut self, at: At) -> Result<(), Fault> {
        self.rules = self.rules.saturating_add(1);
        if self.rules > MAX_RULES {
            Err(Fault::new(at, "there are more than 1,000,000 rules"))
        } else {
            Ok(())
        }
    }

    fn add_numbers(&mut self, platform: &Word<'_>, node: &Node<'_>) -> Result<(), Fault> {
        let (place, table) = resolve::platform(&self.policy.tables, platform)?;
        for (plural, names) in node.map()? {
            let (kind, form) = resolve::kind(&table, plural)?;
            if form != crate::platform::name::Form::Number {
                return Err(Fault::new(
                    plural.at,
                    format!("\"{}\" have names of their own", plural.text),
                ));
            }
            for (name, number) in names.map()? {
                let text = name.name()?;
                if text.bytes().all(|byte| byte.is_ascii_digit()) || text.contains('*') {
                    return Err(Fault::new(
                        name.at,
                        "a name is not of digits alone, and has no asterisk",
                    ));
                }
                let word = number.word()?;
                let normal = form.normal(&word.text).ok().flatten();
                let normal = normal.ok_or_else(|| {
                    Fault::new(word.at, "this is a number, without a leading zero")
                })?;
                self.numbers.entry((place, kind)).or_default().push((text.into(), normal.into()));
            }
        }
        Ok(())
    }

    fn add_service(&mut self, name: &Word<'_>, node: &Node<'_>) -> Result<(), Fault> {
        let mut lines = Vec::new();
        for line in node.list()? {
            let (mut spiffe, mut issuer, mut service) = (None, None, None);
            for (member, value) in line.map()? {
                let place = match &*member.text {
                    "spiffe" => &mut spiffe,
                    "issuer" => &mut issuer,
                    "service" => &mut service,
                    other => {
                        let near = nearest(other, ["spiffe", "issuer", "service"].into_iter());
                        return Err(Fault::new(
                            member.at,
                            format!("a service has no \"{other}\"{near}"),
                        ));
                    }
                };
                *place = Some(Box::<str>::from(value.name()?));
            }
            let token = match (issuer, service) {
                (Some(issuer), Some(service)) => Some((issuer, service)),
                (None, None) => None,
                _ => return Err(Fault::new(line.at, "\"issuer\" and \"service\" stand together")),
            };
            if spiffe.as_deref().is_some_and(|id| !id.starts_with("spiffe://")) {
                return Err(Fault::new(line.at, "a SPIFFE ID begins with \"spiffe://\""));
            }
            if spiffe.is_none() && token.is_none() {
                return Err(Fault::new(
                    line.at,
                    "a line says \"spiffe\", or \"issuer\" and \"service\"",
                ));
            }
            lines.push(ServiceLine { spiffe, token });
        }
        let text = name.name()?;
        self.services.insert(text.into(), self.policy.services.len());
        self.policy.services.push(Service { name: text.into(), lines });
        Ok(())
    }

    fn add_group(&mut self, name: &Word<'_>, node: &Node<'_>) -> Result<(), Fault> {
        let text = name.name()?;
        if text.contains('/') {
            return Err(Fault::new(
                name.at,
                "the name of a group has no slash: that is an issuer's own",
            ));
        }
        let members = node.list()?.iter().map(issuer_group).collect::<Result<_, _>>()?;
        self.groups.insert(text.into(), self.policy.groups.len());
        self.policy.groups.push(Group { name: text.into(), members });
        Ok(())
    }

    fn add_role(&mut self, name: &Word<'_>) -> Result<(), Fault> {
        let text = name.name()?;
        if self.roles.insert(text.into(), self.policy.roles.len()).is_some() {
            return Err(Fault::new(name.at, format!("the role \"{text}\" ships with the product")));
        }
        self.policy.roles.push(Role {
            name: text.into(),
            grants: Vec::new(),
            includes: Vec::new(),
        });
        self.includes.push((Vec::new(), name.at));
        self.is_granted.push(false);
        Ok(())
    }

    fn add_grants(&mut self, name: &Word<'_>, node: &Node<'_>) -> Result<(), Fault> {
        let Some(place) = self.roles.get(&*name.text).copied() else { return Ok(()) };
        let mut items: &[Node<'_>] = &[];
        match &node.value {
            Value::Map(members) => {
                for (member, value) in members {
                    match &*member.text {
                        "include" => {
                            for role in value.list()? {
                                let included = self.role(role)?;
                                if let Some((includes, _)) = self.includes.get_mut(place) {
                                    includes.push(included);
                                }
                            }
                        }
                        "grants" => items = value.list()?,
                        other => {
                            let near = nearest(other, ["include", "grants"].into_iter());
                            return Err(Fault::new(
                                member.at,
                                format!("a role has no \"{other}\"{near}"),
                            ));
                        }
                    }
                }
            }
            _ => items = node.list()?,
        }
        let is_shipped = place < self.shipped;
        for item in items {
            self.count(item.at)?;
            let [(platform, what)] = item.map()? else {
                return Err(Fault::new(
                    item.at,
                    "a grant is of one platform, such as \"- kafka: { ... }\"",
                ));
            };
            let has_table = self.policy.tables.iter().any(|table| table.name() == &*platform.text);
            // A role that ships is for a platform that need not be there.
            if is_shipped && !has_table {
                continue;
            }
            let scope = resolve::scope(self, platform, what, resolve::For::Grant)?;
            if let Some(role) = self.policy.roles.get_mut(place) {
                role.grants.push(Grant { scope });
            }
        }
        Ok(())
    }

    fn role(&self, node: &Node<'_>) -> Result<usize, Fault> {
        let name = node.name()?;
        self.roles.get(name).copied().ok_or_else(|| {
            let near = nearest(name, self.roles.keys().map(|name| &**name));
            Fault::new(node.at, format!("there is no role \"{name}\"{near}"))
        })
    }

    fn rule_name(&mut self, node: &Node<'_>) -> Result<Box<str>, Fault> {
        let name = node.name()?;
        if name == crate::policy::plain::DEFAULT {
            return Err(Fault::new(
                node.at,
                "\"default\" is the rule of what no binding holds: choose another name",
            ));
        }
        if let Some(other) = self.rule_names.insert(name.into(), node.at) {
            return Err(Fault::new(
                node.at,
                format!("the rule \"{name}\" is in line {} as well", other.line),
            ));
        }
        Ok(name.into())
    }

    fn add_binding(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.count(node.at)?;
        let (mut name, mut role, mut dry_run) = (None, None, false);
        let (mut subjects, mut conditions) = (Subjects::default(), Conditions::default());
        for (member, value) in node.map()? {
            match &*member.text {
                "name" => name = Some(self.rule_name(value)?),
                "role" => role = Some(self.role(value)?),
                "dry_run" => dry_run = value.truth()?,
                "services" => self.add_services(&mut subjects, value)?,
                "groups" => self.add_groups(&mut subjects, value)?,
                other => resolve::condition(&mut conditions, member, value, &|| {
                    let near = nearest(other, BINDING.into_iter());
                    format!("a binding has no \"{other}\"{near}")
                })?,
            }
        }
        let role = role.ok_or_else(|| Fault::new(node.at, "a binding has a role"))?;
        if subjects.is_empty() {
            return Err(Fault::new(node.at, "a binding says whom it is for: services or groups"));
        }
        if let Some(is_granted) = self.is_granted.get_mut(role) {
            *is_granted = true;
        }
        let name = name.ok_or_else(|| {
            Fault::new(node.at, "a binding has a name, which decisions are told by")
        })?;
        self.policy.bindings.push(Binding { name, role, subjects, conditions, dry_run });
        Ok(())
    }

    fn add_denial(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.count(node.at)?;
        let (mut name, mut scope, mut dry_run) = (None, None, false);
        let (mut subjects, mut unless) = (Subjects::default(), Subjects::default());
        let mut conditions = Conditions::default();
        for (member, value) in node.map()? {
            match &*member.text {
                "name" => name = Some(self.rule_name(value)?),
                "dry_run" => dry_run = value.truth()?,
                "services" => self.add_services(&mut subjects, value)?,
                "groups" => self.add_groups(&mut subjects, value)?,
                "unless_services" => self.add_services(&mut unless, value)?,
                "unless_groups" => self.add_groups(&mut unless, value)?,
                platform if self.policy.tables.iter().any(|table| table.name() == platform) => {
                    if scope.is_some() {
                        return Err(Fault::new(member.at, "a denial is of one platform"));
                    }
                    scope = Some(resolve::scope(self, member, value, resolve::For::Denial)?);
                }
                other => resolve::condition(&mut conditions, member, value, &|| {
                    let tables = self.policy.tables.iter().map(|table| table.name());
                    let near = nearest(other, DENIAL.into_iter().chain(tables));
                    format!("a denial has no \"{other}\"{near}")
                })?,
            }
        }
        let scope = scope.ok_or_else(|| {
            Fault::new(node.at, "a denial says what it is about, such as \"kafka: { ... }\"")
        })?;
        let name = name.ok_or_else(|| {
            Fault::new(node.at, "a denial has a name, which decisions are told by")
        })?;
        self.policy.denials.push(Denial { name, subjects, unless, scope, conditions, dry_run });
        Ok(())
    }

    fn add_services(&self, subjects: &mut Subjects, node: &Node<'_>) -> Result<(), Fault> {
        for service in node.list()? {
            let name = service.name()?;
            let place = self.services.get(name).copied().ok_or_else(|| {
                let near = nearest(name, self.services.keys().map(|name| &**name));
                Fault::new(service.at, format!("there is no service \"{name}\"{near}"))
            })?;
            subjects.services.push(place);
        }
        Ok(())
    }

    fn add_groups(&mut self, subjects: &mut Subjects, node: &Node<'_>) -> Result<(), Fault> {
        for group in node.list()? {
            let name = group.name()?;
            if name.contains('/') && !self.groups.contains_key(name) {
                let member = issuer_group(group)?;
                self.groups.insert(name.into(), self.policy.groups.len());
                self.policy.groups.push(Group { name: name.into(), members: vec![member] });
            }
            let place = self.groups.get(name).ok_or_else(|| {
                let near = nearest(name, self.groups.keys().map(|name| &**name));
                Fault::new(
                    group.at,
                    format!("there is no group \"{name}\"{near}; an issuer's own is ISSUER/GROUP"),
                )
            })?;
            subjects.groups.push(*place);
        }
        Ok(())
    }

    /// Finds circles, and which roles are granted by those that include them.
    fn include(&mut self) {
        for place in 0..self.policy.roles.len() {
            let includes = self.includes.get(place).map(|(it, _)| it.clone()).unwrap_or_default();
            if let Some(role) = self.policy.roles.get_mut(place) {
                role.includes = includes;
            }
        }
        let mut state = vec![0_u8; self.policy.roles.len()];
        for start in 0..self.policy.roles.len() {
            let mut path = vec![(start, 0_usize)];
            while let Some((place, next)) = path.last_mut() {
                let place = *place;
                if *next == 0 && state.get(place).copied().unwrap_or(2) == 2 {
                    path.pop();
                    continue;
                }
                if let Some(it) = state.get_mut(place) {
                    *it = 1;
                }
                let included =
                    self.policy.roles.get(place).and_then(|it| it.includes.get(*next)).copied();
                *next = next.saturating_add(1);
                match included {
                    None => {
                        if let Some(it) = state.get_mut(place) {
                            *it = 2;
                        }
                        path.pop();
                    }
                    Some(other) => {
                        if let Some(is_granted) = self.is_granted.get_mut(other) {
                            *is_granted = true;
                        }
                        if state.get(other) == Some(&1) {
                            let at =
                                self.includes.get(other).map_or_else(At::default, |(_, at)| *at);
                            let name = self.policy.roles.get(other).map_or("", |it| &*it.name);
                            self.faults.push(Fault::new(
                                at,
                                format!(
                                    "the role \"{name}\" includes itself, by itself or by another"
                                ),
                            ));
                        } else {
                            path.push((other, 0));
                        }
                    }
                }
            }
        }
    }

    fn warn(&mut self) {
        let roles =
            self.policy.roles.iter().zip(&self.is_granted).zip(&self.includes).skip(self.shipped);
        for ((role, is_granted), (_, at)) in roles {
            if !is_granted {
                self.warnings
                    .push(Fault::new(*at, format!("no binding grants the role \"{}\"", role.name)));
            }
        }
    }
}

/// The members of a binding, beside the conditions.
const BINDING: [&str; 9] =
    ["name", "role", "services", "groups", "from", "until", "addresses", "claims", "dry_run"];

/// The members of a denial, beside the platform.
const DENIAL: [&str; 10] = [
    "name",
    "services",
    "groups",
    "unless_services",
    "unless_groups",
    "from",
    "until",
    "addresses",
    "claims",
    "dry_run",
];

/// An issuer's own group: what is behind the first slash is the group.
fn issuer_group(node: &Node<'_>) -> Result<IssuerGroup, Fault> {
    let name = node.name()?;
    let parts =
        name.split_once('/').filter(|(issuer, group)| !issuer.is_empty() && !group.is_empty());
    let (issuer, group) =
        parts.ok_or_else(|| Fault::new(node.at, "a group of an issuer is ISSUER/GROUP"))?;
    Ok(IssuerGroup { issuer: issuer.into(), group: group.into() })
}
