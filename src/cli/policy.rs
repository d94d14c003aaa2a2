//! `zaqar policy`: the rules: a sample, a check of the operator's files, and what in them could go.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use strum::VariantArray as _;

use super::common::Common;
use crate::api::Version;
use crate::app;
use crate::policy::{self, Contents, Facts, Rules, Source, Value};

/// The name under which the configuration is looked for.
const TOOL: &str = "zaqar-server";

/// Options of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print a sample of the policy file, every rule with its default
    Generate(Generate),
    /// Say what is wrong with the policy files; with a caller, also what it may do
    Check(Check),
    /// Print the rules of the policy files that say what the defaults say
    ListRedundant(Rulebook),
}

/// Which rules.
#[derive(Debug, Args)]
struct Rulebook {
    #[command(flatten)]
    common: Common,
    /// This policy file in place of those of the configuration
    #[arg(long, value_name = "PATH")]
    rules: Option<PathBuf>,
}

/// Options of `generate`.
#[derive(Debug, Args)]
struct Generate {
    #[command(flatten)]
    rulebook: Rulebook,
    /// Print the rules in force instead: those of the policy files over the defaults
    #[arg(long)]
    effective: bool,
}

/// Options of `check`.
#[derive(Debug, Args)]
struct Check {
    #[command(flatten)]
    rulebook: Rulebook,
    /// A role of the caller; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// The caller: a JSON object of credentials (such as `roles`, `project_id`), or several
    #[arg(long, value_name = "PATH")]
    credentials: Option<PathBuf>,
    /// What the caller wants to do it to: a JSON object (`project_id`, `queue_name`), or several
    #[arg(long, value_name = "PATH")]
    target: Option<PathBuf>,
    /// Ask only for this rule; may be repeated
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// Print a line of JSON for each caller and target
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match &arguments.verb {
        Verb::Generate(arguments) => generate(arguments, &mut out),
        Verb::Check(arguments) => check(arguments, &mut out),
        Verb::ListRedundant(rulebook) => {
            for (name, check, place) in rulebook.rules()?.redundant() {
                writeln!(out, "{place}: \"{name}\": \"{check}\"")?;
            }
            Ok(())
        }
    }
}

/// The sample of a policy file, its rules with the routes that ask for them.
fn sample() -> String {
    let routes = Version::VARIANTS.iter().rev().flat_map(|version| version.routes());
    let operations = routes.filter_map(|route| Some((route.rule?, route.method.as_str(), route.path)));
    policy::sample(&operations.collect::<Vec<_>>())
}

fn generate(arguments: &Generate, out: &mut dyn Write) -> anyhow::Result<()> {
    if !arguments.effective {
        return out.write_all(sample().as_bytes()).context("standard output");
    }
    for (name, check) in arguments.rulebook.rules()?.all() {
        // The one text that is also YAML, whatever the check holds.
        writeln!(out, "{}: {}", serde_json::to_string(name)?, serde_json::to_string(&check)?)?;
    }
    Ok(())
}

fn check(arguments: &Check, out: &mut dyn Write) -> anyhow::Result<()> {
    let (source, contents) = arguments.rulebook.read()?;
    let rules = source.rules(&contents)?;
    let mistakes = rules.findings().iter().filter(|finding| finding.mistake).count();
    for note in contents.notes.iter().filter(|_| !arguments.json) {
        writeln!(out, "{note}")?;
    }
    for finding in rules.findings().iter().filter(|_| !arguments.json) {
        writeln!(out, "{finding}")?;
    }
    if let Some(callers) = arguments.callers()? {
        arguments.ask(&rules, &callers, out)?;
    } else if mistakes == 0 && !arguments.json {
        writeln!(out, "{} rules, {} policy files, no mistakes", rules.all().count(), contents.files.len())?;
    }
    match mistakes {
        0 => Ok(()),
        1 => bail!("1 mistake in the policy"),
        many => bail!("{many} mistakes in the policy"),
    }
}

/// Credentials, or a target.
type Document = BTreeMap<String, Value>;

impl Rulebook {
    fn rules(&self) -> anyhow::Result<Rules> {
        let (source, contents) = self.read()?;
        Ok(source.rules(&contents)?)
    }

    /// The files of the configuration, or the one that is named.
    fn read(&self) -> anyhow::Result<(Source, Contents)> {
        let source = app::policy_source(&self.common.config(TOOL)?);
        let contents = match &self.rules {
            None => source.read()?,
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                Contents { files: vec![(Arc::from(path.as_path()), text)], ..Contents::default() }
            }
        };
        Ok((source, contents))
    }
}

