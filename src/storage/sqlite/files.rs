//! The files of a store: made for their owner alone, and named durably.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Makes the directory of `path` (0700) where it is missing: the path with its links resolved.
pub(super) fn prepare_directory(path: &Path) -> io::Result<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let missing: Vec<&Path> = parent.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    for directory in missing {
        sync_directory_of(directory)?;
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    // A link to the file and the file itself must meet at the same lock.
    path.canonicalize().or_else(|_| Ok(parent.canonicalize()?.join(name)))
}

/// Makes the file (0600) where it is missing; SQLite gives its other files the same mode.
pub(super) fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file.sync_all(),
        // Never opened here: closing it would take SQLite's own locks from this process.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => Err(error),
    }?;
    sync_directory_of(path)
}

/// Has the name of `path` outlive a crash.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
