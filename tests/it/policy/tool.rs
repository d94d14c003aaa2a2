//! `zaqar policy`: what it says of files and callers.

use std::process::Command;

use super::Folder;
use crate::support::process::BINARY;

/// Runs the verb on that folder's files: exit code and what was printed.
fn policy(folder: &Folder, arguments: &[&str]) -> (i32, String) {
    let configuration = folder.0.path().join("zaqar.conf");
    std::fs::write(&configuration, folder.ini()).unwrap();
    let mut command = Command::new(BINARY);
    command.arg("policy").args(arguments).arg("--config-file").arg(configuration);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text.replace(&format!("{}/", folder.0.path().display()), ""))
}

#[test]
fn check_says_what_is_wrong_and_where() {
    let sound =
        Folder::with("\"queues:get\": \"role:x and rule:mine\"\nmine: \"project_id:%(project_id)s\"\n");
    assert_eq!(policy(&sound, &["check"]), (0, "45 rules, 1 policy files, no mistakes\n".to_owned()));
    let mistaken = Folder::with(
        "\"queues:get\": \"role:x or rule:mien\"\n\"queue:get\": \"(\"\n\"pools:get\": \"role:admin\"\n",
    );
    let (code, said) = policy(&mistaken, &["check"]);
    assert_eq!(code, 1);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "policy.yaml:1: queues:get: there is no rule mien",
            "policy.yaml:2: queue:get: \"(\" permits nobody: checks, and, or, not and parentheses do not fit together",
            "policy.yaml:2: queue:get: unknown rule, which nothing asks for",
            "policy.yaml:3: pools:get: \"role:admin\" is the default",
            "zaqar: 3 mistakes in the policy",
        ]
    );
    let broken = Folder::with("\"queues:get\": !\n");
    let (code, said) = policy(&broken, &["check"]);
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.starts_with("zaqar: policy.yaml:1: "), "{said}");
}

#[test]
fn check_answers_for_a_caller() {
    let folder = Folder::with("\"queues:get\": \"role:x and 'q':%(queue_name)s\"\n");
    let ask = |arguments: &[&str]| policy(&folder, &[&["check", "--rule", "queues:get"], arguments].concat());
    assert_eq!(ask(&["--role", "x"]), (0, "failed: queues:get\n".to_owned()));
    let target = folder.0.path().join("target.json");
    std::fs::write(&target, r#"{"queue_name": "q"} {"queue_name": "other"}"#).unwrap();
    let target = target.to_str().unwrap();
    let both = "passed: queues:get\nfailed: queues:get\n";
    assert_eq!(ask(&["--role", "x", "--role", "y", "--target", target]), (0, both.to_owned()));
    let credentials = folder.0.path().join("credentials.json");
    std::fs::write(&credentials, r#"{"roles": ["X"]}"#).unwrap();
    let credentials = credentials.to_str().unwrap();
    let lines = "{\"queues:get\":true}\n{\"queues:get\":false}\n";
    assert_eq!(ask(&["--credentials", credentials, "--target", target, "--json"]), (0, lines.to_owned()));
    let (code, said) = policy(&folder, &["check", "--role", "x", "--rule", "nothing"]);
    assert_eq!((code, said.as_str()), (1, "zaqar: no rule nothing\n"));
}

#[test]
fn list_redundant_names_what_the_defaults_say() {
    let folder = Folder::with(
        "\"queues:get\": \"@\"\n\"pools:get\": \"role:admin\"\n\"ping:get\": \"!\"\n\"claims:get\": \"(\"\n",
    );
    let expected = "policy.yaml:2: \"pools:get\": \"role:admin\"\npolicy.yaml:1: \"queues:get\": \"\"\n";
    assert_eq!(policy(&folder, &["list-redundant"]), (0, expected.to_owned()));
}

#[test]
fn generate_prints_the_sample_and_the_rules_in_force() {
    let folder = Folder::with("\"queues:get\": \"role:x\"\n");
    let sample =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/etc/policy.yaml.sample")).unwrap();
    assert_eq!(policy(&folder, &["generate"]), (0, sample));
    let (code, effective) = policy(&folder, &["generate", "--effective"]);
    assert_eq!(code, 0);
    assert!(effective.contains("\"queues:get\": \"role:x\"\n\"queues:get_all\": \"@\"\n"), "{effective}");
    folder.write(&effective);
    assert_eq!(policy(&folder, &["generate", "--effective"]), (0, effective));
}
