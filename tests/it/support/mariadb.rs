//! MariaDB: one server for all tests of this process, or one of a test's own; a new database for each test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::database::{Supervised, is_root, program, run, wait_until_ready};

const PACKAGE: &str = "mariadb-server";

/// A running server, reached by its socket.
pub(crate) struct MariaDb {
    server: Option<Supervised>,
    directory: PathBuf,
    created: AtomicU32,
    /// Absent where the supervisor removes the directory.
    _own: Option<TempDir>,
}

impl MariaDb {
    /// The server of this process.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<MariaDb> = OnceCell::const_new();
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

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.server.take().expect("it runs").stop();
    }

    /// Starts the server again.
    pub(crate) async fn restart(&mut self) {
        self.server = Some(serve(&self.directory, None).await);
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        let pid = std::fs::read_to_string(self.directory.join("pid")).expect("it runs");
        pid.trim().parse().expect("a number")
    }

    /// The URL of a new empty database, as an OpenStack configuration has it.
    pub(crate) async fn database(&self) -> String {
        let name = format!("zaqar{}", self.created.fetch_add(1, Ordering::Relaxed));
        // What a cloud's tools make: the character set that was usual, and its collation.
        let text = format!("CREATE DATABASE {name} CHARACTER SET utf8");
        let mut admin = self.connect("mysql").await;
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut admin).await.expect("a new database");
        self.url(&name)
    }

    /// The URL of a database.
    pub(crate) fn url(&self, name: &str) -> String {
        let socket = socket(&self.directory);
        format!("mysql+pymysql://root@localhost/{name}?charset=utf8&unix_socket={}", socket.display())
    }

    async fn connect(&self, database: &str) -> MySqlConnection {
        connect(&self.directory, database).await.expect("a connection")
    }
}

/// A connection of another program to the database of that URL.
pub(crate) async fn other_program(url: &str) -> MySqlConnection {
    let (rest, socket) = url.split_once("unix_socket=").expect("a URL of MariaDb::database");
    let name = rest.split(['/', '?']).nth(3).expect("a URL of MariaDb::database");
    let directory = Path::new(socket).parent().expect("the server's directory");
    connect(directory, name).await.expect("a connection")
}

async fn connect(directory: &Path, database: &str) -> sqlx::Result<MySqlConnection> {
    let options = sqlx::mysql::MySqlConnectOptions::new().username("root").database(database);
    MySqlConnection::connect_with(&options.socket(socket(directory))).await
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("socket")
}

/// A directory with a server's first files.
fn install() -> TempDir {
    let directory = tempfile::Builder::new().prefix("zaqar-mariadb-").tempdir().expect("a directory");
    let installer = program("mariadb-install-db", &[], PACKAGE);
    let data = format!("--datadir={}", directory.path().join("data").display());
    let mut line = vec![installer.display().to_string(), "--no-defaults".into(), data];
    line.extend(["--auth-root-authentication-method=normal", "--skip-test-db"].map(Into::into));
    if is_root() {
        line.push("--user=root".into());
    }
    run(&line);
    directory
}

async fn serve(directory: &Path, remove: Option<&Path>) -> Supervised {
    let server = program("mariadbd", &["/usr/sbin".into()], PACKAGE);
    let mut line = vec![server.display().to_string(), "--no-defaults".into()];
    line.push(format!("--datadir={}", directory.join("data").display()));
    line.push(format!("--socket={}", socket(directory).display()));
    line.push(format!("--pid-file={}", directory.join("pid").display()));
    // Nothing that a test checks needs a disk: no process of these tests outlives the machine.
    let settings = ["skip-networking", "innodb-flush-log-at-trx-commit=2", "max-connections=500"];
    let small = ["innodb-buffer-pool-size=32M", "innodb-log-file-size=8M", "performance-schema=OFF"];
    line.extend(settings.iter().chain(&small).map(|setting| format!("--{setting}")));
    if is_root() {
        line.push("--user=root".into());
    }
    let log = directory.join("log");
    let server = Supervised::start(&line, "KILL", remove, &log);
    wait_until_ready("MariaDB", &log, async || connect(directory, "mysql").await.is_ok()).await;
    server
}
