//! An identity as it is described in JSON.

use core::net::IpAddr;

use mesh_core::claims::{Claims, Requirement, Verdict};
use mesh_core::policy::Subject;
use mesh_core::policy::subject::Judge;
use mesh_core::text::json::Document;
use mesh_core::token::VerifiedToken;
use serde_json::Value;

/// An identity: `{"issuer", "service", "principal", "spiffe_id", "groups": [...] or null, "claims": {...}}`.
#[derive(Debug, Default)]
pub(super) struct Described {
    issuer: Option<String>,
    service: Option<String>,
    principal: Option<String>,
    spiffe_id: Option<String>,
    /// None if they are not known.
    groups: Option<Vec<String>>,
    claims: Option<String>,
}

/// The members of such a description.
const MEMBERS: [&str; 6] = ["issuer", "service", "principal", "spiffe_id", "groups", "claims"];

impl Described {
    /// Reads a description.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(value: &Value) -> Result<Self, String> {
        let members = value.as_object().ok_or("an identity is an object")?;
        if let Some(other) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(format!("an identity has no \"{other}\": it has {}", MEMBERS.join(", ")));
        }
        let text = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("\"{name}\" is a text")),
        };
        let groups = match members.get("groups") {
            None | Some(Value::Null) => None,
            Some(Value::Array(groups)) => {
                let groups = groups.iter().map(|group| group.as_str().map(str::to_owned));
                Some(groups.collect::<Option<Vec<_>>>().ok_or("\"groups\" are texts")?)
            }
            Some(_) => return Err("\"groups\" are a list, or null if they are not known".into()),
        };
        let claims =
            members.get("claims").filter(|claims| !claims.is_null()).map(ToString::to_string);
        Ok(Self {
            issuer: text("issuer")?,
            service: text("service")?,
            principal: text("principal")?,
            spiffe_id: text("spiffe_id")?,
            groups,
            claims,
        })
    }

    /// Who a verified token is: of the issuer of a name, which may issue JWT-SVIDs.
    pub(super) fn of_token(
        token: &VerifiedToken,
        claims: Option<&Value>,
        issuer: String,
        is_svid: bool,
    ) -> Self {
        let groups = token.groups().and_then(|groups| serde_json::from_str(groups).ok());
        let principal = token.principal().map(str::to_owned);
        Self {
            issuer: Some(issuer),
            service: token.service().map(str::to_owned),
            spiffe_id: principal.clone().filter(|_| is_svid),
            principal,
            groups,
            claims: claims.map(Value::to_string),
        }
    }

    /// Lets `with` see it as a policy does.
    pub(super) fn with<T>(
        &self,
        address: Option<IpAddr>,
        with: impl FnOnce(&Subject<'_>) -> T,
    ) -> T {
        let groups: Option<Vec<&str>> =
            self.groups.as_ref().map(|groups| groups.iter().map(String::as_str).collect());
        with(&Subject {
            issuer: self.issuer.as_deref(),
            service: self.service.as_deref(),
            principal: self.principal.as_deref(),
            spiffe_id: self.spiffe_id.as_deref(),
            groups: groups.as_deref(),
            claims: self,
            address,
        })
    }
}

impl Judge for Described {
    fn judge(&self, requirement: &Requirement) -> Verdict {
        let Some(claims) = &self.claims else { return Verdict::Unknown };
        let document = Document::parse(claims.as_bytes());
        document
            .map_or(Verdict::Unknown, |document| requirement.judge(&Claims::of(document.root())))
    }
}
