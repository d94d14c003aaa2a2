//! The state directory of the embedded stores (decision 17).

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Where a packaged service keeps its state.
const SYSTEM: &str = "/var/lib/zaqar";

/// The directory of the embedded stores, made with mode 0700 where it is missing: what is configured, else
/// `$STATE_DIRECTORY` (systemd's), else `/var/lib/zaqar` if it can be written, else `$XDG_DATA_HOME/zaqar`,
/// else `~/.local/share/zaqar`.
pub fn state_directory(
    configured: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<PathBuf> {
    let set = |name| environment(name).filter(|value| !value.is_empty());
    // systemd may list several, separated by colons; the first is ours.
    let systemd = set("STATE_DIRECTORY").and_then(|list| list.split(':').next().map(PathBuf::from));
    let home = || {
        let data = set("XDG_DATA_HOME").map(PathBuf::from);
        data.or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/share")))
            .map(|data| data.join("zaqar"))
    };
    let directory = configured
        .map(PathBuf::from)
        .or(systemd)
        .or_else(|| prepare(Path::new(SYSTEM)).is_ok().then(|| SYSTEM.into()))
        .or_else(home)
        .context("no state directory: set [DEFAULT] state_path, or HOME")?;
    prepare(&directory).with_context(|| format!("state directory {}", directory.display()))?;
    Ok(directory)
}

/// Makes the directory, or sees that an existing one can be written to and is closed to others.
fn prepare(directory: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    tempfile_in(directory)?;
    let mut permissions = std::fs::metadata(directory)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o700);
        std::fs::set_permissions(directory, permissions)?;
    }
    Ok(())
}

/// Shows that files can be made there.
fn tempfile_in(directory: &Path) -> std::io::Result<()> {
    let probe = directory.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(&probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_wins_and_is_closed_to_others() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        let (set, systemd) = (path("set"), path("systemd"));
        let environment = |name: &str| (name == "STATE_DIRECTORY").then(|| format!("{systemd}:/other"));
        assert_eq!(state_directory(Some(&set), environment).unwrap(), PathBuf::from(&set));
        assert_eq!(state_directory(None, environment).unwrap(), PathBuf::from(&systemd));
        let mode = std::fs::metadata(&systemd).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let below = file.path().join("state");
        let error = state_directory(below.to_str(), |_| None).unwrap_err();
        assert!(format!("{error:#}").contains(below.to_str().unwrap()));
    }
}
