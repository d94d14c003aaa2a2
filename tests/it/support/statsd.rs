//! A statsd server that counts what is timed, and adds up what is counted.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// How long one waits for what is sent every second.
const PATIENCE: Duration = Duration::from_mins(1);

/// The server; what arrives waits in its socket until somebody asks.
pub(crate) struct Statsd {
    socket: UdpSocket,
    sums: HashMap<String, f64>,
}

impl Statsd {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_nonblocking(true).expect("a socket");
        Self { socket, sums: HashMap::new() }
    }

    /// The configuration of a service that sends its metrics here.
    pub(crate) fn ini(&self) -> String {
        let port = self.socket.local_addr().expect("its address").port();
        format!("[statsd]\nhost = 127.0.0.1\nport = {port}\nprefix = z\n")
    }

    /// How often each call of the management store was made so far, by its name.
    pub(crate) fn management(&mut self) -> HashMap<String, u64> {
        self.read();
        let calls = self.sums.iter().filter_map(|(name, sum)| {
            let call = name.strip_prefix("z.storage.call.management.")?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of calls")]
            Some((call.to_owned(), sum.round() as u64))
        });
        calls.collect()
    }

    /// Waits until the service has asked for other nodes' changes so many times more.
    pub(crate) async fn asked_for_changes(&mut self, times: u64) {
        let asked = |server: &mut Self| server.management().get("changes").copied().unwrap_or(0);
        let (start, enough) = (Instant::now(), asked(self) + times);
        while asked(self) < enough {
            assert!(start.elapsed() < PATIENCE, "nobody asks for changes");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the service has told of a counter, or of something timed, of that name: the sum so far.
    pub(crate) async fn told_of(&mut self, name: &str) -> f64 {
        let start = Instant::now();
        loop {
            self.read();
            if let Some(sum) = self.sums.get(name) {
                return *sum;
            }
            assert!(start.elapsed() < PATIENCE, "nobody tells of {name}: {:?}", self.sums);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn read(&mut self) {
        let mut buffer = vec![0; 65_536];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            for line in String::from_utf8_lossy(&buffer[..length]).lines() {
                self.add(line);
            }
        }
    }

    /// Takes in a line such as `name:1.5|ms|@0.1`: at that rate it stands for ten. A counter's own number counts.
    fn add(&mut self, line: &str) {
        let Some((name, rest)) = line.split_once(':') else { return };
        let mut parts = rest.split('|');
        let events = match (parts.next(), parts.next()) {
            (Some(_), Some("ms")) => 1.0,
            (Some(number), Some("c")) => number.parse().expect("a number"),
            _ => return,
        };
        let rate = parts.next().and_then(|part| part.strip_prefix('@')?.parse::<f64>().ok());
        *self.sums.entry(name.to_owned()).or_default() += events / rate.unwrap_or(1.0);
    }
}