impl Check {
    /// The callers that are asked for.
    fn callers(&self) -> anyhow::Result<Option<Vec<Document>>> {
        let mut callers = match &self.credentials {
            Some(path) => documents(path)?,
            None if self.role.is_empty() => return Ok(None),
            None => vec![Document::new()],
        };
        for caller in callers.iter_mut().filter(|_| !self.role.is_empty()) {
            let roles = self.role.iter().cloned().map(Value::Text).collect();
            caller.insert("roles".to_owned(), Value::List(roles));
        }
        Ok(Some(callers))
    }

    /// Prints what each caller may do to each target.
    fn ask(&self, rules: &Rules, callers: &[Document], out: &mut dyn Write) -> anyhow::Result<()> {
        let targets = match &self.target {
            Some(path) => documents(path)?,
            None => vec![Document::new()],
        };
        for caller in callers {
            for target in &targets {
                let answers = self.answers(rules, &Caller(caller), target)?;
                if self.json {
                    writeln!(out, "{}", serde_json::to_string(&answers)?)?;
                    continue;
                }
                for (name, permitted) in answers {
                    writeln!(out, "{}: {name}", if permitted { "passed" } else { "failed" })?;
                }
            }
        }
        Ok(())
    }

    /// The answers by the names of the rules; without `--rule` of all that have a colon in their names, or stand in
    /// the file that is named.
    fn answers(
        &self,
        rules: &Rules,
        caller: &dyn Facts,
        target: &dyn Facts,
    ) -> anyhow::Result<BTreeMap<String, bool>> {
        let names: Vec<String> = match self.rule.as_slice() {
            [] => rules.all().map(|(name, _)| name.to_owned()).collect(),
            names => names.to_vec(),
        };
        let answer = |name: String| {
            let permitted = rules.permits_named(&name, caller, target);
            permitted.map(|permitted| (name.clone(), permitted)).with_context(|| format!("no rule {name}"))
        };
        names.into_iter().map(answer).collect()
    }
}

/// Credentials of a document. As in oslo.policy, a system scope is also known as `system`.
struct Caller<'a>(&'a Document);

impl Facts for Caller<'_> {
    fn fact(&self, key: &str) -> Option<policy::Fact<'_>> {
        let scope = || {
            self.0
                .get("system_scope")
                .filter(|scope| !matches!(scope, Value::Nothing) && !scope.text().is_empty())
        };
        match key {
            "system" => scope().map(policy::Fact::Value).or_else(|| self.0.fact(key)),
            _ => self.0.fact(key),
        }
    }
}

/// The JSON objects of a file, one after the other.
fn documents(path: &Path) -> anyhow::Result<Vec<Document>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let documents: Result<Vec<Document>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    documents.with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Rule;

    const FILE: &str = "etc/policy.yaml.sample";

    #[test]
    fn the_file_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
        if std::env::var_os("RENEW_SAMPLES").is_some() {
            std::fs::write(&path, sample()).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            file == sample(),
            "{FILE} is not what the rules say; renew it with: RENEW_SAMPLES=1 cargo test --lib cli::policy"
        );
    }

    #[test]
    fn every_rule_stands_in_the_sample_with_its_requests() {
        let sample = sample();
        for rule in Rule::ALL {
            assert!(sample.contains(&format!("#\"{}\": \"{}\"\n", rule.name(), rule.default_check())));
        }
        for route in
            Version::VARIANTS.iter().flat_map(|version| version.routes()).filter(|route| route.rule.is_some())
        {
            assert!(sample.contains(&format!("\n# {}  {}\n", route.method, route.path)));
        }
    }

    #[test]
    fn the_uncommented_sample_is_redundant_but_for_what_is_new() {
        let uncommented = |line: &str| line.strip_prefix("#\"").map(|line| format!("\"{line}\n"));
        let text: String = sample().lines().filter_map(uncommented).collect();
        let file: Arc<Path> = Path::new("policy.yaml").into();
        let rules = Rules::new(&[(file, text)], policy::Defaults::Reference, "default").unwrap();
        let new = policy::BLOCKS.iter().filter(|block| block.new).count();
        assert_eq!(rules.redundant().len(), Rule::ALL.len() + policy::BLOCKS.len() - new);
        assert_eq!(rules.findings().iter().filter(|finding| finding.mistake).count(), new);
    }
}
