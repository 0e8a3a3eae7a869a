//! `meshctl policy explain`: what a policy says of a request, and why.

use core::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use mesh_core::platform::Refused;
use mesh_core::platform::operation::Operation;
use mesh_core::policy::Policy;
use mesh_core::policy::plain::{self, Asked, Asks, Step};
use mesh_core::text::time::UnixTime;
use serde_json::{Value, json};

use super::identity;
use crate::moment::parse_moment;
use crate::platform::matching::{self, Described};
use crate::{Verdict, error::Failure, input, output, platform};

/// Show what a policy says of a request, by which rule, and what came near
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  meshctl policy explain policy.yaml \\
      --identity '{\"issuer\": \"okta\", \"service\": \"0oa1orders\", \"groups\": [\"data-eng\"]}' \\
      --platform kafka_rest --method POST --target /topics/orders.new

Exit status: 0 it is allowed, 1 it is refused, 2 usage or file error.")]
pub(crate) struct Explain {
    /// The policy
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// Who asks: {\"issuer\", \"service\", \"principal\", \"spiffe_id\", \"groups\": [...] or null, \"claims\": {...}}
    #[arg(long, value_name = "JSON", required_unless_present = "cases")]
    identity: Option<String>,

    /// The platform, or file=TABLE, and its settings
    #[arg(long, value_name = "PLATFORM", num_args = 1.., required_unless_present = "cases")]
    platform: Vec<String>,

    /// The method
    #[arg(long, value_name = "METHOD", required_unless_present = "cases")]
    method: Option<String>,

    /// The path as it is sent, and the query
    #[arg(long, value_name = "TARGET", required_unless_present = "cases")]
    target: Option<String>,

    /// A field, as it is sent
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    /// The body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,

    /// When [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<UnixTime>,

    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,

    /// Answer in JSON
    #[arg(long)]
    json: bool,

    /// A file of cases, one JSON object a line, each answered by a line of JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["identity", "platform", "method", "target", "headers", "body"])]
    cases: Option<PathBuf>,
}

/// A case: who asks what of which platform, and when.
struct Case {
    identity: identity::Described,
    platform: Vec<String>,
    request: Described,
    at: UnixTime,
    address: Option<IpAddr>,
}

impl Explain {
    /// Prints the decision, or each of the file's.
    ///
    /// # Errors
    /// If a file cannot be read, or describes nothing.
    pub(crate) fn run(self) -> Result<Verdict, Failure> {
        let read = super::read(&self.policy)?;
        let now = self.at.unwrap_or_else(mesh_control::now);
        if let Some(file) = &self.cases {
            let text = input::file_of(file, matching::REQUESTS_MAX)?;
            let text = String::from_utf8(text)
                .map_err(|_| Failure::invalid(file.display(), "not UTF-8"))?;
            for (number, line) in
                text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
            {
                let case = Case::of_json(line, now).map_err(|problem| {
                    Failure::invalid(
                        format_args!("{}:{}", file.display(), number.saturating_add(1)),
                        problem,
                    )
                })?;
                output::line(&case.decide(&read.policy)?.json().to_string())?;
            }
            return Ok(Verdict::Accepted);
        }
        let described = self.identity.unwrap_or_default();
        let value: Value = serde_json::from_str(&described)
            .map_err(|error| Failure::invalid("--identity", error))?;
        let case = Case {
            identity: identity::Described::of(&value)
                .map_err(|problem| Failure::invalid("--identity", problem))?,
            platform: self.platform,
            request: Described::of_words(
                self.method,
                self.target,
                &self.headers,
                self.body.as_deref(),
            )?,
            at: now,
            address: self.address,
        };
        let told = case.decide(&read.policy)?;
        output::line(&if self.json { told.json().to_string() } else { told.shown() })?;
        Ok(if told.is_allowed { Verdict::Accepted } else { Verdict::Refused })
    }
}

