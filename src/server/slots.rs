//! How many connections are open, in all and for each client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ListenerSettings;

/// Connections since the start; telemetry reads them when it likes.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
}

impl ConnectionCounts {
    /// Open now, upgraded ones included.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Accepted and served since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Closed at once since the start, because a limit was reached.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Slow clients since the start: their handshake, header, body or taking of the answer took too long.
    /// Idle ones do not count.
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Ordering::Relaxed)
    }

    pub(super) fn count_timed_out(&self) {
        self.timed_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// Hands out the right to be open.
#[derive(Debug)]
pub(super) struct Slots {
    counts: Arc<ConnectionCounts>,
    max: u64,
    max_per_address: Option<usize>,
    /// Locked when a connection begins and ends, and only where addresses are limited.
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

impl Slots {
    pub(super) fn new(settings: &ListenerSettings) -> Self {
        Self {
            counts: Arc::clone(&settings.counts),
            max: settings.max_connections as u64,
            max_per_address: settings.max_connections_per_address,
            addresses: Mutex::default(),
        }
    }

    /// A slot for a client, or None (counted) when a limit is reached.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Slot> {
        let slot = self.try_take(client);
        let count = if slot.is_some() { &self.counts.accepted } else { &self.counts.refused };
        count.fetch_add(1, Ordering::Relaxed);
        slot
    }

    fn try_take(self: &Arc<Self>, client: IpAddr) -> Option<Slot> {
        if self.counts.open() >= self.max {
            return None;
        }
        let network = match self.max_per_address {
            Some(max) => Some(self.enter(network(client), max)?),
            None => None,
        };
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        Some(Slot { slots: Arc::clone(self), network })
    }

    fn enter(&self, network: IpAddr, max: usize) -> Option<IpAddr> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let open = addresses.get(&network).copied().unwrap_or(0);
        if open >= max {
            return None;
        }
        addresses.insert(network, open + 1);
        Some(network)
    }

    fn leave(&self, network: IpAddr) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = addresses.get_mut(&network) {
            *open -= 1;
            if *open == 0 {
                addresses.remove(&network);
            }
        }
    }
}

/// One open connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    network: Option<IpAddr>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.counts.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(network) = self.network {
            self.slots.leave(network);
        }
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 /64, of which one host may use every address.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(max_connections: usize, max_connections_per_address: Option<usize>) -> Arc<Slots> {
        let settings =
            ListenerSettings { max_connections, max_connections_per_address, ..ListenerSettings::default() };
        Arc::new(Slots::new(&settings))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_total_is_limited_and_given_back() {
        let slots = slots(2, None);
        let first = slots.take(ip("10.0.0.1")).unwrap();
        let _second = slots.take(ip("10.0.0.2")).unwrap();
        assert!(slots.take(ip("10.0.0.3")).is_none());
        drop(first);
        let _third = slots.take(ip("10.0.0.3")).unwrap();
        assert_eq!((slots.counts.open(), slots.counts.accepted(), slots.counts.refused()), (2, 3, 1));
    }

    #[test]
    fn an_address_is_limited_whatever_its_notation() {
        let slots = slots(100, Some(2));
        let _first = slots.take(ip("10.0.0.1")).unwrap();
        let second = slots.take(ip("::ffff:10.0.0.1")).unwrap();
        assert!(slots.take(ip("10.0.0.1")).is_none());
        assert!(slots.take(ip("10.0.0.2")).is_some());
        drop(second);
        assert!(slots.take(ip("10.0.0.1")).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let slots = slots(100, Some(1));
        let first = slots.take(ip("2001:db8:1:2::1")).unwrap();
        assert!(slots.take(ip("2001:db8:1:2:ffff::9")).is_none());
        assert!(slots.take(ip("2001:db8:1:3::1")).is_some());
        drop(first);
        assert!(slots.addresses.lock().unwrap().is_empty());
    }
}
