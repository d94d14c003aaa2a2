//! Tests of the whole way from files to answers.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::auth::Named;

/// The rules of a file with this text over the reference's defaults.
fn rules(text: &str) -> Rules {
    try_rules(text, Defaults::Reference).unwrap()
}

fn try_rules(text: &str, defaults: Defaults) -> Result<Rules, PolicyError> {
    Rules::new(&[(Arc::from(Path::new("policy.yaml")), text.to_owned())], defaults, "default")
}

/// Somebody of project p with these roles.
fn caller(roles: &[&str]) -> Identity {
    Identity {
        project: Some(ProjectId::new("p")),
        user: Some(Named { id: "u".to_owned(), domain_id: Some("d".to_owned()), ..Named::default() }),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        is_admin_project: true,
        ..Identity::default()
    }
}

/// Whether that check permits the caller to do something to the queue q of project p.
fn permits(check: &str, caller: &Identity) -> bool {
    let text = format!("\"x:x\": {check:?}\n\"admins\": \"role:admin\"\n");
    let (project, queue) = (ProjectId::new("p"), QueueName::parse("q").unwrap());
    let target = Target { project: Some(&project), queue: Some(&queue) };
    rules(&text).permits_named("x:x", &Credentials(caller), &target).unwrap()
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let policy = Policy::default();
    let (anyone, admin) = (caller(&[]), caller(&["Admin"]));
    for rule in Rule::ALL {
        let guarded = rule.default_check() == "role:admin";
        assert_eq!(policy.permits(*rule, Target::default(), &anyone), !guarded, "{}", rule.name());
        assert!(policy.permits(*rule, Target::default(), &admin), "{}", rule.name());
    }
    assert!(rules("").findings().is_empty());
    assert!(try_rules("", Defaults::New { scopes: true }).unwrap().findings().is_empty());
}

#[test]
fn checks_of_every_kind_are_answered() {
    let member = caller(&["member", "Swift Operator"]);
    for (check, permitted) in [
        ("", true),
        ("@", true),
        ("!", false),
        (" ", false),
        ("role:MEMBER", true),
        ("role:admin", false),
        ("not role:admin", true),
        ("rule:admins", false),
        ("not rule:admins and role:member", true),
        ("rule:nowhere", false),
        ("role:admin or role:member and project_id:p", true),
        ("(role:admin or role:member) and project_id:other", false),
        ("project_id:%(project_id)s", true),
        ("project:%(project_id)s and user:u and user_domain:d", true),
        ("project_id:%(queue_name)s", false),
        ("project_id:%(no_such_key)s", false),
        ("not project_id:%(no_such_key)s", true),
        ("'q':%(queue_name)s", true),
        ("\"q\":%(queue_name)s", true),
        ("True:%(queue_name)s", false),
        ("is_admin:False", true),
        ("is_admin_project:True", true),
        ("system_scope:None", true),
        ("system:all", false),
        ("roles:member", true),
        ("roles:MEMBER", false),
        ("7:7 and 0x10:16", true),
        ("role:member and", false),
        ("not (role:admin", false),
        ("'role:member'", false),
        ("member", false),
        ("not member", true),
        ("user_id.domain:x", false),
        ("not user_id.domain:x", false),
        ("@ or user_id.domain:x", true),
        ("user_id.domain:x or @", false),
        ("http://127.0.0.1/ or @", false),
    ] {
        if check.starts_with("http") {
            assert!(try_rules(&format!("a: {check:?}"), Defaults::Reference).is_err());
            continue;
        }
        assert_eq!(permits(check, &member), permitted, "{check}");
    }
}

#[test]
fn owners_are_told_from_others_by_the_project_of_the_target() {
    let check = "rule:admin_or_owner";
    assert!(permits(check, &caller(&[])));
    assert!(!permits(check, &Identity { project: Some(ProjectId::new("other")), ..caller(&[]) }));
}

#[test]
fn a_rule_that_does_not_exist_is_the_default_rule() {
    let text = "x: rule:nowhere\ndefault: role:member\n";
    let allowed = |roles| rules(text).permits_named("x", &Credentials(&caller(roles)), &Target::default());
    assert_eq!((allowed(&["member"]), allowed(&["reader"])), (Some(true), Some(false)));
    let found = rules(text).findings().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            "policy.yaml:1: x: there is no rule nowhere",
            "policy.yaml:1: x: unknown rule, which nothing asks for"
        ]
    );
}

#[test]
fn mistakes_are_named_with_their_lines() {
    let text = "\"queues:get\": \"role:admin and\"\n\"queues:gte\": \"\"\n\"pools:get\": \"role:admin\"\n\
                \"queues:get\": \"a$b:c\"\nmine: \"@\"\n\"queues:stats\": \"rule:mine or role:%d\"\n";
    let found = rules(text).findings().iter().map(|it| (it.mistake, it.to_string())).collect::<Vec<_>>();
    assert_eq!(found, [
        (true, "policy.yaml:2: queues:gte: unknown rule, which nothing asks for".to_owned()),
        (false, "policy.yaml:3: pools:get: \"role:admin\" is the default".to_owned()),
        (true, "policy.yaml:4: queues:get stands here again; that of line 1 does not count".to_owned()),
        (true, "policy.yaml:4: queues:get: \"a$b:c\" permits nobody: its left side is neither a literal nor a name".to_owned()),
        (true, "policy.yaml:6: queues:stats: \"role:%d\" permits nobody: of the forms with % only %(key)s and %% can be used".to_owned()),
    ]);
}

