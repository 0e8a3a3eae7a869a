//! ARNs of AWS roles, as far as they name a workload.
//!
//! Only roles: other holders of an AWS token (a user, the root of an account) have long-lived keys,
//! and are no workloads.

use core::error::Error;
use core::fmt;

/// A role of an AWS account, or a session of one.
///
/// ```
/// use mesh_core::peer::arn::Role;
///
/// let role = Role::parse("arn:aws:sts::123456789012:assumed-role/etl/i-0abc").unwrap();
/// assert_eq!(role.service(), "123456789012/etl");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Role<'a> {
    account: &'a str,
    name: &'a str,
}

impl<'a> Role<'a> {
    /// Parses `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME` and
    /// `arn:PARTITION:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    ///
    /// A role's name is unique in its account whatever its path, and an assumed role is named
    /// without the path. So the path and the session are ignored.
    ///
    /// # Errors
    ///
    /// [`ArnError`] for anything else.
    pub fn parse(arn: &'a str) -> Result<Self, ArnError> {
        let mut parts = arn.splitn(6, ':');
        let mut part = || parts.next().ok_or(ArnError::NoRole);
        if part()? != "arn" || !PARTITIONS.contains(&part()?) {
            return Err(ArnError::Partition);
        }
        let (service, region, account, resource) = (part()?, part()?, part()?, part()?);
        if !region.is_empty() {
            return Err(ArnError::NoRole);
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ArnError::Account);
        }
        let name = match (service, resource.split_once('/')) {
            ("iam", Some(("role", rest))) => {
                let (path, name) = rest.rsplit_once('/').unwrap_or(("", rest));
                is_path(path).then_some(name)
            }
            ("sts", Some(("assumed-role", rest))) => {
                rest.split_once('/').filter(|(_, session)| is_name(session)).map(|(name, _)| name)
            }
            _ => return Err(ArnError::NoRole),
        };
        let name = name.filter(|name| is_name(name)).ok_or(ArnError::Name)?;
        Ok(Self { account, name })
    }

    /// The account: twelve digits.
    pub const fn account(&self) -> &'a str {
        self.account
    }

    /// The role's name, without its path.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The stable name of the workload: the account, a slash, the role.
    pub fn service(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}

/// The partitions of AWS that are open to customers of their own.
const PARTITIONS: &[&str] = &["aws", "aws-cn", "aws-us-gov"];

/// Names of roles and of sessions: `[\w+=,.@-]{1,64}`.
fn is_name(text: &str) -> bool {
    let is_mark = |byte: u8| matches!(byte, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-');
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

/// A path of IAM without the slashes at its ends: visible ASCII.
fn is_path(text: &str) -> bool {
    text.len() <= 510 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why a text is no ARN of a [`Role`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ArnError {
    /// The account is not twelve digits.
    Account,
    /// The role, its path or its session has a name that cannot be one.
    Name,
    /// It does not name a role.
    NoRole,
    /// It does not begin with `arn:` and a partition.
    Partition,
}

impl fmt::Display for ArnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account of the ARN is not twelve digits",
            Self::Name => "ARN has a name that no role has",
            Self::NoRole => "ARN is not of a role",
            Self::Partition => "ARN does not begin with \"arn:\" and a partition",
        })
    }
}

