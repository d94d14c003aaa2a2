//! The command line: one verb for each thing an operator does.
//!
//! Run under a name of the Python service's tools (`zaqar-server`, `zaqar-gc` …, as symbolic links), the binary
//! is that tool.

mod common;
mod config;
mod db;
mod gc;
mod policy;
mod server;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// OpenStack messaging: queues, claims and pushed messages over REST and WebSocket.
#[derive(Debug, Parser)]
#[command(name = "zaqar", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the REST and WebSocket APIs.
    Server(server::Arguments),
    /// Free the space of expired messages and claims, once, also beside a running server.
    Gc(gc::Arguments),
    /// Look at the tables of the management database, and upgrade them.
    Db(db::Arguments),
    /// Print a sample of the configuration file, every option with its help.
    Config(config::Arguments),
    /// Print a sample of the policy file, check the files in use, and ask what a caller may do.
    Policy(policy::Arguments),
}

/// Names under which the binary is a tool of its own, and the verb that each means.
const TOOLS: &[(&str, &[&str])] = &[
    ("zaqar-server", &["server"]),
    ("zaqar-gc", &["gc"]),
    ("zaqar-sql-db-manage", &["db", "--as-reference"]),
];

/// Runs the command of these arguments (the program's name first) to its end.
///
/// Exit codes: 0 done, 1 failed (one line on standard error says why), 2 wrong usage.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_stem);
    let name = name.and_then(|name| name.to_str()).unwrap_or("zaqar").to_owned();
    if let Some((_, verb)) = TOOLS.iter().find(|(tool, _)| *tool == name) {
        arguments.splice(1..1, verb.iter().map(OsString::from));
    } else if name.starts_with("zaqar-") {
        let known: Vec<_> = TOOLS.iter().map(|(tool, _)| *tool).collect();
        return failed(&anyhow::anyhow!("{name} is no tool of this binary; it has {}", known.join(", ")));
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return error.print().map_or(ExitCode::FAILURE, |()| ExitCode::from(code));
        }
    };
    let done = match cli.verb {
        Verb::Server(arguments) => server::run(&arguments),
        Verb::Gc(arguments) => gc::run(&arguments),
        Verb::Db(arguments) => db::run(&arguments),
        Verb::Config(arguments) => config::run(&arguments),
        Verb::Policy(arguments) => policy::run(&arguments),
    };
    done.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "the one line that tells why the command failed")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("zaqar: {error:#}");
    ExitCode::FAILURE
}
