//! A case: who asks what of which platform, and what a policy says of it.

use core::net::IpAddr;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use mesh_core::platform::Platform;
use mesh_core::platform::operation::Operation;
use mesh_core::policy::plain::{self, Asked, Asks, Step};
use mesh_core::policy::{Policy, Subject, ask, asked};
use mesh_core::refusal::Reason;
use mesh_core::text::time::UnixTime;
use serde_json::{Value, json};

use super::identity;
use crate::input::{self, Line};
use crate::moment::parse_moment;
use crate::platform::matching::{Described, Unnamed};
use crate::{error::Failure, platform};

/// A case: who asks what of which platform, and when.
pub(super) struct Case {
    pub(super) identity: identity::Described,
    pub(super) platform: Rc<Platform>,
    pub(super) request: Described,
    pub(super) at: UnixTime,
    pub(super) address: Option<IpAddr>,
}

/// A resource in a policy's words.
pub(super) struct Named<'a> {
    pub(super) platform: &'a str,
    /// The plural of its kind.
    pub(super) plural: &'a str,
    pub(super) action: &'a str,
    /// None for all.
    pub(super) name: Option<&'a str>,
}

/// Gives each case of a file, which is a line of JSON, to `take`.
///
/// # Errors
/// If the file cannot be read, or a line describes no case; and as `take`.
pub(super) fn each(
    file: &Path,
    now: UnixTime,
    take: &mut dyn FnMut(&Line<'_>, &Case) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // A table is read once.
    let mut platforms: HashMap<String, Rc<Platform>> = HashMap::new();
    input::lines(file, &mut |line| {
        let word = line.text("platform").unwrap_or_default();
        let platform = match platforms.get(word) {
            Some(known) => Rc::clone(known),
            None => {
                let words: Vec<String> = word.split(' ').map(str::to_owned).collect();
                let platform = Rc::new(platform::of_words(&words)?);
                platforms.insert(word.to_owned(), Rc::clone(&platform));
                platform
            }
        };
        let case = Case::of_line(line, platform, now).map_err(|problem| line.invalid(problem))?;
        take(line, &case)
    })
}

impl Case {
    fn of_line(line: &Line<'_>, platform: Rc<Platform>, now: UnixTime) -> Result<Self, String> {
        let value = &line.value;
        let at = match value.get("at") {
            None | Some(Value::Null) => now,
            Some(Value::Number(secs)) => {
                UnixTime::from_secs(secs.as_i64().ok_or("\"at\" is in whole seconds")?)
            }
            Some(at) => parse_moment(at.as_str().unwrap_or_default())?,
        };
        let address = line.text("address").map(str::parse).transpose();
        Ok(Self {
            identity: identity::Described::of(value.get("identity").unwrap_or(&Value::Null))?,
            platform,
            request: Described::of_json(value)?,
            at,
            address: address.map_err(|_| "\"address\" is an IP address")?,
        })
    }

    /// What a policy says of the case.
    ///
    /// # Errors
    /// If no policy can be about the platform.
    pub(super) fn decide(&self, policy: &Policy) -> Result<Told, Failure> {
        match self.request.named(&self.platform, |_, operation| self.judge(policy, operation)) {
            Ok(told) => told,
            Err(unnamed) => Ok(Told::unnamed(unnamed)),
        }
    }

    /// Gives each resource that the case names to `take`; of a case without a name, the word of the refusal.
    pub(super) fn named(&self, take: &mut dyn FnMut(&Named<'_>)) -> Option<&'static str> {
        let named = self.request.named(&self.platform, |_, operation| {
            let kinds = operation.table.kinds();
            for it in operation.resources.iter() {
                let plural = kinds.get(it.kind).map_or("", |kind| &*kind.plural);
                take(&Named {
                    platform: operation.table.name(),
                    plural,
                    action: kinds.word(it.action),
                    name: it.name.as_deref(),
                });
            }
        });
        named.err().map(|unnamed| unnamed.word)
    }

    fn judge(&self, policy: &Policy, operation: &Operation<'_, '_>) -> Result<Told, Failure> {
        let table = operation.table;
        let place = policy.tables.iter().position(|known| known.name() == table.name());
        let place = place.ok_or_else(|| {
            Failure::Usage(format!("{}: a policy cannot be about this platform", table.name()))
        })?;
        let told = |subject: &Subject<'_>, asked: &Asked<'_>| {
            let resources = asked.resources;
            let decision = plain::decide(policy, subject, asked, self.at);
            let steps = plain::explain(policy, subject, asked, self.at);
            let kinds = table.kinds();
            let of_resource = |asks: &Asks<'_>| {
                let kind = kinds.get(asks.kind).map_or("", |kind| &*kind.name);
                format!("{kind}:{} {}", kinds.word(asks.action), asks.name.unwrap_or("*"))
            };
            Told {
                is_allowed: decision.verdict.is_allowed(),
                rule: Some(decision.verdict.rule().to_owned()),
                reason: if decision.verdict.is_allowed() { "" } else { "policy_denied" },
                rules: decision
                    .bindings
                    .iter()
                    .filter_map(|place| policy.bindings.get(*place))
                    .map(|binding| binding.name.to_string())
                    .chain([decision.verdict.rule().to_owned()])
                    .collect(),
                detail: None,
                operation: operation.name().to_owned(),
                resources: resources.iter().map(of_resource).collect(),
                noted: decision.noted.iter().map(|rule| (*rule).to_owned()).collect(),
                steps: steps.iter().map(|step| shown_step(step, resources, &of_resource)).collect(),
            }
        };
        let asked = asked(operation, place);
        Ok(self.identity.with(self.address, |subject| {
            ask(asked, &operation.resources, |asked| told(subject, asked))
        }))
    }
}

fn shown_step(step: &Step<'_>, resources: &[Asks<'_>], of: &dyn Fn(&Asks<'_>) -> String) -> String {
    let what = if step.is_denial { "denial" } else { "binding" };
    let asks = resources.get(step.resource).map(of).unwrap_or_default();
    format!("{asks}: {what} \"{}\": {}", step.rule, step.why.text())
}

/// What a policy says of a case.
pub(super) struct Told {
    pub(super) is_allowed: bool,
    /// None if the request has no name.
    pub(super) rule: Option<String>,
    /// The word of the refusal; empty if there is none.
    reason: &'static str,
    /// Each rule that holds one of the resources, and the one that decides.
    pub(super) rules: Vec<String>,
    detail: Option<String>,
    operation: String,
    resources: Vec<String>,
    pub(super) noted: Vec<String>,
    steps: Vec<String>,
}

impl Told {
    fn unnamed(Unnamed { word, detail }: Unnamed) -> Self {
        Self { detail, ..Self::refused(word) }
    }

    /// Nobody asks: the token is refused.
    pub(super) fn of_token(reason: Reason, notes: &[String]) -> Self {
        let detail = notes.first().map_or_else(|| reason.meaning().to_owned(), Clone::clone);
        Self { detail: Some(detail), ..Self::refused(reason.word()) }
    }

    fn refused(reason: &'static str) -> Self {
        Self {
            is_allowed: false,
            rule: None,
            reason,
            rules: Vec::new(),
            detail: None,
            operation: String::new(),
            resources: Vec::new(),
            noted: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// The answer for machines.
    pub(super) fn json(&self) -> Value {
        json!({
            "decision": if self.is_allowed { "allowed" } else { "refused" },
            "rule": self.rule,
            "reason": Some(self.reason).filter(|reason| !reason.is_empty()),
            "operation": Some(&self.operation).filter(|name| !name.is_empty()),
            "resources": self.resources,
            "noted": self.noted,
        })
    }

    /// The answer for people.
    pub(super) fn shown(&self) -> String {
        let mut lines = Vec::new();
        match (&self.rule, self.is_allowed) {
            (Some(rule), true) => lines.push(format!("allowed by \"{rule}\"")),
            (Some(rule), false) => lines.push(format!("refused by \"{rule}\"")),
            (None, _) => lines.push(format!("refused: {}", self.reason)),
        }
        lines.extend(self.detail.iter().map(|detail| format!("  {detail}")));
        if !self.operation.is_empty() {
            lines.push(format!("  operation {}", self.operation));
        }
        lines.extend(self.resources.iter().map(|resource| format!("  resource {resource}")));
        lines.extend(
            self.noted.iter().map(|rule| format!("  in a dry run, \"{rule}\" decides otherwise")),
        );
        lines.extend(self.steps.iter().map(|step| format!("  {step}")));
        lines.join("\n")
    }
}
