//! Where configuration comes from: files on the search path or named by the operator, the environment, and the
//! command line. All of the outside world is in [`Sources`], so that tests need none of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The surroundings of a process, as far as its configuration depends on them.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The name of the program: `zaqar-server` also reads `zaqar-server.conf`.
    pub program: String,
    /// The root of the file system, `/`; the search path lies below it.
    pub root: PathBuf,
    /// The user's home directory, if there is one.
    pub home: Option<PathBuf>,
    /// The environment. Of it only `OS_<GROUP>__<OPTION>` gives values.
    pub environment: BTreeMap<String, String>,
    /// The files of `--config-file`, in order, read in place of those of the search path.
    pub config_files: Vec<PathBuf>,
    /// The directories of `--config-dir`, in order, read after the files, in place of those of the search path.
    pub config_dirs: Vec<PathBuf>,
    /// Options that the command line sets: section, name and text. They win over everything else.
    pub settings: Vec<(String, String, String)>,
}

impl Sources {
    /// No source at all: every option has its default.
    pub fn none() -> Self {
        Self {
            program: String::new(),
            root: PathBuf::from("/"),
            home: None,
            environment: BTreeMap::new(),
            config_files: Vec::new(),
            config_dirs: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// The surroundings of this process. Variables that are not UTF-8 are taken with replacement characters.
    pub fn from_process(program: &str, config_files: Vec<PathBuf>, config_dirs: Vec<PathBuf>) -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self {
            program: program.to_owned(),
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            environment: std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect(),
            config_files,
            config_dirs,
            ..Self::none()
        }
    }

    /// Sets an option as the command line does, over every other source.
    #[must_use]
    pub fn with(mut self, group: &str, option: &str, text: &str) -> Self {
        self.settings.push((group.to_owned(), option.to_owned(), text.to_owned()));
        self
    }

    /// The files to read, in order; later ones override.
    ///
    /// On the search path the first `zaqar.conf` and the first `<program>.conf` count, then the first
    /// `zaqar.conf.d` and `<program>.conf.d`. Directories give their `*.conf` by name.
    pub fn files(&self) -> Result<Vec<PathBuf>, ConfigError> {
        let mut files = self.named_or_found(&self.config_files, ".conf");
        for dir in self.named_or_found(&self.config_dirs, ".conf.d") {
            files.extend(in_directory(&dir)?);
        }
        Ok(files)
    }

    /// The directories in which a file is looked for that an option names relatively, in the order of oslo.config:
    /// the configuration's directories, those of its files from the last to the first, then the usual ones.
    pub fn search_path(&self) -> Vec<PathBuf> {
        let files = self.named_or_found(&self.config_files, ".conf");
        // A file without a directory lies in the current one, which the empty path is.
        let beside = files.iter().rev().filter_map(|file| file.parent().map(Path::to_owned));
        let mut path = self.named_or_found(&self.config_dirs, ".conf.d");
        path.extend(beside.chain(self.usual()));
        path
    }

    /// What the operator names, or else what lies on the search path.
    fn named_or_found(&self, named: &[PathBuf], extension: &str) -> Vec<PathBuf> {
        if named.is_empty() {
            return self.on_path(extension);
        }
        named.iter().map(|path| self.at_home(path)).collect()
    }

    /// The usual directories of configurations.
    fn usual(&self) -> Vec<PathBuf> {
        let home = self.home.iter().flat_map(|home| [home.join(".zaqar"), home.clone()]);
        home.chain([self.root.join("etc/zaqar"), self.root.join("etc")]).collect()
    }

    /// The first entry on the search path for each of the service's and the program's name.
    fn on_path(&self, extension: &str) -> Vec<PathBuf> {
        let dirs = self.usual();
        let names = ["zaqar", &self.program].into_iter().filter(|name| !name.is_empty());
        names
            .filter_map(|name| {
                let file = format!("{name}{extension}");
                dirs.iter().map(|dir| dir.join(&file)).find(|path| path.exists())
            })
            .collect()
    }

    /// The path with a leading `~` filled in.
    fn at_home(&self, path: &Path) -> PathBuf {
        match (&self.home, path.strip_prefix("~")) {
            (Some(home), Ok(rest)) => home.join(rest),
            _ => path.to_owned(),
        }
    }
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.split(|byte| *byte == b'\n').skip(1).count();
        ConfigError::Encoding { path: path.to_owned(), line }
    })
}

