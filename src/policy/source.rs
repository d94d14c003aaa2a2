//! Where rules come from: the policy file and the directories of further ones, found as oslo.config finds them.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::rule::Defaults;
use super::{file, rules::Rules};

/// The name of the file that is looked for where nobody says another, and the one that it had before.
const USUAL: (&str, &str) = ("policy.yaml", "policy.json");

/// What stops the start, or keeps the old rules. Each variant prints as one line.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file or directory cannot be read.
    #[error("{path}: cannot be read: {source}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be used.
    #[error("{file}:{line}: {problem}", file = file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The rules cannot be used.
    #[error("policy: {0}")]
    Refused(String),
}

impl PolicyError {
    /// The error of a line of a file.
    pub(super) fn broken(file: &Path, line: usize, problem: String) -> Self {
        Self::Broken { file: file.to_owned(), line, problem }
    }
}

/// What `[oslo_policy]` says of the sources of rules.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The directories in which relative names are looked for, in order.
    pub search_path: Vec<PathBuf>,
    /// `policy_file`
    pub file: PathBuf,
    /// Whether the operator named that file, who then should hear if it is missing.
    pub file_named: bool,
    /// `policy_dirs`
    pub directories: Vec<PathBuf>,
    /// `policy_default_rule`
    pub fallback: String,
    /// `enforce_new_defaults`, `enforce_scope`
    pub defaults: Defaults,
}

/// The files of a source, read, with what operators should hear of them.
#[derive(Debug, Default)]
pub struct Contents {
    /// Names and texts, in the order in which they count.
    pub files: Vec<(Arc<Path>, String)>,
    /// One line each.
    pub notes: Vec<String>,
}

/// What a look at the files shows of them: when another look shows something else, one of them has changed.
pub(super) type Look = BTreeMap<PathBuf, (i64, i64, u64, u64)>;

impl Source {
    /// Reads the files. A missing file is none; the defaults count then.
    pub fn read(&self) -> Result<Contents, PolicyError> {
        let mut contents = Contents::default();
        if self.file_named && self.main_file().is_none() {
            contents.notes.push(format!("{}: no such policy file; the defaults count", self.file.display()));
        }
        for path in self.paths()? {
            let text = read(&path)?;
            if file::is_json(&text) || path.extension().is_some_and(|end| end == "json") {
                let note = "is JSON, which is deprecated for policies; write it as YAML";
                contents.notes.push(format!("{}: {note}", path.display()));
            }
            contents.files.push((path.into(), text));
        }
        Ok(contents)
    }

    /// The rules of these files over the defaults.
    pub fn rules(&self, contents: &Contents) -> Result<Rules, PolicyError> {
        Rules::new(&contents.files, self.defaults, &self.fallback)
    }

    /// Looks at the files and directories without reading them.
    pub(super) fn look(&self) -> Look {
        let directories = self.directories.iter().filter_map(|name| self.find(name));
        let paths = self.paths().unwrap_or_default().into_iter().chain(directories);
        let stamp = |at: &Metadata| (at.mtime(), at.mtime_nsec(), at.size(), at.ino());
        paths.filter_map(|path| Some((path.clone(), stamp(&std::fs::metadata(path).ok()?)))).collect()
    }

    /// The files that there are: the policy file, then those of each directory by name.
    fn paths(&self) -> Result<Vec<PathBuf>, PolicyError> {
        let mut paths: Vec<PathBuf> = self.main_file().into_iter().collect();
        for name in &self.directories {
            if let Some(directory) = self.find(name) {
                paths.extend(visible_files(&directory)?);
            }
        }
        Ok(paths)
    }

    /// The policy file. Where the usual one is missing, the one of older releases counts.
    fn main_file(&self) -> Option<PathBuf> {
        let older = || (self.file.as_os_str() == USUAL.0).then(|| self.find(Path::new(USUAL.1))).flatten();
        self.find(&self.file).or_else(older)
    }

    /// The first of that name on the search path.
    fn find(&self, name: &Path) -> Option<PathBuf> {
        if name.as_os_str().is_empty() {
            return None;
        }
        if name.is_absolute() {
            return name.exists().then(|| name.to_owned());
        }
        self.search_path.iter().map(|directory| directory.join(name)).find(|path| path.exists())
    }
}

/// The text of a file.
fn read(path: &Path) -> Result<String, PolicyError> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::InvalidData => PolicyError::broken(path, 1, "is not UTF-8".to_owned()),
        _ => PolicyError::Read { path: path.to_owned(), source },
    })
}

/// The files of a directory by name, without hidden ones and without those of directories in it.
fn visible_files(directory: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let failed = |source| PolicyError::Read { path: directory.to_owned(), source };
    let entries: Result<Vec<_>, _> = std::fs::read_dir(directory).map_err(failed)?.collect();
    let mut files: Vec<PathBuf> = entries.map_err(failed)?.iter().map(std::fs::DirEntry::path).collect();
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    files.retain(|path| !hidden(path) && !path.is_dir());
    files.sort();
    Ok(files)
}
