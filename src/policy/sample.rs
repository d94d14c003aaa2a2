//! The sample of a policy file, printed from the table of rules.

use super::Rule;
use super::rule::{BLOCKS, Scope};
use crate::config::sample::{print_comment, push};

const HEAD: &str = "\
# Rules of Zaqar: who may do what. Every rule stands here with its default, commented out; a file named policy.yaml
# beside zaqar.conf overrides those that it names. The language is that of oslo.policy.
#
# Checks see of the caller: roles, project_id, user_id, domain_id, user_domain_id, project_domain_id, system_scope,
# is_admin_project, service_roles, service_user_id, service_project_id and signed_url (True for a pre-signed URL);
# of the target: %(project_id)s and, where there is a queue, %(queue_name)s.
#
# Where a new default is named, it counts in place of the other if [oslo_policy] enforce_new_defaults = true stands in
# a configuration file; then, unless enforce_scope is off, a token must also be of one of the scopes named.
";

/// Every building block and rule with its help, the requests that ask for it, and its default, all commented out.
/// `operations` are the rules, methods and paths of the routes.
pub fn sample(operations: &[(Rule, &str, &str)]) -> String {
    let mut text = String::from(HEAD);
    for block in BLOCKS {
        let when = if block.new { " (only with enforce_new_defaults)" } else { "" };
        text.push('\n');
        print_comment(&mut text, &format!("{}{when}", block.help));
        push(&mut text, format_args!("#\"{}\": \"{}\"\n", block.name, block.check));
    }
    for rule in Rule::ALL {
        text.push('\n');
        print_comment(&mut text, rule.help());
        for (_, method, path) in operations.iter().filter(|(asked, ..)| asked == rule) {
            push(&mut text, format_args!("# {method}  {path}\n"));
        }
        print_new_default(&mut text, *rule);
        push(&mut text, format_args!("#\"{}\": \"{}\"\n", rule.name(), rule.default_check()));
    }
    text
}

fn print_new_default(text: &mut String, rule: Rule) {
    let scopes: Vec<_> = rule.scopes().iter().copied().map(Scope::name).collect();
    let check = rule.new_default_check();
    if check != rule.default_check() || rule.scopes().len() < 3 {
        push(text, format_args!("# New default: \"{check}\", scope {}\n", scopes.join(", ")));
    }
}
