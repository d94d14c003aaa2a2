//! PostgreSQL: one server for all tests of this process, or one of a test's own; a new database for each test.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::database::{Supervised, is_root, program, run, wait_until_ready};

const PACKAGE: &str = "postgresql";

/// Who runs the server where the tests run as root, which it refuses to be.
const USER: &str = "postgres";

/// A running server, reached by its socket.
pub(crate) struct Postgres {
    server: Option<Supervised>,
    directory: PathBuf,
    created: AtomicU32,
    /// Absent where the supervisor removes the directory.
    _own: Option<TempDir>,
}

impl Postgres {
    /// The server of this process.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED
            .get_or_init(async || {
                let directory = install().keep();
                let server = serve(&directory, Some(&directory)).await;
                Self { server: Some(server), directory, created: AtomicU32::new(0), _own: None }
            })
            .await
    }

    /// A server of the test's own, which it may stop.
    pub(crate) async fn start() -> Self {
        let own = install();
        let directory = own.path().to_owned();
        let server = serve(&directory, None).await;
        Self { server: Some(server), directory, created: AtomicU32::new(0), _own: Some(own) }
    }

    /// Ends the server at once, as after a crash.
    pub(crate) fn kill(&mut self) {
        self.server.take().expect("it runs").stop();
    }

    /// Starts the server again.
    pub(crate) async fn restart(&mut self) {
        self.server = Some(serve(&self.directory, None).await);
    }

    /// The URL of a new empty database, as an OpenStack configuration has it.
    pub(crate) async fn database(&self) -> String {
        let name = format!("zaqar{}", self.created.fetch_add(1, Ordering::Relaxed));
        // A collation that does not sort by bytes, as most installations have.
        let collation =
            "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C.UTF-8' TEMPLATE template0";
        let text = format!("CREATE DATABASE {name} {collation}");
        let mut admin = connect(&self.directory, USER).await.expect("a connection");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut admin).await.expect("a new database");
        self.url(&name)
    }

    /// The URL of a database.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgresql+psycopg2://{USER}@/{name}?host={}", self.directory.display())
    }
}

/// A connection of another program to the database of that URL.
pub(crate) async fn other_program(url: &str) -> PgConnection {
    let (rest, directory) = url.split_once("?host=").expect("a URL of Postgres::database");
    let name = rest.rsplit('/').next().expect("a URL of Postgres::database");
    connect(Path::new(directory), name).await.expect("a connection")
}

async fn connect(directory: &Path, database: &str) -> sqlx::Result<PgConnection> {
    let options = sqlx::postgres::PgConnectOptions::new().username(USER).database(database).port(5432);
    PgConnection::connect_with(&options.socket(directory)).await
}

/// The folders of the server's programs, the newest version first.
fn folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        std::cmp::Reverse(version.and_then(|version| version.parse::<u32>().ok()))
    });
    versions
}

/// The command line of one of the server's programs, as a user that it accepts.
fn line(name: &str) -> Vec<String> {
    let program = program(name, &folders(), PACKAGE).display().to_string();
    if !is_root() {
        return vec![program];
    }
    let (user, group) = (format!("--reuid={USER}"), format!("--regid={USER}"));
    vec!["setpriv".into(), user, group, "--init-groups".into(), program]
}

/// A directory with a server's first files.
fn install() -> TempDir {
    let directory = tempfile::Builder::new().prefix("zaqar-postgres-").tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("open to its user");
    let initdb = line("initdb");
    if is_root() {
        run(&["chown", USER, directory.path().to_str().expect("text")]);
    }
    let data = directory.path().join("data").display().to_string();
    let settings = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];
    let user = format!("--username={USER}");
    run(&[initdb, settings.map(Into::into).to_vec(), vec![user, "-D".into(), data]].concat());
    directory
}

async fn serve(directory: &Path, remove: Option<&Path>) -> Supervised {
    let mut line = line("postgres");
    line.extend(["-D".into(), directory.join("data").display().to_string()]);
    let sockets = format!("unix_socket_directories={}", directory.display());
    // Nothing that a test checks needs a disk: no process of these tests outlives the machine.
    let settings =
        ["listen_addresses=", "port=5432", "fsync=off", "max_connections=300", "shared_buffers=32MB"];
    for setting in settings.into_iter().chain([sockets.as_str()]) {
        line.extend(["-c".into(), setting.into()]);
    }
    let log = directory.join("log");
    let server = Supervised::start(&line, "QUIT", remove, &log);
    wait_until_ready("PostgreSQL", &log, async || connect(directory, USER).await.is_ok()).await;
    server
}
