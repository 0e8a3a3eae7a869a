//! `meshctl policy test`, `diff` and `coverage`: what a policy says of many cases.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::case::{self, Told};
use crate::{Verdict, error::Failure, output};

/// Hold a policy to the decisions that its tests expect
///
/// A test is a case as for `explain --cases`, with "decision": "allowed" or "refused", and with
/// "rule" or "reason" if they matter.
#[derive(Args, Debug)]
#[command(after_help = "\
Example of a test, on one line:
  {\"name\": \"orders may produce\", \"identity\": {\"issuer\": \"okta\", \"service\": \"0oa1orders\"},
   \"platform\": \"kafka_rest\", \"method\": \"POST\", \"target\": \"/topics/orders.new\",
   \"decision\": \"allowed\", \"rule\": \"orders\"}

Exit status: 0 all hold, 1 some does not, 2 usage or file error.")]
pub(crate) struct Test {
    /// The policy
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// The tests, one JSON object a line
    #[arg(value_name = "TESTS")]
    tests: PathBuf,
}

/// Show which cases two policies decide in another way
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 there is none, 1 there is one, 2 usage or file error.")]
pub(crate) struct Diff {
    /// The policy as it is
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The policy as it would be
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// The cases, one JSON object a line, as for `explain --cases`
    #[arg(long, value_name = "FILE")]
    requests: PathBuf,
}

/// Show the rules of a policy that no test touches
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 each is touched, 1 some is not, 2 usage or file error.")]
pub(crate) struct Coverage {
    /// The policy
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// The tests, one JSON object a line
    #[arg(long, value_name = "TESTS")]
    tests: PathBuf,
}

impl Test {
    /// Prints each test that does not hold, and the counts.
    ///
    /// # Errors
    /// If a file cannot be read, or a test expects nothing.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let policy = super::read(&self.policy)?.policy;
        let (mut passed, mut failed) = (0_usize, 0_usize);
        case::each(&self.tests, mesh_control::now(), &mut |test, case| {
            let told = case.decide(&policy)?.json();
            if !matches!(test.text("decision"), Some("allowed" | "refused")) {
                return Err(test.invalid("\"decision\" is \"allowed\" or \"refused\""));
            }
            let expected = ["decision", "rule", "reason"]
                .into_iter()
                .filter(|name| test.value.get(*name).is_some());
            let told = |name: &str| told.get(name).and_then(Value::as_str);
            let wrong: Vec<&str> = expected.filter(|name| test.text(name) != told(name)).collect();
            if wrong.is_empty() {
                passed = passed.saturating_add(1);
                return Ok(());
            }
            failed = failed.saturating_add(1);
            let show = |name: &&str| {
                let (is, expected) = (told(name), test.text(name));
                format!(
                    "{name} is {}, expected {}",
                    is.unwrap_or("none"),
                    expected.unwrap_or("none")
                )
            };
            let name = test.text("name").map_or_else(String::new, |name| format!("{name}: "));
            let wrong = wrong.iter().map(show).collect::<Vec<_>>().join("; ");
            output::line(&format!("{test}: {name}{wrong}"))
        })?;
        output::line(&format!("{passed} passed, {failed} failed"))?;
        Ok(if failed == 0 { Verdict::Accepted } else { Verdict::Refused })
    }
}

impl Diff {
    /// Prints each case that is decided in another way, or by another rule.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let (old, new) = (super::read(&self.old)?.policy, super::read(&self.new)?.policy);
        let mut verdict = Verdict::Accepted;
        case::each(&self.requests, mesh_control::now(), &mut |line, asked| {
            let (before, after) = (asked.decide(&old)?, asked.decide(&new)?);
            if (before.is_allowed, &before.rule) == (after.is_allowed, &after.rule) {
                return Ok(());
            }
            verdict = Verdict::Refused;
            let show = |told: &Told| {
                let decision = if told.is_allowed { "allowed" } else { "refused" };
                format!("{decision} by {}", told.rule.as_deref().unwrap_or("its name"))
            };
            let request = &asked.request;
            output::line(&format!(
                "{line}: {} {}: {}, then {}",
                request.method,
                request.target,
                show(&before),
                show(&after)
            ))
        })?;
        Ok(verdict)
    }
}

impl Coverage {
    /// Prints each rule that decides no test, and the counts.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let policy = super::read(&self.policy)?.policy;
        let bindings = policy.bindings.iter().map(|rule| rule.name.to_string());
        let denials = policy.denials.iter().map(|rule| rule.name.to_string());
        let all: Vec<String> = bindings.chain(denials).collect();
        let mut touched = BTreeSet::new();
        case::each(&self.tests, mesh_control::now(), &mut |_, case| {
            let told = case.decide(&policy)?;
            touched.extend(told.rules);
            touched.extend(told.noted);
            Ok(())
        })?;
        let untouched: Vec<&String> = all.iter().filter(|rule| !touched.contains(*rule)).collect();
        for rule in &untouched {
            output::line(&format!("no test touches the rule \"{rule}\""))?;
        }
        let count = all.len().saturating_sub(untouched.len());
        output::line(&format!("{count} of {} rules are touched", all.len()))?;
        Ok(if untouched.is_empty() { Verdict::Accepted } else { Verdict::Refused })
    }
}
