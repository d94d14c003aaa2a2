//! `zaqar db`, also `zaqar-sql-db-manage`: the tables of the management database.

mod revision;

use std::io::Write as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use self::revision::Revision;
use super::common::{self, Common};
use crate::app;
use crate::storage::sql::SqlTables;

const TOOL: &str = "zaqar-sql-db-manage";

/// Options of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Answers as the Python service's tool where the two differ
    #[arg(long, hide = true)]
    as_reference: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bring the tables to a revision, the newest by default; may be run again and by several at once
    Upgrade(Way),
    /// Print the revision of the tables
    Current,
    /// Print all revisions, the newest first
    History,
    /// Note that the tables are of a revision, and change nothing else
    Stamp(Stamp),
    /// Fail unless the tables are of the newest revision
    Check,
    /// Print where the history of revisions forks: nowhere
    #[command(alias = "check_migration")]
    Branches,
    /// Refused: revisions only add, and older releases work on newer tables
    Downgrade(Way),
    /// Refused: revisions are part of this program
    Revision(New),
}

#[derive(Debug, Args)]
struct Way {
    /// head, 007 (the Python service's tables alone), zaqar2 …, or +N
    revision: Option<String>,
    /// So many revisions further
    #[arg(long, value_name = "N", conflicts_with = "revision")]
    delta: Option<usize>,
    /// Print the statements instead of running them
    #[arg(long)]
    sql: bool,
}

#[derive(Debug, Args)]
struct Stamp {
    /// head, 007, zaqar2 …
    revision: String,
    /// Print the statements instead of running them
    #[arg(long)]
    sql: bool,
}

#[derive(Debug, Args)]
struct New {
    /// What it is about
    #[arg(long, short)]
    message: Option<String>,
    /// Taken and ignored, as the other
    #[arg(long)]
    autogenerate: bool,
    /// Taken and ignored
    #[arg(long)]
    sql: bool,
}

/// Does what the verb says.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Upgrade(way) if arguments.as_reference && way.revision.is_none() && way.delta.is_none() => {
            bail!("You must provide a revision or relative delta")
        }
        Verb::History => return print(&revision::history()),
        Verb::Branches => return Ok(()),
        Verb::Downgrade(_) => {
            bail!("revisions only add, and older releases work on newer tables: there is no way back to take")
        }
        Verb::Revision(_) => bail!("revisions are part of this program: there is none to write"),
        Verb::Upgrade(_) | Verb::Current | Verb::Stamp(_) | Verb::Check => {}
    }
    let config = arguments.common.config(TOOL)?;
    let _telemetry = common::telemetry(&config, TOOL)?;
    let uri = app::management_uri(&config)?;
    let done = common::runtime(1)?.block_on(async {
        let tables = SqlTables::open(&uri).await?;
        let done = with(&tables, &arguments.verb).await;
        tables.close().await;
        done
    });
    done.context("management database")
}

async fn with(tables: &SqlTables, verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Upgrade(way) => upgrade(tables, way).await,
        Verb::Current => print(&revision::shown(&tables.current().await?)),
        Verb::Stamp(stamp) => {
            let Revision(version) = Revision::parse(&stamp.revision)?;
            if stamp.sql {
                return print(&tables.stamp_script(version));
            }
            Ok(tables.stamp(version).await?)
        }
        _ => check(tables).await,
    }
}

async fn upgrade(tables: &SqlTables, way: &Way) -> anyhow::Result<()> {
    let relative = way.revision.as_deref().and_then(|revision| revision.strip_prefix('+'));
    let delta = way.delta.or(relative.map(str::parse).transpose().context("not a number of revisions")?);
    // Without a database at hand the statements begin with an empty one, as the Python service's tool has it.
    let from = if way.sql { 0 } else { tables.current().await?.version };
    let target = match (delta, way.revision.as_deref()) {
        (Some(delta), _) => revision::ahead(from, delta)?,
        (None, Some(revision)) => Revision::parse(revision)?.0,
        (None, None) => SqlTables::NEWEST,
    };
    if way.sql {
        return print(&tables.script(from, target));
    }
    let mut report = String::new();
    for version in tables.upgrade(target).await? {
        report.push_str(&revision::step(version));
    }
    print(&report)
}

async fn check(tables: &SqlTables) -> anyhow::Result<()> {
    let current = tables.current().await?;
    if current.version < SqlTables::NEWEST {
        let found = revision::shown(&current);
        let found = if found.is_empty() { "empty" } else { found.trim_end() };
        bail!("the tables are not up to date ({found}); run: zaqar db upgrade");
    }
    print("the tables are up to date\n")
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output")
}
