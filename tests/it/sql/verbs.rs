//! `zaqar db` and `zaqar-sql-db-manage`, as an administrator runs them.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use zaqar::storage::sql::SqlManagement;

use super::common::{Fresh, Kind};
use crate::support::process::BINARY;

every_database!(
    a_new_database_is_upgraded_step_by_step,
    stamping_changes_the_version_alone,
    the_printed_statements_do_the_same,
    the_reference_tools_options_work,
    two_commands_at_once_both_end_well,
);

/// The tool under the name of the Python service's.
const MANAGE: &str = "zaqar-sql-db-manage";

/// Runs a tool on that database: its exit code, standard output and standard error.
fn tool(name: &str, fresh: &Fresh, arguments: &[&str]) -> (Option<i32>, String, String) {
    ended(command(name, fresh, arguments).output().unwrap())
}

fn command(name: &str, fresh: &Fresh, arguments: &[&str]) -> Command {
    let directory = tempfile::tempdir().unwrap().keep();
    let file = directory.join("zaqar.conf");
    let url = fresh.url.replace('%', "%%");
    let text = format!(
        "[DEFAULT]\nstate_path = {}\n[drivers:management_store:sqlalchemy]\nuri = {url}\n",
        directory.display()
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(BINARY);
    command.arg0(name);
    if name == "zaqar" {
        command.arg("db");
    }
    command.arg("--config-file").arg(file).args(arguments);
    command
}

fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn a_new_database_is_upgraded_step_by_step(fresh: &Fresh) {
    assert_eq!(tool("zaqar", fresh, &["current"]), (Some(0), String::new(), String::new()));
    let (code, _, said) = tool("zaqar", fresh, &["check"]);
    assert!(code == Some(1) && said.contains("run: zaqar db upgrade"), "{said}");
    let (code, said, _) = tool("zaqar", fresh, &["upgrade", "007"]);
    assert!(code == Some(0) && said.starts_with("Running upgrade <base> -> 007, "), "{said}");
    assert_eq!(tool("zaqar", fresh, &["current"]).1, "007\n");
    let (code, said, _) = tool("zaqar", fresh, &["upgrade", "+1"]);
    assert!(code == Some(0) && said.starts_with("Running upgrade 007 -> zaqar2, "), "{said}");
    let (code, said, _) = tool("zaqar", fresh, &["upgrade"]);
    assert!(code == Some(0) && said.starts_with("Running upgrade zaqar2 -> zaqar3 (head), "), "{said}");
    assert_eq!(tool("zaqar", fresh, &["upgrade"]), (Some(0), String::new(), String::new()));
    assert_eq!(tool("zaqar", fresh, &["current"]).1, "zaqar3 (head)\n");
    assert_eq!(tool("zaqar", fresh, &["check"]).0, Some(0));
    SqlManagement::open(&fresh.url).await.unwrap();
}

async fn the_reference_tools_options_work(fresh: &Fresh) {
    let (code, _, said) = tool(MANAGE, fresh, &["upgrade"]);
    assert!(code == Some(1) && said.contains("You must provide a revision or relative delta"), "{said}");
    let (code, _, said) = tool(MANAGE, fresh, &["upgrade", "--delta", "9"]);
    assert!(code == Some(1) && said.contains("9 revisions ahead"), "{said}");
    assert_eq!(tool(MANAGE, fresh, &["upgrade", "--delta", "1"]).0, Some(0));
    assert_eq!(tool(MANAGE, fresh, &["upgrade", "head"]).0, Some(0));
    assert_eq!(tool(MANAGE, fresh, &["current"]).1, "zaqar3 (head)\n");
    let (code, said, _) = tool(MANAGE, fresh, &["history"]);
    assert!(code == Some(0) && said.starts_with("zaqar2 -> zaqar3 (head), "), "{said}");
    for silent in ["branches", "check_migration"] {
        assert_eq!(tool(MANAGE, fresh, &[silent]), (Some(0), String::new(), String::new()), "{silent}");
    }
    for (refused, why) in [
        (&["downgrade", "006"][..], "no way back"),
        (&["downgrade", "--delta", "1", "--sql"], "no way back"),
        (&["revision", "-m", "mine", "--autogenerate"], "none to write"),
        (&["upgrade", "008"], "head, 007, zaqar2"),
        (&["stamp", "006"], "head, 007, zaqar2"),
    ] {
        let (code, _, said) = tool(MANAGE, fresh, refused);
        assert!(code == Some(1) && said.contains(why), "{refused:?}: {said}");
    }
}

async fn stamping_changes_the_version_alone(fresh: &Fresh) {
    let (code, said, _) = tool(MANAGE, fresh, &["stamp", "--sql", "zaqar2"]);
    assert!(code == Some(0) && said.contains("INSERT INTO zaqar_schema"), "{said}");
    assert_eq!(tool(MANAGE, fresh, &["current"]).1, "");
    assert_eq!(tool(MANAGE, fresh, &["stamp", "zaqar2"]), (Some(0), String::new(), String::new()));
    assert_eq!(tool(MANAGE, fresh, &["current"]).1, "zaqar2\n");
    assert_eq!(tool(MANAGE, fresh, &["stamp", "head"]).0, Some(0));
    assert_eq!(tool(MANAGE, fresh, &["current"]).1, "zaqar3 (head)\n");
    let mut other = fresh.other().await;
    assert!(other.try_run(r#"SELECT 1 FROM "Queues""#).await.is_err());
    assert_eq!(other.column("SELECT version_num FROM alembic_version").await, ["007"]);
}

async fn the_printed_statements_do_the_same(fresh: &Fresh) {
    let (code, statements, _) = tool("zaqar", fresh, &["upgrade", "--sql"]);
    assert_eq!(code, Some(0));
    fresh.other().await.run(&statements).await;
    assert_eq!(tool("zaqar", fresh, &["check"]).0, Some(0));
    SqlManagement::open(&fresh.url).await.unwrap();
}

async fn two_commands_at_once_both_end_well(fresh: &Fresh) {
    let start =
        || command("zaqar", fresh, &["upgrade"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let both = [start(), start()];
    let said = both.map(|child| ended(child.wait_with_output().unwrap()));
    assert!(said.iter().all(|(code, ..)| *code == Some(0)), "{said:?}");
    // Each step was taken by one of them.
    let lines: usize = said.iter().map(|(_, stdout, _)| stdout.lines().count()).sum();
    assert_eq!(lines, 3, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_refuses_older_tables_with_the_command_to_run() {
    for kind in [Kind::MariaDb, Kind::Postgres] {
        let fresh = kind.fresh().await;
        let url = fresh.url.replace('%', "%%");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zaqar.conf");
        let text = format!(
            "[DEFAULT]\nstate_path = {}\n[drivers:management_store:sqlalchemy]\nuri = {url}\n",
            directory.path().display()
        );
        std::fs::write(&file, text).unwrap();
        let (code, _, said) =
            ended(Command::new(BINARY).args(["server", "--config-file"]).arg(&file).output().unwrap());
        assert!(code == Some(1) && said.contains("run: zaqar db upgrade"), "{said}");
    }
}
