//! The sections that give names: to numbers, services and groups.

use super::event::Word;
use super::fault::nearest;
use super::reader::{Go, Reader};
use super::rows::{Field, SERVICE};
use super::scope::kind;
use super::sections::{Sections, issuer_group, put};
use crate::platform::name::Form;
use crate::policy::model::{Group, IssuerGroup, Service, ServiceLine};

impl Sections {
    pub(super) fn add_numbers<'t>(&mut self, reader: &mut Reader<'t>, platform: &Word<'t>) -> Go {
        let tables = &self.policy.tables;
        let found = tables.iter().position(|table| table.name() == platform.text);
        let Some((place, table)) = found.and_then(|it| Some((it, tables.get(it)?))) else {
            let near = nearest(&platform.text, tables.iter().map(|table| table.name()));
            reader
                .fault(platform.at, format!("there is no platform \"{}\"{near}", platform.text))?;
            return reader.skip();
        };
        let names = &mut self.numbers.names;
        let each_kind = &mut |reader: &mut Reader<'t>, plural: &Word<'t>| {
            let kind = match kind(reader, table, plural)? {
                Some((kind, Form::Number)) => kind,
                Some(_) => {
                    let text = format!("\"{}\" have names of their own", plural.text);
                    reader.fault(plural.at, text)?;
                    return reader.skip();
                }
                None => return reader.skip(),
            };
            let names = names.entry((place, kind)).or_default();
            reader
                .map(&mut |reader, name| {
                    let text = &*name.text;
                    if text.bytes().all(|it| it.is_ascii_digit()) || text.contains('*') {
                        let text = "a name is not of digits alone, and has no asterisk";
                        reader.fault(name.at, text)?;
                    }
                    let (is_name, number) = (reader.check_name(name)?, reader.word()?);
                    let Some(number) = number.filter(|_| is_name) else { return Ok(()) };
                    match Form::Number.normal(&number.text) {
                        Ok(Some(number)) => drop(names.insert(text.into(), number.into())),
                        _ => reader.fault(number.at, "this is a number, without a leading zero")?,
                    }
                    Ok(())
                })
                .map(drop)
        };
        reader.map(each_kind).map(drop)
    }

    pub(super) fn add_service<'t>(&mut self, reader: &mut Reader<'t>, name: &Word<'t>) -> Go {
        reader.check_name(name)?;
        let mut lines = Vec::new();
        reader.filled(&mut |reader| {
            let mut members: [Option<Word<'t>>; 3] = [None, None, None];
            let at = reader.members("a line of a service", &SERVICE, &mut |reader, field, _| {
                let [spiffe, issuer, service] = &mut members;
                let place = match field {
                    Field::Spiffe => spiffe,
                    Field::Issuer => issuer,
                    _ => service,
                };
                *place = reader.name()?;
                Ok(())
            })?;
            let (Some(at), [spiffe, issuer, service]) = (at, members) else { return Ok(()) };
            if let Some(spiffe) = spiffe.as_ref().filter(|id| !id.text.starts_with("spiffe://")) {
                reader.fault(spiffe.at, "a SPIFFE ID begins with \"spiffe://\"")?;
            }
            if let Some(issuer) = &issuer {
                self.issuer(&issuer.text, issuer.at);
            }
            let token = match (issuer, service) {
                (Some(issuer), Some(service)) => {
                    Some(((*issuer.text).into(), (*service.text).into()))
                }
                (None, None) => None,
                _ => return reader.fault(at, "\"issuer\" and \"service\" stand together"),
            };
            let spiffe = spiffe.map(|id| (*id.text).into());
            if spiffe.is_none() && token.is_none() {
                return reader.fault(at, "a line says \"spiffe\", or \"issuer\" and \"service\"");
            }
            lines.push(ServiceLine { spiffe, token });
            Ok(())
        })?;
        if let Some(place) = self.services.given(&name.text, name.at) {
            let service = Service { name: (*name.text).into(), lines: lines.into() };
            put(&mut self.policy.services, place, service, Service::default);
        }
        Ok(())
    }

    pub(super) fn add_group<'t>(&mut self, reader: &mut Reader<'t>, name: &Word<'t>) -> Go {
        if reader.check_name(name)? && name.text.contains('/') {
            let text = "the name of a group has no slash: that is an issuer's own";
            reader.fault(name.at, text)?;
        }
        let mut members = Vec::new();
        reader.names(&mut |reader, word| {
            let Some((issuer, group)) = issuer_group(&word) else {
                return reader.fault(word.at, "a group of an issuer is ISSUER/GROUP");
            };
            members.push(IssuerGroup { issuer: self.issuer(issuer, word.at), group });
            Ok(())
        })?;
        if let Some(place) = self.groups.given(&name.text, name.at) {
            let group = Group { name: (*name.text).into(), members: members.into() };
            put(&mut self.policy.groups, place, group, Group::default);
        }
        Ok(())
    }
}
