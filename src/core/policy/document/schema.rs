//! The JSON Schema of a policy, from the rows that are read.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::rows::{BINDING, DENIAL, Field, LIMIT, ROLE, Row, SCOPE, SECTIONS, SERVICE};
use crate::platform::kind::{Actions, Kind, Kinds};
use crate::platform::name::Form;
use crate::platform::table::Table;

/// The JSON Schema (draft 2020-12) of a policy for some platforms.
pub fn schema(tables: &[Arc<Table>]) -> Value {
    let mut schema = map(&SECTIONS, &|field| section(field, tables));
    let mut definitions = Map::new();
    definitions.insert("name".into(), name());
    definitions.insert("names".into(), list(&of("name")));
    let grants = tables.iter().map(|table| grant(table));
    definitions.insert("grant".into(), json!({ "oneOf": grants.collect::<Vec<_>>() }));
    for table in tables {
        definitions.insert(table.name().into(), scope(table));
    }
    if let Value::Object(members) = &mut schema {
        let head = [
            ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
            ("title", json!("A policy of ngx_http_mesh_module")),
            ("$defs", Value::Object(definitions)),
        ];
        members.extend(head.map(|(name, value)| (name.to_owned(), value)));
    }
    schema
}

/// A map of rows.
fn map(rows: &[Row], of: &dyn Fn(Field) -> Value) -> Value {
    let members = rows.iter().map(|row| {
        let mut member = of(row.field);
        if let Value::Object(member) = &mut member {
            member.insert("description".into(), row.doc.into());
        }
        (row.name.to_owned(), member)
    });
    let required: Vec<&str> = rows.iter().filter(|row| row.is_required).map(|it| it.name).collect();
    json!({
        "type": "object",
        "properties": members.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn section(field: Field, tables: &[Arc<Table>]) -> Value {
    match field {
        Field::Version => json!({ "const": 1 }),
        Field::Names => {
            let platforms =
                tables.iter().map(|table| (table.name().to_owned(), numbers(table.kinds())));
            json!({
                "type": "object",
                "properties": platforms.collect::<Map<_, _>>(),
                "additionalProperties": false,
            })
        }
        Field::Services => by_name(&list(&service())),
        Field::Groups => by_name(&list(&issuer_group())),
        Field::Roles => by_name(&json!({ "anyOf": [grants(), map(&ROLE, &member)] })),
        Field::Bindings => {
            let mut binding = map(&BINDING, &member);
            put(
                &mut binding,
                "anyOf",
                json!([{ "required": ["services"] }, { "required": ["groups"] }]),
            );
            json!({ "type": "array", "items": binding })
        }
        Field::Deny => {
            let mut denial = map(&DENIAL, &member);
            let platforms = tables.iter().map(|table| json!({ "required": [table.name()] }));
            put(&mut denial, "oneOf", platforms.collect());
            if let Some(Value::Object(members)) = denial.get_mut("properties") {
                let scopes = tables.iter().map(|table| (table.name().to_owned(), of(table.name())));
                members.extend(scopes);
            }
            json!({ "type": "array", "items": denial })
        }
        _ => json!({ "type": "array", "items": map(&LIMIT, &member), "maxItems": 0 }),
    }
}

/// The value of a member of a rule.
fn member(field: Field) -> Value {
    match field {
        Field::Name | Field::Role | Field::Issuer | Field::Service | Field::Rate | Field::Burst => {
            of("name")
        }
        Field::Spiffe => json!({ "type": "string", "pattern": "^spiffe://" }),
        Field::DryRun => json!({ "type": "boolean" }),
        Field::From | Field::Until => json!({ "type": "string", "format": "date-time" }),
        Field::Claims => json!({
            "type": "object",
            "propertyNames": { "pattern": "^/" },
            "additionalProperties": list(&json!({ "type": ["string", "number", "boolean"] })),
            "minProperties": 1,
        }),
        Field::Grants => grants(),
        Field::Include => json!({ "type": "array", "items": of("name") }),
        _ => of("names"),
    }
}

fn service() -> Value {
    let mut line = map(&SERVICE, &member);
    put(&mut line, "minProperties", json!(1));
    put(&mut line, "dependentRequired", json!({ "issuer": ["service"], "service": ["issuer"] }));
    line
}

fn grants() -> Value {
    json!({ "type": "array", "items": of("grant") })
}

/// A grant of one platform.
fn grant(table: &Table) -> Value {
    let name = table.name();
    let says_what =
        json!({ "anyOf": [{ "required": ["actions"] }, { "required": ["operations"] }] });
    json!({
        "type": "object",
        "properties": { name: { "allOf": [of(name), says_what] } },
        "required": [name],
        "additionalProperties": false,
    })
}

/// What a grant or a denial says of a platform.
fn scope(table: &Table) -> Value {
    let kinds = table.kinds();
    let mut scope = map(&SCOPE, &|field| match field {
        Field::Actions => {
            let all = kinds.iter().map(|(_, kind)| kind.actions).fold(Actions::NONE, Actions::and);
            let words = ["*"].into_iter().chain(kinds.words(all));
            list(&json!({ "enum": words.collect::<Vec<_>>() }))
        }
        _ => {
            let names: Vec<&str> = table.operation_names().collect();
            list(&json!({ "enum": names }))
        }
    });
    if let Some(Value::Object(members)) = scope.get_mut("properties") {
        members
            .extend(kinds.iter().map(|(_, kind)| (kind.plural.to_string(), patterns(kinds, kind))));
    }
    let plurals = kinds.iter().map(|(_, kind)| json!({ "required": [kind.plural] }));
    put(&mut scope, "anyOf", plurals.collect());
    scope
}

fn patterns(kinds: &Kinds, kind: &Kind) -> Value {
    let words: Vec<&str> = kinds.words(kind.actions).collect();
    let description =
        format!("Names of {}, or patterns; actions: {}.", kind.plural, words.join(", "));
    json!({ "allOf": [of("names")], "description": description })
}

/// Names for the numbers of each kind that has them.
fn numbers(kinds: &Kinds) -> Value {
    let number = json!({ "type": ["integer", "string"], "pattern": "^(0|[1-9][0-9]{0,19})$" });
    let numbered = kinds.iter().filter(|(_, kind)| kind.form == Form::Number);
    let members = numbered.map(|(_, kind)| (kind.plural.to_string(), by_name(&number)));
    json!({
        "type": "object",
        "properties": members.collect::<Map<_, _>>(),
        "additionalProperties": false,
    })
}

/// A name, which YAML may take for a number.
fn name() -> Value {
    json!({ "type": ["string", "number"], "minLength": 1 })
}

fn issuer_group() -> Value {
    json!({ "type": "string", "pattern": "^[^/]+/." })
}

fn by_name(value: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

fn list(item: &Value) -> Value {
    json!({ "type": "array", "items": item, "minItems": 1 })
}

fn of(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

fn put(schema: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = schema {
        members.insert(name.into(), value);
    }
}
