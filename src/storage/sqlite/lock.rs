//! One server on a file: an operating system's lock on a file beside it, which ends with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Problem;

/// The held lock.
#[derive(Debug)]
pub(super) struct Lock {
    /// Open for as long as the lock is held.
    _file: File,
}

impl Lock {
    /// Takes the lock of the store at `path`, or tells who holds it.
    pub(super) fn take(path: &Path) -> Result<Self, Problem> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Empty for the moment between its lock and its note.
                let _ = file.read_to_string(&mut holder);
                return Err(Problem::Locked(holder.trim().parse().ok()));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
