//! The public keys that signed tokens are checked with: a directory that the operator rotates keys in.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use jsonwebtoken::DecodingKey;

/// The length of a public key on the curve P-256.
const POINT: usize = 65;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// The keys of a directory.
pub(super) struct Repository {
    directory: PathBuf,
    keys: ArcSwap<Vec<DecodingKey>>,
    /// What the directory looked like when it was last read, with or without success.
    seen: Mutex<Vec<File>>,
}

/// A file by what changes when somebody writes to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    name: OsString,
    length: u64,
    modified: Option<SystemTime>,
}

/// Why the keys of a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The directory or a file cannot be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file holds something else.
    #[error("{}: no public key of the curve P-256 in PEM form", .0.display())]
    NoKey(PathBuf),
    /// There is no file whose name ends in `.pem`.
    #[error("no *.pem in it")]
    Empty,
}

impl Repository {
    /// Reads the keys, and starts a thread that looks at the directory every so often: no request ever waits for it.
    pub(super) fn open(directory: &Path, every: Duration) -> Result<Arc<Self>, RepositoryError> {
        let seen = files(directory)?;
        let keys = read(directory, &seen)?;
        let repository =
            Self { directory: directory.into(), keys: ArcSwap::from_pointee(keys), seen: seen.into() };
        let repository = Arc::new(repository);
        let watched = Arc::downgrade(&repository);
        let thread = std::thread::Builder::new().name("jws-keys".to_owned());
        let started = thread.spawn(move || watch(&watched, every));
        started.map_err(|cause| RepositoryError::Unreadable { path: directory.into(), cause })?;
        Ok(repository)
    }

    /// The keys as they were when the directory was last read.
    pub(super) fn current(&self) -> arc_swap::Guard<Arc<Vec<DecodingKey>>> {
        self.keys.load()
    }

    /// Reads the directory again if it changed. Where that fails the old keys stay, and the log says so, once for
    /// each change.
    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = files(&self.directory);
        let unseen = found.as_ref().cloned().unwrap_or_default();
        if *seen == unseen {
            return;
        }
        match found.and_then(|files| read(&self.directory, &files)) {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the keys of signed tokens were read again");
                self.keys.store(Arc::new(keys));
            }
            Err(error) => {
                tracing::error!("the keys of signed tokens cannot be read, the old ones stay: {error}");
            }
        }
        *seen = unseen;
    }
}

fn watch(repository: &Weak<Repository>, every: Duration) {
    loop {
        std::thread::sleep(every);
        let Some(repository) = repository.upgrade() else { return };
        repository.look();
    }
}

/// The files of keys, in order.
fn files(directory: &Path) -> Result<Vec<File>, RepositoryError> {
    let unreadable = |path: &Path, cause| RepositoryError::Unreadable { path: path.into(), cause };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|cause| unreadable(directory, cause))? {
        let path = entry.map_err(|cause| unreadable(directory, cause))?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|end| end == "pem")) else {
            continue;
        };
        let facts = std::fs::metadata(&path).map_err(|cause| unreadable(&path, cause))?;
        if facts.is_file() {
            files.push(File { name: name.to_owned(), length: facts.len(), modified: facts.modified().ok() });
        }
    }
    files.sort();
    if files.is_empty() { Err(RepositoryError::Empty) } else { Ok(files) }
}

fn read(directory: &Path, files: &[File]) -> Result<Vec<DecodingKey>, RepositoryError> {
    files.iter().map(|file| key(&directory.join(&file.name), file.length)).collect()
}

fn key(path: &Path, length: u64) -> Result<DecodingKey, RepositoryError> {
    let no_key = || RepositoryError::NoKey(path.into());
    if length > MAX_FILE {
        return Err(no_key());
    }
    let pem = std::fs::read(path);
    let pem = pem.map_err(|cause| RepositoryError::Unreadable { path: path.into(), cause })?;
    let key = DecodingKey::from_ec_pem(&pem).map_err(|_| no_key())?;
    let is_p256 = key.try_get_as_bytes().is_ok_and(|point| point.len() == POINT);
    if is_p256 { Ok(key) } else { Err(no_key()) }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("directory", &self.directory).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair as _,
    };
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn pem(algorithm: &'static EcdsaSigningAlgorithm) -> String {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let text = BASE64_STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    fn p256() -> String {
        pem(&ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    fn wait_for(repository: &Repository, keys: usize) {
        let start = Instant::now();
        while repository.current().len() != keys {
            assert!(start.elapsed() < Duration::from_secs(30), "never {keys} keys");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_directory_that_changes_is_read_again_and_a_broken_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("one.pem"), p256()).unwrap();
        std::fs::write(file("readme.txt"), "not a key").unwrap();
        let repository = Repository::open(directory.path(), Duration::from_millis(1)).unwrap();
        assert_eq!(repository.current().len(), 1);
        std::fs::write(file("next"), p256()).unwrap();
        std::fs::rename(file("next"), file("two.pem")).unwrap();
        wait_for(&repository, 2);
        std::fs::write(file("two.pem"), "").unwrap();
        repository.look();
        assert_eq!(repository.current().len(), 2);
        std::fs::remove_file(file("two.pem")).unwrap();
        wait_for(&repository, 1);
        std::fs::remove_dir_all(directory.path()).unwrap();
        repository.look();
        assert_eq!(repository.current().len(), 1);
    }

    #[test]
    fn the_thread_ends_with_the_repository() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("one.pem"), p256()).unwrap();
        let repository = Repository::open(directory.path(), Duration::from_millis(1)).unwrap();
        let watched = Arc::downgrade(&repository);
        drop(repository);
        let start = Instant::now();
        while watched.strong_count() > 0 {
            assert!(start.elapsed() < Duration::from_secs(30));
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let opened = || Repository::open(directory.path(), Duration::from_secs(1)).unwrap_err().to_string();
        assert_eq!(opened(), "no *.pem in it");
        for content in ["", "no key", &pem(&ECDSA_P384_SHA384_FIXED_SIGNING), &p256()[..80]] {
            std::fs::write(directory.path().join("bad.pem"), content).unwrap();
            assert!(
                opened().ends_with("bad.pem: no public key of the curve P-256 in PEM form"),
                "{}",
                opened()
            );
        }
        let missing = directory.path().join("missing");
        let error = Repository::open(&missing, Duration::from_secs(1)).unwrap_err().to_string();
        assert!(error.starts_with(missing.to_str().unwrap()), "{error}");
    }
}
