//! A master, its replicas and three Sentinels that watch over them.

use super::server::{RedisServer, Setup, quoted};
use super::wait_until;

/// The name under which the Sentinels know the master.
const MASTER: &str = "zaqar-master";

/// Sentinels; two of them must agree on a failover.
const SENTINELS: usize = 3;

/// A deployment with Sentinels.
pub(crate) struct RedisSentinels {
    /// The servers of data. The first is the master at the start.
    pub(crate) servers: Vec<RedisServer>,
    pub(crate) sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// One master, two replicas in step with it, three Sentinels that see all of them.
    pub(crate) fn start() -> Self {
        Self::with(&Setup::default(), None)
    }

    /// The same with that set-up of the servers and a password of the Sentinels.
    pub(crate) fn with(setup: &Setup, password: Option<&str>) -> Self {
        let master = RedisServer::with(setup.clone());
        let lines = [format!("replicaof 127.0.0.1 {}", master.port)];
        let replica = || RedisServer::with(following(setup, &lines));
        let servers = vec![replica(), replica()];
        let servers: Vec<_> = std::iter::once(master).chain(servers).collect();
        wait_until("replicas in step", || {
            servers[1..].iter().all(|replica| replica.info("master_link_status").as_deref() == Some("up"))
        });
        let sentinel = || RedisServer::with(watching(&servers[0], password));
        let sentinels: Vec<_> = (0..SENTINELS).map(|_| sentinel()).collect();
        let deployment = Self { servers, sentinels };
        wait_until("Sentinels that know each other", || deployment.is_watched());
        deployment
    }

    /// The URI with the Sentinels, its options begun.
    pub(crate) fn uri(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port)).collect();
        format!("redis://{}?master={MASTER}", hosts.join(","))
    }

    /// Which server is the master, by its own account and that of the others.
    pub(crate) fn master(&mut self) -> &mut RedisServer {
        let port = self.named().expect("the Sentinels name a master");
        self.servers.iter_mut().find(|server| server.port == port).expect("one of ours")
    }

    /// The port of the master that the first Sentinel names.
    pub(crate) fn named(&self) -> Option<u16> {
        let words = ["SENTINEL", "get-master-addr-by-name", MASTER];
        let answer = self.sentinels[0].try_command(&words).ok()?;
        let (_, port): (String, u16) = redis::from_redis_value(answer).ok()?;
        Some(port)
    }

    /// Has the Sentinels make another server the master, until they have. A failover that does not come to its end in
    /// time, as on a busy machine, is given up by them and ordered again here; one that is under way refuses the order.
    pub(crate) fn fail_over(&self, before: u16) {
        wait_until("another master", || {
            let done = self.named() != Some(before);
            if !done {
                let _ = self.sentinels[0].try_command(&["SENTINEL", "FAILOVER", MASTER]);
            }
            done
        });
    }

    /// True when each Sentinel sees both replicas and both other Sentinels.
    fn is_watched(&self) -> bool {
        let sees = |sentinel: &RedisServer| {
            let info = sentinel.info("master0").unwrap_or_default();
            info.contains("status=ok") && info.contains("slaves=2") && info.contains("sentinels=3")
        };
        self.sentinels.iter().all(sees)
    }
}

/// A replica, with the password that its master wants.
fn following(setup: &Setup, lines: &[String]) -> Setup {
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    setup.clone().with(&lines)
}

fn watching(master: &RedisServer, password: Option<&str>) -> Setup {
    let mut lines = vec![
        format!("sentinel monitor {MASTER} 127.0.0.1 {} 2", master.port),
        format!("sentinel down-after-milliseconds {MASTER} 1000"),
        format!("sentinel failover-timeout {MASTER} 5000"),
    ];
    if let Some(password) = master.password() {
        lines.push(format!("sentinel auth-pass {MASTER} {}", quoted(password)));
    }
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let setup = Setup::default().sentinel().with(&lines);
    match password {
        Some(password) => setup.password(password),
        None => setup,
    }
}
