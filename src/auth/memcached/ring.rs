//! Which of several servers an entry lies on: as the Python client (python-memcached) decides, so that its services
//! and ours look in the same place.

use flate2::Crc;

/// How often another server is tried where the entry's own is dead (that client's number).
const TRIES: usize = 10;

/// The servers to ask for the entry of that name, of `servers` in all: its own first, then those that stand in while
/// it is dead. Some may come twice.
pub(super) fn places(name: &str, servers: usize) -> impl Iterator<Item = usize> {
    let mut hash = sum(name.as_bytes());
    (0..TRIES).filter(move |_| servers > 0).map(move |attempt| {
        let place = hash as usize % servers;
        hash = sum(format!("{hash}{attempt}").as_bytes());
        place
    })
}

/// Fifteen bits of the CRC-32.
fn sum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum() >> 16 & 0x7fff
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected numbers are those of python-memcached 1.62.

    #[test]
    fn entries_lie_where_the_python_client_puts_them() {
        assert_eq!(sum(b"tokens/a"), 9920);
        assert_eq!(sum(b"foo"), 3187);
        assert_eq!(places("tokens/a", 3).collect::<Vec<_>>(), [2, 1, 0, 1, 2, 0, 2, 0, 1, 1]);
        assert_eq!(places("tokens/b", 3).collect::<Vec<_>>(), [0, 2, 2, 0, 0, 1, 1, 2, 2, 2]);
        assert_eq!(places("tokens/e3b0", 3).collect::<Vec<_>>(), [2, 2, 2, 0, 1, 0, 2, 0, 0, 1]);
        assert_eq!(places("foo", 1).last(), Some(0));
        assert_eq!(places("foo", 0).next(), None);
    }
}
