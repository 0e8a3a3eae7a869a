//! `meshctl policy suggest`: the policy that permits what was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::case;
use crate::{Verdict, error::Failure, output};

/// Write the smallest policy that permits the cases of a file: a document to edit
///
/// Each service gets a role of its own, which holds the names and actions that it asked for and no other.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  meshctl policy suggest cases.jsonl > policy.yaml

A case is a line of JSON as for `explain --cases`. Of a case without a name, or without a service, standard output says so in a
comment.
Exit status: 0 done, 2 usage or file error.")]
pub(crate) struct Suggest {
    /// The cases, one JSON object a line
    #[arg(value_name = "LOG")]
    cases: PathBuf,
}

/// What a service asked for: of each platform, each kind's plural and each set of actions, the names.
type Asked = BTreeMap<(String, String), BTreeMap<String, BTreeSet<String>>>;

impl Suggest {
    /// Prints the policy.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let mut services: BTreeMap<String, Asked> = BTreeMap::new();
        let mut notes = Vec::new();
        case::each(&self.cases, mesh_control::now(), &mut |line, case| {
            let number = line.number;
            let identity = line.value.get("identity").unwrap_or(&Value::Null);
            let Some(service) = identified(identity) else {
                notes.push(format!("line {number} has no service that a policy could name"));
                return Ok(());
            };
            let asked = services.entry(service).or_default();
            let refused = case.named(&mut |it| {
                // What a policy would read as a pattern is not what was asked for.
                if let Some(name) = it.name.filter(|name| name.contains('*')) {
                    notes.push(format!("line {number}: no pattern is the name {name:?} alone"));
                    return;
                }
                let names = asked.entry((it.platform.into(), it.plural.into())).or_default();
                names.entry(it.name.unwrap_or("*").into()).or_default().insert(it.action.into());
            });
            notes.extend(refused.map(|word| format!("line {number} has no name: {word}")));
            Ok(())
        })?;
        services.retain(|_, asked| !asked.is_empty());
        for line in document(&services, &notes) {
            output::line(&line)?;
        }
        Ok(Verdict::Accepted)
    }
}

/// The line of a service that identifies who asks.
fn identified(identity: &Value) -> Option<String> {
    let text = |name: &str| identity.get(name).and_then(Value::as_str);
    if let (Some(issuer), Some(service)) = (text("issuer"), text("service")) {
        return Some(format!("{{ issuer: {}, service: {} }}", quoted(issuer), quoted(service)));
    }
    let is_principal = |id: &&str| text("principal").is_none_or(|principal| principal == *id);
    text("spiffe_id").filter(is_principal).map(|id| format!("{{ spiffe: {} }}", quoted(id)))
}

/// A text of YAML and of JSON.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn document(services: &BTreeMap<String, Asked>, notes: &[String]) -> Vec<String> {
    let mut lines = vec!["version: 1".to_owned()];
    lines.extend(notes.iter().map(|note| format!("# {note}")));
    let named = || {
        (1_usize..)
            .zip(services)
            .map(|(number, (line, asked))| (format!("service-{number}"), line, asked))
    };
    if services.is_empty() {
        return lines;
    }
    lines.push("services:".into());
    lines.extend(named().map(|(name, line, _)| format!("  {name}: [ {line} ]")));
    lines.push("roles:".into());
    for (name, _, asked) in named() {
        lines.push(format!("  {name}:"));
        for ((platform, plural), names) in asked {
            // What all of a kind may be done with need not be said of each name.
            let all = names.get("*").cloned().unwrap_or_default();
            let mut by_actions: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
            for (name, actions) in names {
                let actions: Vec<&str> = actions
                    .iter()
                    .filter(|action| name == "*" || !all.contains(*action))
                    .map(String::as_str)
                    .collect();
                if !actions.is_empty() {
                    by_actions.entry(actions).or_default().push(name);
                }
            }
            for (actions, names) in by_actions {
                let names: Vec<String> = names.into_iter().map(quoted).collect();
                let (names, actions) = (names.join(", "), actions.join(", "));
                lines.push(format!(
                    "    - {platform}: {{ {plural}: [{names}], actions: [{actions}] }}"
                ));
            }
        }
    }
    lines.push("bindings:".into());
    lines.extend(
        named()
            .map(|(name, ..)| format!("  - {{ name: {name}, role: {name}, services: [{name}] }}")),
    );
    lines
}
