//! The pure part of the mesh module: bytes and time in, decisions out.
//!
//! Nothing here reads a clock, a file or a socket, and nothing here knows Nginx. The module, the
//! command line tool, the benches and the fuzzers call the same function, [`pipeline::evaluate`],
//! so that what one of them proves holds for the others.
//!
//! # The straight line
//!
//! ```text
//! bytes -credential-> Credentials -authenticate-> Identity -require-> Entitled -limit-> Paid
//!         borrowed      unverified    snapshot,    verified   claims             table
//!                                     token cache
//! request -route-> Route -name-> Operation + Entitled -decide-> Permit + Paid -admit-> Admission -export-> headers, variables
//!           table          body                         policy
//! any stage may end in -> Refusal -> (status, challenge, page, fields, reason)
//!                 or in -> Need    -> the caller meets it, and asks again
//! ```
//!
//! # The words
//!
//! | word | meaning | where |
//! | --- | --- | --- |
//! | request | what the shell answers about one HTTP request, each answer borrowed | [`request::Request`] |
//! | credential | what arrived, still unverified | [`request::Credentials`] |
//! | identity, principal, service | who it is, verified; the name at its issuer; the workload's stable name | [`identity::Identity`] |
//! | proof | that the client holds the key that its token is bound to | [`mod@proof`] |
//! | protected resource | what the locations of one name protect, as clients are told | [`config::metadata`] |
//! | issuer, audience | who signs tokens, for whom | [`issuer::Issuer`] |
//! | introspection, question | a token that only its issuer can read, and what it is asked | [`token::introspection::Introspections`] |
//! | trust, snapshot | the issuers, and the keys of all of them at one generation | [`issuer::trust::Trust`], [`issuer::trust::Snapshot`] |
//! | document, lead, wish | a key set that all workers share, the right to fetch it, a key that no worker has yet | [`documents::Documents`] |
//! | source | where in a request a token may be | [`request::source::Source`] |
//! | form | what tells an issuer's tokens from those of others | [`issuer::Form`] |
//! | location | the frozen settings of one place in the configuration | [`config::Location`] |
//! | platform, table | an API whose requests have names, and the text that gives them | [`platform::Platform`], [`platform::table::Table`] |
//! | operation, resource | what a request asks for in the platform's own words, and what it names | [`platform::operation`] |
//! | policy, role, binding, denial | who may do what: what is allowed, to whom, and what is refused whatever is allowed | [`policy::Policy`] |
//! | grant, pattern | what a role allows of one platform, and the names that it allows it of | [`policy::model::Grant`], [`policy::pattern::Pattern`] |
//! | view | what one identity may do under a policy, kept by its worker | [`policy::Views`] |
//! | edition | a version of a policy's document that is in force | [`policy::Edition`] |
//! | permit | an identity that may do what it asks for | [`stage::decide::Permit`] |
//! | probe | a request that is answered before anybody is authenticated | [`stage::admit::probe`] |
//! | quota, cost | how much an identity may do | [`limit::Quota`] |
//! | admission | a permit whose limits are charged | [`stage::admit::Admission`] |
//! | need | what the line must know before it can go on; it never waits for it | [`need::Need`] |
//! | refusal, reason | the other end of each arrow, and its stable word | [`refusal::Refusal`], [`refusal::Reason`] |
//!
//! # One constructor each
//!
//! The fields of the line's types are private, and each type has one constructor, the arrow that
//! leads to it; an identity's is this crate's own, for the one stage that authenticates. To limit an
//! unauthenticated request, or to export an identity that was not permitted, does not compile.
//!
//! | type | constructor | needs |
//! | --- | --- | --- |
//! | [`request::Credentials`] | [`request::Credentials::extract`] | a request, the methods that the location reads, and where |
//! | [`identity::Identity`] | [`stage::authenticate::authenticate`] | credentials, the location's settings, keys, time |
//! | [`stage::decide::Entitled`] | [`stage::decide::require`] | an identity, and the claims that its location requires |
//! | [`stage::admit::Paid`] | [`stage::admit::limit`] | an entitled identity and the table of the limits |
//! | [`stage::decide::Permit`] | the decision by platform and policy, or [`stage::decide::Entitled::without_policy`] | an entitled identity |
//! | [`stage::admit::Admission`] | [`stage::admit::admit`] | a permit, of an identity that has paid |
//! | [`identity::export::Fields`] | [`stage::admit::Admission::exports`] | an admission |
//! | [`refusal::Refusal`] | any of these | a [`refusal::Reason`] |
//!
//! What a request may remember (an internal redirect must not verify or charge twice) is
//! [`pipeline::Memo`]; what a worker remembers is [`token::TokenCache`], and of opaque tokens
//! [`token::introspection::Introspections`].
//!
//! # Configuration
//!
//! [`config::directive`] is the one table of directives: name, syntax, default, contexts, and a function
//! from the typed words to a `Raw…` value. [`config`] merges raw values as Nginx does and resolves
//! them into the frozen types that requests use.
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "testing"))]
pub mod testing;

// The rooms from the ground up: each knows only those of the floors before its own, which a test
// holds them to.
pub mod memory;
pub mod text;

pub mod body;
pub mod claims;
pub mod key;
pub mod limit;
pub mod peer;

pub mod issuer;
pub mod refusal;

pub mod request;
pub mod token;

pub mod documents;
pub mod need;
pub mod platform;
pub mod proof;

pub mod identity;
pub mod policy;

pub mod answer;
pub mod stage;

pub mod config;

pub mod pipeline;

pub mod design;
pub mod manual;
