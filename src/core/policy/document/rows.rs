//! The members of each map of a document: what is read, and what the JSON Schema tells of it.

/// What a member is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Field {
    Actions,
    Addresses,
    Bindings,
    Burst,
    Claims,
    Deny,
    DryRun,
    From,
    Grants,
    Groups,
    Include,
    Issuer,
    Limits,
    Name,
    Names,
    Operations,
    Rate,
    Role,
    Roles,
    Service,
    Services,
    Spiffe,
    UnlessGroups,
    UnlessServices,
    Until,
    Version,
}

/// A member of a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) field: Field,
    pub(super) is_required: bool,
    pub(super) doc: &'static str,
}

const fn row(name: &'static str, field: Field, doc: &'static str) -> Row {
    Row { name, field, is_required: false, doc }
}

const fn required(name: &'static str, field: Field, doc: &'static str) -> Row {
    Row { name, field, is_required: true, doc }
}

/// The sections of a document, in the order of the manual.
pub(super) const SECTIONS: [Row; 8] = [
    required("version", Field::Version, "The version of this format: 1."),
    row("names", Field::Names, "Names for what a platform calls by number, by platform and kind."),
    row("services", Field::Services, "Services by name; any one of the lines identifies one."),
    row("groups", Field::Groups, "Groups by name, each of some issuers' ISSUER/GROUP."),
    row("roles", Field::Roles, "What may be done, by name."),
    row("bindings", Field::Bindings, "Who has which role."),
    row("deny", Field::Deny, "What is refused whatever roles allow."),
    row("limits", Field::Limits, "Limits by role: not built yet."),
];

/// A line of a service.
pub(super) const SERVICE: [Row; 3] = [
    row("spiffe", Field::Spiffe, "The SPIFFE ID of the principal."),
    row("issuer", Field::Issuer, "The issuer's name in the configuration."),
    row("service", Field::Service, "The service that the issuer's token names."),
];

/// A role that is a map.
pub(super) const ROLE: [Row; 2] = [
    row("include", Field::Include, "Roles whose grants this one has too."),
    row("grants", Field::Grants, "Grants, each of one platform."),
];

/// What a grant or a denial says beside the kinds of its platform.
pub(super) const SCOPE: [Row; 2] = [
    row(
        "actions",
        Field::Actions,
        "Actions of each of the kinds; \"*\" holds those that are not named.",
    ),
    row("operations", Field::Operations, "Single operations, by the platform's names."),
];

const FROM: Row = row("from", Field::From, "From this moment on.");
const UNTIL: Row = row("until", Field::Until, "Before this moment.");
const ADDRESSES: Row =
    row("addresses", Field::Addresses, "The client's address is in one of these.");
const CLAIMS: Row =
    row("claims", Field::Claims, "By JSON pointer: the values of which the claim has one.");
const DRY_RUN: Row = row("dry_run", Field::DryRun, "Only note what the rule would do.");

/// A binding.
pub(super) const BINDING: [Row; 9] = [
    required("name", Field::Name, "The name of the rule."),
    required("role", Field::Role, "The role."),
    row("services", Field::Services, "Services that have it."),
    row("groups", Field::Groups, "Groups that have it: names, or ISSUER/GROUP."),
    FROM,
    UNTIL,
    ADDRESSES,
    CLAIMS,
    DRY_RUN,
];

/// A denial, beside its platform.
pub(super) const DENIAL: [Row; 10] = [
    required("name", Field::Name, "The name of the rule."),
    row(
        "services",
        Field::Services,
        "Services that it is for; without any, and groups: everybody.",
    ),
    row("groups", Field::Groups, "Groups that it is for: names, or ISSUER/GROUP."),
    row("unless_services", Field::UnlessServices, "Services that it is not for."),
    row("unless_groups", Field::UnlessGroups, "Groups that it is not for: names, or ISSUER/GROUP."),
    FROM,
    UNTIL,
    ADDRESSES,
    CLAIMS,
    DRY_RUN,
];

/// A limit by role.
pub(super) const LIMIT: [Row; 3] = [
    required("role", Field::Role, "The role."),
    required("rate", Field::Rate, "The rate, such as 1000r/s."),
    row("burst", Field::Burst, "How many requests may exceed it at once."),
];
