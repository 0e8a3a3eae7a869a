//! The conditions of a rule.

use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::reader::{Go, Reader};
use super::rows::Field;
use crate::claims::Requirement;
use crate::policy::model::{Conditions, Network};
use crate::text::time::UnixTime;

/// Reads one of the conditions.
pub(super) fn condition(reader: &mut Reader<'_>, conditions: &mut Conditions, field: Field) -> Go {
    match field {
        Field::From => conditions.from = time(reader)?,
        Field::Until => conditions.until = time(reader)?,
        Field::Addresses => addresses(reader, conditions)?,
        Field::Claims => claims(reader, conditions)?,
        _ => reader.skip()?,
    }
    Ok(())
}

fn addresses(reader: &mut Reader<'_>, conditions: &mut Conditions) -> Go {
    reader.names(&mut |reader, word| {
        match Network::parse(&word.text) {
            Some(network) => conditions.addresses.push(network),
            None => {
                let text = "this is an address or a network, such as 10.0.0.0/8, with the bits of \
                            hosts zero";
                reader.fault(word.at, text)?;
            }
        }
        Ok(())
    })
}

fn claims(reader: &mut Reader<'_>, conditions: &mut Conditions) -> Go {
    let mut is_empty = true;
    let at = reader.map(&mut |reader, pointer| {
        is_empty = false;
        let mut values = Vec::new();
        reader.filled(&mut |reader| {
            let Some(word) = reader.word()? else { return Ok(()) };
            let is_nothing = ["", "~", "null", "Null", "NULL"].contains(&&*word.text);
            if is_nothing && !word.is_quoted {
                return reader.fault(word.at, "this is no value: put it in quotes if it is one");
            }
            values.push(word);
            Ok(())
        })?;
        if !reader.check_name(pointer)? || values.is_empty() {
            return Ok(());
        }
        let words = values.iter().map(|word| &*word.text);
        let words: Vec<&str> = core::iter::once(&*pointer.text).chain(words).collect();
        match Requirement::parse(&words) {
            Ok(requirement) => conditions.claims.push(Arc::new(requirement)),
            Err(error) => reader.fault(pointer.at, format!("the claim {error}"))?,
        }
        Ok(())
    })?;
    match at {
        Some(at) if is_empty => reader.fault(at, "this map is empty: fill or remove it"),
        _ => Ok(()),
    }
}

fn time(reader: &mut Reader<'_>) -> Go<Option<UnixTime>> {
    let Some(word) = reader.word()? else { return Ok(None) };
    let found = OffsetDateTime::parse(&word.text, &Rfc3339).ok();
    let found = found.filter(|time| time.nanosecond() == 0);
    if found.is_none() {
        let text = "a time has whole seconds and an offset, such as 2026-01-01T00:00:00Z";
        reader.fault(word.at, text)?;
    }
    Ok(found.map(|time| UnixTime::from_secs(time.unix_timestamp())))
}
