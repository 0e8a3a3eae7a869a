//! The JSON Schema tells what is read.

use super::*;

#[test]
fn each_row_is_in_the_schema_with_its_text() {
    use super::super::rows::{BINDING, DENIAL, SECTIONS};

    let schema = schema(&TABLES);
    for (rows, place) in [
        (SECTIONS.as_slice(), ""),
        (&BINDING, "/properties/bindings/items"),
        (&DENIAL, "/properties/deny/items"),
    ] {
        for row in rows {
            let text = schema.pointer(&format!("{place}/properties/{}/description", row.name));
            assert_eq!(text.and_then(|it| it.as_str()), Some(row.doc), "{}", row.name);
        }
    }
    let kafka = schema.pointer("/$defs/kafka").unwrap();
    assert!(kafka.pointer("/properties/topics").is_some());
    let actions = kafka.pointer("/properties/actions/items/enum").unwrap().as_array().unwrap();
    assert!(actions.contains(&"*".into()) && actions.contains(&"produce".into()));
    assert!(!actions.contains(&"run".into()), "an action of another platform");
}

#[test]
fn each_reference_leads_to_a_definition() {
    let schema = schema(&TABLES);
    let text = schema.to_string();
    let references: Vec<&str> =
        text.split("\"#/$defs/").skip(1).filter_map(|it| it.split('"').next()).collect();
    assert!(references.len() > 10);
    for name in references {
        assert!(schema.pointer(&format!("/$defs/{name}")).is_some(), "{name}");
    }
}