impl Error for ArnError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_role_and_its_sessions_are_one_service() {
        for arn in [
            "arn:aws:iam::123456789012:role/etl",
            "arn:aws:iam::123456789012:role/team/data/etl",
            "arn:aws:iam::123456789012:role/a:b/etl",
            "arn:aws:sts::123456789012:assumed-role/etl/i-0abc",
            "arn:aws:sts::123456789012:assumed-role/etl/me@example.com",
            "arn:aws-cn:iam::123456789012:role/etl",
            "arn:aws-us-gov:sts::123456789012:assumed-role/etl/s",
        ] {
            let role = Role::parse(arn).unwrap_or_else(|error| panic!("{arn}: {error}"));
            assert_eq!((role.account(), role.name()), ("123456789012", "etl"), "{arn}");
        }
    }

    #[test]
    fn what_is_no_role_is_refused() {
        use ArnError::{Account, Name, NoRole, Partition};
        for (arn, error) in [
            ("", Partition),
            ("arn", NoRole),
            ("ARN:aws:iam::123456789012:role/etl", Partition),
            ("arn:AWS:iam::123456789012:role/etl", Partition),
            ("arn:aws-x:iam::123456789012:role/etl", Partition),
            (" arn:aws:iam::123456789012:role/etl", Partition),
            ("arn:aws:iam:us-east-1:123456789012:role/etl", NoRole),
            ("arn:aws:iam::123456789012", NoRole),
            ("arn:aws:iam::123456789012:user/etl", NoRole),
            ("arn:aws:iam::123456789012:root", NoRole),
            ("arn:aws:iam::123456789012:Role/etl", NoRole),
            ("arn:aws:iam::123456789012:assumed-role/etl/s", NoRole),
            ("arn:aws:sts::123456789012:role/etl", NoRole),
            ("arn:aws:sts::123456789012:federated-user/etl", NoRole),
            ("arn:aws:s3::123456789012:role/etl", NoRole),
            ("arn:aws:iam::12345678901:role/etl", Account),
            ("arn:aws:iam::1234567890123:role/etl", Account),
            ("arn:aws:iam::12345678901x:role/etl", Account),
            ("arn:aws:iam::aws:role/etl", Account),
            ("arn:aws:iam::123456789012:role/", Name),
            ("arn:aws:iam::123456789012:role/a/", Name),
            ("arn:aws:iam::123456789012:role/e tl", Name),
            ("arn:aws:iam::123456789012:role/p q/etl", Name),
            ("arn:aws:iam::123456789012:role/étl", Name),
            ("arn:aws:iam::123456789012:role/etl\n", Name),
            ("arn:aws:sts::123456789012:assumed-role/etl", Name),
            ("arn:aws:sts::123456789012:assumed-role/etl/", Name),
            ("arn:aws:sts::123456789012:assumed-role//s", Name),
            ("arn:aws:sts::123456789012:assumed-role/etl/s/t", Name),
        ] {
            assert_eq!(Role::parse(arn), Err(error), "{arn:?}");
        }
        let long = |name: usize| format!("arn:aws:iam::123456789012:role/{}", "r".repeat(name));
        assert!(Role::parse(&long(64)).is_ok());
        assert_eq!(Role::parse(&long(65)), Err(Name));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_names_what_it_holds(
            text in "(arn:aws(-cn)?:(iam|sts)::[0-9]{11,13}:)?((assumed-)?role/)?[a-zA-Z0-9:/_.@ -]{0,30}",
        ) {
            if let Ok(role) = Role::parse(&text) {
                let path = text.split_once("role/").unwrap().1;
                prop_assert!(path.split('/').any(|part| part == role.name()));
                let account = format!("::{}:", role.account());
                prop_assert!(text.contains(&account));
                prop_assert!(!role.name().contains('/'));
                let service = role.service();
                prop_assert_eq!(service.split_once('/'), Some((role.account(), role.name())));
            }
        }

        #[test]
        fn a_role_is_taken_apart_where_it_was_put_together(
            account in "[0-9]{12}", name in "[a-zA-Z0-9+=,.@_-]{1,64}", session in "[a-zA-Z0-9=,.@-]{2,64}",
            path in "(/[a-z.-]{1,9}){0,3}",
        ) {
            let role = format!("arn:aws:iam::{account}:role{path}/{name}");
            let assumed = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
            let expected = Role { account: &account, name: &name };
            prop_assert_eq!(Role::parse(&role), Ok(expected));
            prop_assert_eq!(Role::parse(&assumed), Ok(expected));
        }
    }
}
