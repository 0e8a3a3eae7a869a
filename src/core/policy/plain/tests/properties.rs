//! What holds of every policy.

use proptest::prelude::*;

use super::*;

/// The texts of some rules, each with its number in its name.
fn rules() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let who = prop::sample::select(vec![
        "services: [orders]",
        "services: [both]",
        "groups: [eng]",
        "groups: [okta/x]",
    ]);
    let condition = prop::sample::select(vec![
        "",
        "",
        "addresses: [10.0.0.0/8],",
        "until: 2020-01-01T00:00:00Z,",
        "claims: { /amr: [mfa] },",
    ]);
    let dry_run = prop::bool::weighted(0.2);
    let binding = (0..4_usize, who.clone(), condition.clone(), dry_run).prop_map(
        |(role, who, condition, dry_run)| {
            format!("role: r{role}, {condition} dry_run: {dry_run}, {who}")
        },
    );
    let topics = prop::sample::select(vec!["a", "b", "'a*'", "'*b'", "'*'", "'a*b'", "ab"]);
    let actions = prop::sample::select(vec![
        "",
        ", actions: [produce]",
        ", actions: ['*']",
        ", actions: [consume, describe]",
    ]);
    let exception =
        prop::sample::select(vec!["", "", "unless_groups: [eng],", "unless_services: [orders],"]);
    let whom = prop_oneof![Just(String::new()), who.prop_map(|who| format!("{who},"))];
    let denial = (topics, actions, exception, whom, condition, dry_run).prop_map(
        |(topics, actions, exception, whom, condition, dry_run)| {
            format!("{exception} {whom} {condition} dry_run: {dry_run}, kafka: {{ topics: [{topics}]{actions} }}")
        },
    );
    (prop::collection::vec(binding, 0..5), prop::collection::vec(denial, 0..4))
}

fn written(bindings: &[String], denials: &[String]) -> Policy {
    let list = |rules: &[String], name: &str| {
        let rules =
            rules.iter().enumerate().map(|(at, it)| format!("{{ name: {name}{at}, {it} }}"));
        rules.collect::<Vec<_>>().join(", ")
    };
    policy(&format!(
        "roles:
  r0: [ {{ kafka: {{ topics: [a, b], actions: [produce] }} }} ]
  r1: [ {{ kafka: {{ topics: ['a*'], actions: ['*'] }} }} ]
  r2: {{ include: [r0], grants: [ {{ kafka: {{ topics: ['*'], actions: [describe] }} }} ] }}
  r3: [ {{ kafka: {{ topics: ['*'], groups: [g], actions: [consume] }} }} ]
bindings: [ {} ]
deny: [ {} ]
",
        list(bindings, "b"),
        list(denials, "d")
    ))
}

#[derive(Clone, Debug)]
struct Request {
    subject: usize,
    resources: Vec<(&'static str, &'static str)>,
    is_list: bool,
}

fn request() -> impl Strategy<Value = Request> {
    let action = prop::sample::select(vec!["produce", "consume", "describe", "delete"]);
    let name = prop::sample::select(vec!["a", "b", "ab", "aab", "c", "all"]);
    let resources = prop::collection::vec((action, name), 1..4);
    (0..5_usize, resources, any::<bool>()).prop_map(|(subject, resources, is_list)| Request {
        subject,
        resources,
        is_list,
    })
}

fn asks(policy: &Policy, request: &Request) -> (bool, Option<String>) {
    let orders = token("orders", Some(&["eng"]));
    let subject = match request.subject {
        0 => orders,
        1 => token("orders", None),
        2 => Subject { address: Some("10.0.0.1".parse().unwrap()), ..orders },
        3 => Subject { claims: &Claims(crate::claims::Verdict::Holds), ..token("x", Some(&["x"])) },
        _ => certificate("spiffe://d/orders"),
    };
    let kinds = policy.tables[0].kinds();
    let kind = kinds.by_name("topic").unwrap().0;
    let resources: Vec<Asks<'_>> = request
        .resources
        .iter()
        .map(|(action, name)| Asks {
            kind,
            action: kinds.action(action).unwrap(),
            name: Some(*name).filter(|name| *name != "all"),
        })
        .collect();
    let operation = policy.tables[0].operation("api.v2.consumers.subscribe").unwrap();
    let is_list = request.is_list;
    let asked = Asked { platform: 0, operation, is_list, is_named: false, resources: &resources };
    let decision = decide(policy, &subject, &asked, NOW);
    let steps = explain(policy, &subject, &asked, NOW);
    let holding = steps.iter().find(|step| step.is_denial && step.why == Why::Holds);
    (decision.verdict.is_allowed(), holding.map(|step| step.rule.to_owned()))
}

proptest! {
    // Each case reads two policies.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_denial_more_never_allows_more((bindings, denials) in rules(), (_, more) in rules(), request in request()) {
        let all: Vec<String> = denials.iter().cloned().chain(more).collect();
        let (before, _) = asks(&written(&bindings, &denials), &request);
        let (after, _) = asks(&written(&bindings, &all), &request);
        prop_assert!(before || !after);
    }

    #[test]
    fn a_binding_more_never_refuses_more((bindings, denials) in rules(), (more, _) in rules(), request in request()) {
        let all: Vec<String> = more.into_iter().chain(bindings.iter().cloned()).collect();
        let (before, _) = asks(&written(&bindings, &denials), &request);
        let (after, _) = asks(&written(&all, &denials), &request);
        prop_assert!(!before || after);
    }

    #[test]
    fn the_order_of_rules_does_not_matter((mut bindings, mut denials) in rules(), request in request()) {
        let (before, _) = asks(&written(&bindings, &denials), &request);
        bindings.reverse();
        denials.reverse();
        let (after, _) = asks(&written(&bindings, &denials), &request);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_rule_in_a_dry_run_decides_nothing((bindings, denials) in rules(), request in request()) {
        let live = |rules: &[String]| -> Vec<String> {
            rules.iter().filter(|rule| !rule.contains("dry_run: true")).cloned().collect()
        };
        let (with, _) = asks(&written(&bindings, &denials), &request);
        let (without, _) = asks(&written(&live(&bindings), &live(&denials)), &request);
        prop_assert_eq!(with, without);
    }

    #[test]
    fn what_a_denial_holds_is_refused_and_told((bindings, denials) in rules(), request in request()) {
        let (is_allowed, holding) = asks(&written(&bindings, &denials), &request);
        prop_assert!(!is_allowed || holding.is_none(), "{:?}", holding);
    }
}
