//! The sample file, printed from the table in the manner of oslo-config-generator.

use std::fmt::Write;

use super::ini::quote;
use super::section::Group;
use super::value::Kind;
use super::{Config, OptionSpec};

/// The width of comments, in characters.
const WIDTH: usize = 78;

/// Every section with every option, its help and its default, all commented out.
pub fn sample() -> String {
    let mut text = String::from(
        "# Configuration of Zaqar, with every option and its default.\n\
         # It is read from ~/.zaqar/, ~/, /etc/zaqar/ or /etc/ under the name zaqar.conf.\n",
    );
    let mut previous = "";
    for group in Config::table() {
        if group.name != previous {
            print_section(&mut text, group);
            previous = group.name;
        }
        group.options.iter().for_each(|option| print_option(&mut text, group.name, option));
    }
    text
}

fn print_section(text: &mut String, group: &Group) {
    push(text, format_args!("\n\n[{}]\n\n#\n", group.name));
    print_comment(text, &words(group.help));
    text.push_str("#\n");
}

fn print_option(text: &mut String, group: &str, option: &OptionSpec) {
    let label = if option.multi { "multi valued" } else { option.kind.label() };
    text.push('\n');
    print_comment(text, &format!("{} ({label})", words(option.help)));
    if let Some(min) = option.min {
        push(text, format_args!("# Minimum value: {min}\n"));
    }
    if let Some(max) = option.max {
        push(text, format_args!("# Maximum value: {max}\n"));
    }
    if !option.choices.is_empty() {
        let names: Vec<&str> = option.choices.iter().map(|c| if c.is_empty() { "''" } else { c }).collect();
        print_comment(text, &format!("Possible values: {}", names.join(", ")));
    }
    for old in option.formerly {
        push(text, format_args!("# Deprecated group/name - [{group}]/{old}\n"));
    }
    if !option.acts_in(group) {
        text.push_str("# This option is read but has no effect here.\n");
    }
    let line = format!("#{} = {}", option.name, default(option));
    push(text, format_args!("{}\n", line.trim_end()));
}

/// The default as a file would give it.
fn default(option: &OptionSpec) -> String {
    match (option.default, option.kind) {
        ("", Kind::List | Kind::Dict) if !option.optional => String::new(),
        ("", _) if option.optional && !option.multi => "<None>".to_owned(),
        (text, _) => quote(text).into_owned(),
    }
}

/// The lines of a doc comment as one text.
fn words(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").replace('`', "")
}

/// Prints a text as a comment of whole words.
pub(crate) fn print_comment(text: &mut String, comment: &str) {
    let mut line = String::from("#");
    for word in comment.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line != "#" {
            push(text, format_args!("{line}\n"));
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    push(text, format_args!("{line}\n"));
}

/// Adds to a text.
pub(crate) fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a text takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ini;

    const FILE: &str = "etc/zaqar.conf.sample";

    #[test]
    fn the_file_is_what_the_table_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
        if std::env::var_os("RENEW_SAMPLES").is_some() {
            std::fs::write(&path, sample()).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            file == sample(),
            "{FILE} is not what the options say; renew it with: RENEW_SAMPLES=1 cargo test --lib config::sample"
        );
    }

    #[test]
    fn every_printed_default_is_read_back_as_the_default() {
        let uncommented: String = sample()
            .lines()
            .filter(|line| line.starts_with('[') || line.starts_with('#') && !line.starts_with("# "))
            .filter(|line| !line.ends_with("= <None>") && *line != "#")
            .map(|line| line.trim_start_matches('#').to_owned() + "\n")
            .collect();
        let read = ini::parse(&uncommented).unwrap();
        let printed: usize = Config::table().iter().flat_map(|group| group.options).count();
        let unset = sample().lines().filter(|line| line.ends_with("= <None>")).count();
        assert_eq!(read.len() + unset, printed);
        let from_sample = Config::from_ini(&uncommented).unwrap();
        for assignment in read {
            let groups = Config::table().iter().filter(|group| *group.name == *assignment.section);
            let option = groups.flat_map(|group| group.options).find(|option| option.name == assignment.key);
            assert_eq!(assignment.value, option.unwrap().default, "{}", assignment.key);
        }
        assert_eq!(from_sample.transport.max_message_ttl, Config::default().transport.max_message_ttl);
    }
}
