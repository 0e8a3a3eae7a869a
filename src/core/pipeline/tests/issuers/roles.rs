//! Roles of AWS.

use super::*;

#[test]
fn a_role_of_aws_is_a_service_by_account_and_name() {
    let key = Key::new("k1");
    let mut server = Server::new(&key, &[("service_arn", &["on"])], &[TOKEN]);
    let mut ask = |sub: &str| server.ask(&Sent::token(&key.token(&json!({ "sub": sub }))));
    for arn in [
        "arn:aws:iam::123456789012:role/data/etl",
        "arn:aws:sts::123456789012:assumed-role/etl/i-0abc",
    ] {
        let admission = ask(arn).unwrap();
        assert_eq!(attribute(&admission, Attribute::Service).as_deref(), Some("123456789012/etl"));
        assert_eq!(attribute(&admission, Attribute::Account).as_deref(), Some("123456789012"));
        assert_eq!(attribute(&admission, Attribute::Principal).as_deref(), Some(arn));
    }
    for other in ["arn:aws:iam::123456789012:user/etl", "123456789012/etl", "etl"] {
        assert_eq!(ask(other).unwrap_err().reason(), Reason::ServiceMissing, "{other}");
    }
    let mut plain = Server::tokens(&key);
    let admission = plain.ask(&Sent::token(&key.token(&json!({ "sub": "123/etl" })))).unwrap();
    assert_eq!(attribute(&admission, Attribute::Account), None, "a slash makes no account");
}