#[test]
fn circles_and_questions_to_others_are_refused_with_file_and_line() {
    let refused = |text: &str| try_rules(text, Defaults::Reference).unwrap_err().to_string();
    let circle = refused("\n\"queues:get\": \"rule:a\"\na: not (rule:b or @)\nb: \"@ and rule:a\"\n");
    assert_eq!(circle, "policy.yaml:3: rules refer to each other in a circle: a -> b -> a");
    let fallback = refused("default: rule:nowhere\n");
    assert_eq!(fallback, "policy.yaml:1: rules refer to each other in a circle: default -> default");
    let remote = refused("\n\"queues:get\": \"role:x or https://example/%(queue_name)s\"\n");
    assert!(remote.starts_with("policy.yaml:2: queues:get asks another server"), "{remote}");
    let long: Vec<_> = (0..1000).map(|n| format!("r{n}: rule:r{}", n + 1)).collect();
    let long = long.join("\n") + "\nr1000: '@'\n";
    assert!(refused(&long).contains("too deep"), "{}", refused(&long));
}

#[test]
fn nothing_that_is_nested_too_deep_is_understood() {
    let nested = |depth| "not ".repeat(depth) + "@";
    let everybody = caller(&[]);
    assert!(permits(&nested(98), &everybody));
    assert!(!permits(&nested(200), &everybody) && !permits(&nested(201), &everybody));
    let parentheses = "(".repeat(100_000) + "@" + &")".repeat(100_000);
    assert!(permits(&parentheses, &everybody));
}

#[test]
fn new_defaults_know_roles_and_scopes() {
    let rules = try_rules("", Defaults::New { scopes: true }).unwrap();
    let project = ProjectId::new("p");
    let target = Target { project: Some(&project), queue: None };
    let may = |rule, caller: &Identity| rules.permits(rule, &Credentials(caller), &target);
    let levels = [
        (Rule::MessagesGetAll, "reader"),
        (Rule::MessagesCreate, "member"),
        (Rule::QueuesShare, "manager"),
        (Rule::FlavorsCreate, "admin"),
    ];
    for (at, (_, role)) in levels.iter().enumerate() {
        for (needed, (rule, _)) in levels.iter().enumerate() {
            assert_eq!(may(*rule, &caller(&[role])), at >= needed, "{role} {}", rule.name());
        }
    }
    assert!(may(Rule::MessagesCreate, &caller(&["service"])) && !may(Rule::MessagesGet, &caller(&["other"])));
    let signed = Identity { signed: true, ..caller(&[]) };
    assert!(may(Rule::MessagesCreate, &signed) && !may(Rule::QueuesShare, &signed));
    let elsewhere = Identity { project: Some(ProjectId::new("other")), ..caller(&["admin"]) };
    assert!(!may(Rule::MessagesGet, &elsewhere));
    let system = |role| Identity { project: None, system_scope: Some("all".to_owned()), ..caller(&[role]) };
    for rule in [Rule::PoolsGet, Rule::HealthGet] {
        assert!(may(rule, &system("reader")) && !may(rule, &caller(&["admin"])), "{}", rule.name());
    }
    assert!(may(Rule::PoolsCreate, &system("admin")) && !may(Rule::PoolsCreate, &system("manager")));
    assert!(!may(Rule::MessagesGet, &system("admin")) && may(Rule::PingGet, &system("none")));
    let domain = Identity { project: None, domain_id: Some("d".to_owned()), ..caller(&["admin"]) };
    assert!(!may(Rule::FlavorsGet, &domain) && may(Rule::PingGet, &domain));
    let lenient = try_rules("", Defaults::New { scopes: false }).unwrap();
    assert!(lenient.permits(Rule::PoolsCreate, &Credentials(&caller(&["admin"])), &target));
    assert!(!lenient.permits(Rule::PoolsGet, &Credentials(&caller(&["reader"])), &target));
}

/// Texts that look like the language, and others.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("role:admin".to_owned()),
        Just("rule:b".to_owned()),
        "[()@!]{1,4}",
        "(and|or|not|AND|Or) ",
        "[\"'%(]{1,3}[a-z:]{0,4}[\"')s]{0,3}",
        any::<String>(),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.join(" "))
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_written_means_the_same(text in text(), key in "[a-z_%()s]{0,8}") {
        let check = Written::Text(text.clone()).parse();
        let written = check.to_string();
        // What is understood is written so that it is understood again.
        if check.problems().is_empty() {
            prop_assert_eq!(Written::Text(written.clone()).parse().to_string(), written);
        }
        let _ = rules(&format!("a: {key:?}")).findings();
        let _ = try_rules(&text, Defaults::Reference);
        let _ = permits(&format!("user_id:{key}"), &caller(&[]));
    }

    #[test]
    fn lists_are_joined_like_their_texts(lists in prop::collection::vec(prop::collection::vec("(role|rule):[a-c]|@|!", 1..4), 1..4)) {
        let text = lists.iter().map(|list| format!("({})", list.join(" and "))).collect::<Vec<_>>().join(" or ");
        prop_assert_eq!(Written::Lists(lists).parse().to_string(), Written::Text(text).parse().to_string());
    }
}
