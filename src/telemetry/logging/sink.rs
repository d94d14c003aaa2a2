//! Where bytes go: a stream, a log file that follows rotation, a socket of the system's logger.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::queue::Batch;

/// Something that takes batches. It never panics, and is called by one thread, which may block.
pub(super) trait Sink: Send {
    /// Writes the records: how many of them are lost.
    fn write(&mut self, batch: &Batch) -> u64;

    /// Opens what is behind it again, where that means something.
    fn reopen(&mut self) {}
}

/// A stream that is neither opened nor closed here, such as stderr.
pub(super) struct Stream<W> {
    out: W,
    /// The last write ended within a record.
    torn: bool,
}

impl<W: Write> Stream<W> {
    /// A sink that writes to `out`.
    pub(super) fn new(out: W) -> Self {
        Self { out, torn: false }
    }
}

impl<W: Write + Send> Sink for Stream<W> {
    fn write(&mut self, batch: &Batch) -> u64 {
        if self.torn && self.out.write_all(b"\n").is_err() {
            return batch.ends.len() as u64;
        }
        let written = write_some(&mut self.out, &batch.bytes);
        let whole = batch.ends.iter().filter(|end| **end <= written).count();
        self.torn = written > 0 && batch.ends[..whole].last() != Some(&written);
        (batch.ends.len() - whole) as u64
    }
}

/// Writes as much as can be written: how much that was.
fn write_some(out: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

/// A file that is appended to. When its name means another file, or none, it is opened anew by that name.
pub(super) struct LogFile {
    path: PathBuf,
    stream: Stream<File>,
}

impl LogFile {
    /// Opens or creates the file; its directory must exist. A new one is readable by owner and group.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), stream: Stream::new(open_append(path)?) })
    }

    /// True where somebody moved or removed the file. One `stat` for each batch is cheap.
    fn was_moved(&self) -> bool {
        match (std::fs::metadata(&self.path), self.stream.out.metadata()) {
            (Ok(named), Ok(open)) => (named.dev(), named.ino()) != (open.dev(), open.ino()),
            (Err(error), _) => error.kind() == ErrorKind::NotFound,
            (Ok(_), Err(_)) => false,
        }
    }
}

impl Sink for LogFile {
    fn write(&mut self, batch: &Batch) -> u64 {
        if self.was_moved() {
            self.reopen();
        }
        self.stream.write(batch)
    }

    /// Where the name cannot be opened, the file open so far goes on to be used, and the next batch tries again.
    fn reopen(&mut self) {
        if let Ok(file) = open_append(&self.path) {
            self.stream = Stream::new(file);
        }
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// A datagram socket of the system's logger; one record a datagram.
pub(super) struct Datagrams {
    path: PathBuf,
    /// None while the logger is away.
    socket: Option<UnixDatagram>,
}

/// How long one datagram may wait for a busy logger.
const SEND: Duration = Duration::from_secs(1);

impl Datagrams {
    /// Connects to the socket at `path`.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let mut sink = Self { path: path.to_owned(), socket: None };
        sink.connected()?;
        Ok(sink)
    }

    fn connected(&mut self) -> io::Result<&UnixDatagram> {
        if self.socket.is_none() {
            let socket = UnixDatagram::unbound()?;
            socket.connect(&self.path)?;
            socket.set_write_timeout(Some(SEND))?;
            self.socket = Some(socket);
        }
        self.socket.as_ref().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn send(&mut self, record: &[u8]) -> io::Result<()> {
        let result = self.connected()?.send(record).map(|_| ());
        if let Err(error) = &result
            && !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        {
            self.socket = None;
        }
        result
    }
}

impl Sink for Datagrams {
    fn write(&mut self, batch: &Batch) -> u64 {
        let mut lost = 0;
        for record in batch.records() {
            // A logger that was started anew has a new socket.
            if self.send(record).or_else(|_| self.send(record)).is_err() {
                lost += 1;
            }
        }
        lost
    }

    fn reopen(&mut self) {
        self.socket = None;
    }
}
