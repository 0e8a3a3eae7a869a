//! The names of a request's resources.

use std::borrow::Cow;

use super::values::Values;
use crate::platform::Refused;
use crate::platform::kind::{ActionId, Kinds};
use crate::platform::name::{Form, Name};
use crate::platform::operation::{Resource, Resources};
use crate::platform::selector::{Clause, Joined, Missing, Selector, Source};

/// Finds the names of a request.
pub(super) struct Naming<'n, 'o> {
    pub(super) values: Values<'n>,
    pub(super) kinds: &'n Kinds,
    /// Those that were found so far.
    pub(super) resources: &'o mut Resources<'n>,
}

type Parts = [(Source, Missing)];

impl<'n> Naming<'n, '_> {
    /// Adds the resources of a clause.
    pub(super) fn clause(
        &mut self,
        clause: &'n Clause,
        action: ActionId,
    ) -> Result<(), Refused<'static>> {
        let values = &self.values;
        if let Some(when) = &clause.when
            && !values.is_there(when)?
        {
            return Ok(());
        }
        let kind = clause.kind;
        let form = self.kinds.get(kind).map_or(Form::Plain, |kind| kind.form);
        for selector in &clause.selectors {
            let resources = &mut *self.resources;
            let mut take = |name: Name<'n>| match resources.push(Resource { kind, action, name }) {
                true => Ok(()),
                false => Err(Refused::TooMany),
            };
            let (parts, joined, missing) = match selector {
                Selector::All => {
                    take(None)?;
                    continue;
                }
                Selector::Named { parts, joined, missing } => (parts.as_slice(), *joined, *missing),
            };
            let count = match (parts, joined) {
                ([(source, _)], _) => each(values, source, form, &mut take)?,
                (parts, Joined::Equal) => equal(values, parts, form, &mut take)?,
                (parts, Joined::By(separator)) => by(values, parts, separator, form, &mut take)?,
            };
            match missing {
                _ if count > 0 => {}
                Missing::Refused => return Err(Refused::Missing),
                Missing::Nothing => {}
                Missing::All => take(None)?,
            }
        }
        Ok(())
    }
}

/// Takes each value of a place; how many there are.
fn each<'n>(
    values: &Values<'n>,
    source: &'n Source,
    form: Form,
    take: &mut impl FnMut(Name<'n>) -> Result<(), Refused<'static>>,
) -> Result<usize, Refused<'static>> {
    let mut count = 0_usize;
    values.each(source, |value| {
        count = count.saturating_add(1);
        take(normal(form, value, values.is_dash(source))?)
    })?;
    Ok(count)
}

/// Takes the one name that each place gives that is there.
fn equal<'n>(
    values: &Values<'n>,
    parts: &'n Parts,
    form: Form,
    take: &mut impl FnMut(Name<'n>) -> Result<(), Refused<'static>>,
) -> Result<usize, Refused<'static>> {
    let mut known: Option<Name<'n>> = None;
    for (source, _) in parts {
        let Some(value) = values.only(source)? else { continue };
        let name = normal(form, value, values.is_dash(source))?;
        match &known {
            None => known = Some(name),
            Some(known) if *known == name => {}
            Some(_) => return Err(Refused::Ambiguous("one resource has two names")),
        }
    }
    known.map_or(Ok(0), |name| take(name).map(|()| 1))
}

/// Takes the name that its parts make.
fn by<'n>(
    values: &Values<'n>,
    parts: &'n Parts,
    separator: char,
    form: Form,
    take: &mut impl FnMut(Name<'n>) -> Result<(), Refused<'static>>,
) -> Result<usize, Refused<'static>> {
    let mut joined = String::new();
    let (mut is_cut, mut count) = (false, 0_usize);
    for (source, missing) in parts {
        let Some(value) = values.only(source)? else {
            if *missing == Missing::Refused {
                return Err(Refused::Missing);
            }
            is_cut = true;
            continue;
        };
        if is_cut {
            // A name without its head may be anywhere.
            return take(None).map(|()| 1);
        }
        // What spans segments begins with a slash of its own, and the table knows what it writes itself.
        let spans = separator == '/' && values.spans(source);
        let is_certain = spans || matches!(source, Source::Constant(_));
        // A part of several is not what the platform would read.
        if !is_certain && (value.is_empty() || value.contains(separator)) {
            return Err(Refused::Name);
        }
        if count > 0 && !spans {
            joined.push(separator);
        }
        joined.push_str(&value);
        count = count.saturating_add(1);
    }
    if count == 0 {
        return Ok(0);
    }
    take(normal(form, Cow::Owned(joined), false)?).map(|()| 1)
}

fn normal<'n>(
    form: Form,
    value: Cow<'n, str>,
    is_dash: bool,
) -> Result<Name<'n>, Refused<'static>> {
    if is_dash && value == "-" {
        return Ok(None);
    }
    match value {
        Cow::Borrowed(value) => form.normal(value).map_err(|_| Refused::Name),
        Cow::Owned(value) => {
            let name = form.normal(&value).map_err(|_| Refused::Name)?;
            Ok(name.map(|name| Cow::Owned(name.into_owned())))
        }
    }
}