impl Case {
    fn of_json(line: &str, now: UnixTime) -> Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let platform = text("platform").ok_or("there is no \"platform\"")?;
        let at = match value.get("at") {
            None | Some(Value::Null) => now,
            Some(Value::Number(secs)) => {
                UnixTime::from_secs(secs.as_i64().ok_or("\"at\" is in whole seconds")?)
            }
            Some(at) => parse_moment(at.as_str().unwrap_or_default())?,
        };
        let address = text("address").map(str::parse).transpose();
        Ok(Self {
            identity: identity::Described::of(value.get("identity").unwrap_or(&Value::Null))?,
            platform: platform.split(' ').map(str::to_owned).collect(),
            request: Described::of_json(line)?,
            at,
            address: address.map_err(|_| "\"address\" is an IP address")?,
        })
    }

    /// What a policy says of the case.
    fn decide(&self, policy: &Policy) -> Result<Told, Failure> {
        let platform = platform::of_words(&self.platform)?;
        let asked = self.request.asked();
        let route = match platform.route(&asked) {
            Ok(route) => route,
            Err(refused) => return Ok(Told::unnamed(refused)),
        };
        let body = match self.request.read_body(&route) {
            Ok(body) => body,
            Err(word) => return Ok(Told::of_body(word)),
        };
        match route.name(body.extract()) {
            Ok(operation) => self.judge(policy, &operation),
            Err(refused) => Ok(Told::unnamed(refused)),
        }
    }

    fn judge(&self, policy: &Policy, operation: &Operation<'_, '_>) -> Result<Told, Failure> {
        let table = operation.table;
        let place = policy.tables.iter().position(|known| known.name() == table.name());
        let place = place.ok_or_else(|| {
            Failure::Usage(format!("{}: a policy cannot be about this platform", table.name()))
        })?;
        let resources: Vec<Asks<'_>> = operation
            .resources
            .iter()
            .map(|it| Asks { kind: it.kind, action: it.action, name: it.name.as_deref() })
            .collect();
        let asked = Asked {
            platform: place,
            operation: operation.id(),
            is_list: operation.is_list(),
            is_named: operation.is_row_named(),
            resources: &resources,
        };
        Ok(self.identity.with(self.address, |subject| {
            let decision = plain::decide(policy, subject, &asked, self.at);
            let steps = plain::explain(policy, subject, &asked, self.at);
            let kinds = table.kinds();
            let of_resource = |asks: &Asks<'_>| {
                let kind = kinds.get(asks.kind).map_or("", |kind| &*kind.name);
                format!("{kind}:{} {}", kinds.word(asks.action), asks.name.unwrap_or("*"))
            };
            Told {
                is_allowed: decision.verdict.is_allowed(),
                rule: Some(decision.verdict.rule().to_owned()),
                reason: if decision.verdict.is_allowed() { "" } else { "policy_denied" },
                detail: None,
                operation: operation.name().to_owned(),
                resources: resources.iter().map(of_resource).collect(),
                noted: decision.noted.iter().map(|rule| (*rule).to_owned()).collect(),
                steps: steps
                    .iter()
                    .map(|step| shown_step(step, &resources, &of_resource))
                    .collect(),
            }
        }))
    }
}

fn shown_step(step: &Step<'_>, resources: &[Asks<'_>], of: &dyn Fn(&Asks<'_>) -> String) -> String {
    let what = if step.is_denial { "denial" } else { "binding" };
    let asks = resources.get(step.resource).map(of).unwrap_or_default();
    format!("{asks}: {what} \"{}\": {}", step.rule, step.why.text())
}

/// What a policy says of a case.
struct Told {
    is_allowed: bool,
    /// None if the request has no name.
    rule: Option<String>,
    /// The word of the refusal; empty if there is none.
    reason: &'static str,
    detail: Option<String>,
    operation: String,
    resources: Vec<String>,
    noted: Vec<String>,
    steps: Vec<String>,
}

impl Told {
    fn unnamed(refused: Refused<'_>) -> Self {
        Self { detail: refused.detail().map(str::to_owned), ..Self::of_body(refused.word()) }
    }

    fn of_body(reason: &'static str) -> Self {
        Self {
            is_allowed: false,
            rule: None,
            reason,
            detail: None,
            operation: String::new(),
            resources: Vec::new(),
            noted: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "decision": if self.is_allowed { "allowed" } else { "refused" },
            "rule": self.rule,
            "reason": Some(self.reason).filter(|reason| !reason.is_empty()),
            "operation": Some(&self.operation).filter(|name| !name.is_empty()),
            "resources": self.resources,
            "noted": self.noted,
        })
    }

    fn shown(&self) -> String {
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