/// The visible `*.conf` files of a directory, by name.
fn in_directory(dir: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { path: dir.to_owned(), source };
    let entries: Result<Vec<_>, _> = std::fs::read_dir(dir).map_err(failed)?.collect();
    let mut files: Vec<PathBuf> = entries.map_err(failed)?.iter().map(std::fs::DirEntry::path).collect();
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    files.retain(|path| path.extension().is_some_and(|end| end == "conf") && !hidden(path) && !path.is_dir());
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sources in an empty root directory, with a home in it.
    fn sources() -> (tempfile::TempDir, Sources) {
        let root = tempfile::tempdir().unwrap();
        let home = Some(root.path().join("home"));
        let sources =
            Sources { program: "zaqar-server".into(), root: root.path().into(), home, ..Sources::none() };
        (root, sources)
    }

    fn write(root: &tempfile::TempDir, names: &[&str]) {
        for name in names {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }

    /// The files below the root, as texts.
    fn found(root: &tempfile::TempDir, sources: &Sources) -> Vec<String> {
        let files = sources.files().unwrap();
        files.iter().map(|f| f.strip_prefix(root.path()).unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_first_of_each_name_on_the_path_counts() {
        let (root, sources) = sources();
        assert!(found(&root, &sources).is_empty());
        write(&root, &["etc/zaqar.conf", "etc/zaqar/zaqar.conf", "etc/zaqar-server.conf"]);
        write(&root, &["etc/zaqar/zaqar.conf.d/b.conf", "etc/zaqar/zaqar.conf.d/a.conf", "etc/other.conf"]);
        write(&root, &["home/.zaqar/zaqar-server.conf.d/c.conf", "etc/zaqar-gc.conf"]);
        assert_eq!(
            found(&root, &sources),
            [
                "etc/zaqar/zaqar.conf",
                "etc/zaqar-server.conf",
                "etc/zaqar/zaqar.conf.d/a.conf",
                "etc/zaqar/zaqar.conf.d/b.conf",
                "home/.zaqar/zaqar-server.conf.d/c.conf",
            ]
        );
        write(&root, &["home/zaqar.conf"]);
        assert_eq!(found(&root, &sources)[0], "home/zaqar.conf");
        write(&root, &["home/.zaqar/zaqar.conf"]);
        assert_eq!(found(&root, &sources)[0], "home/.zaqar/zaqar.conf");
    }

    #[test]
    fn named_files_and_directories_replace_those_of_the_path() {
        let (root, mut sources) = sources();
        write(&root, &["etc/zaqar.conf", "etc/zaqar.conf.d/a.conf", "home/x.conf", "d/2.conf", "d/1.conf"]);
        write(&root, &["d/.hidden.conf", "d/no.txt", "d/dir.conf/x"]);
        sources.config_files = vec!["~/x.conf".into()];
        assert_eq!(found(&root, &sources), ["home/x.conf", "etc/zaqar.conf.d/a.conf"]);
        sources.config_dirs = vec![root.path().join("d")];
        assert_eq!(found(&root, &sources), ["home/x.conf", "d/1.conf", "d/2.conf"]);
        sources.config_files.clear();
        assert_eq!(found(&root, &sources), ["etc/zaqar.conf", "d/1.conf", "d/2.conf"]);
    }

    #[test]
    fn relative_files_lie_beside_the_configuration_or_where_it_is_looked_for() {
        let (root, mut sources) = sources();
        let below = |sources: &Sources| {
            let path = sources.search_path().into_iter();
            path.map(|dir| dir.strip_prefix(root.path()).unwrap_or(&dir).display().to_string())
                .collect::<Vec<_>>()
        };
        let usual = ["home/.zaqar", "home", "etc/zaqar", "etc"];
        assert_eq!(below(&sources), usual);
        write(&root, &["etc/zaqar.conf", "etc/zaqar/zaqar-server.conf", "etc/zaqar.conf.d/a.conf"]);
        assert_eq!(below(&sources)[..3], ["etc/zaqar.conf.d", "etc/zaqar", "etc"]);
        sources.config_files =
            vec![root.path().join("a/x.conf"), root.path().join("b/y.conf"), "z.conf".into()];
        sources.config_dirs = vec![root.path().join("d")];
        assert_eq!(below(&sources)[..4], ["d", "", "b", "a"]);
        assert_eq!(below(&sources)[4..], usual);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let (root, mut sources) = sources();
        sources.config_dirs = vec![root.path().join("missing")];
        let error = sources.files().unwrap_err().to_string();
        assert!(error.contains("missing: cannot be read: "), "{error}");
        let error = read(&root.path().join("gone.conf")).unwrap_err().to_string();
        assert!(error.contains("gone.conf: cannot be read: "), "{error}");
        std::fs::write(root.path().join("x.conf"), b"[a]\n\nx=\xff\n").unwrap();
        let error = read(&root.path().join("x.conf")).unwrap_err().to_string();
        assert!(error.ends_with("x.conf:3: is not UTF-8"), "{error}");
    }
}
