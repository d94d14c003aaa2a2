//! What callers may do: rules of policy files, asked on every route, read anew while the service runs.

mod files;
mod operations;
mod roles;
mod routes;
mod tool;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Store, TestApp};

/// The answer to whoever may not.
const REFUSED: &str =
    r#"{"title":"Not authorized","description":"You are not authorized to complete this action."}"#;

/// A folder with a policy file.
struct Folder(TempDir);

impl Folder {
    /// One whose file holds that text.
    fn with(rules: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(rules);
        folder
    }

    /// Its policy file.
    fn file(&self) -> PathBuf {
        self.0.path().join("policy.yaml")
    }

    /// Writes the file as careful editors do: aside, then in its place.
    fn write(&self, rules: &str) {
        let aside = self.0.path().join(".policy.yaml");
        std::fs::write(&aside, rules).unwrap();
        std::fs::rename(&aside, self.file()).unwrap();
    }

    /// The configuration that names it, with all routes mounted.
    fn ini(&self) -> String {
        ini(&self.file())
    }
}

fn ini(file: &Path) -> String {
    let everything = "[DEFAULT]\nadmin_mode = true\npooling = true\nenable_deprecated_api_versions = 1,1.1\n\
                      [pooling:catalog]\nenable_virtual_pool = true\n";
    format!("[oslo_policy]\npolicy_file = {}\n{everything}", file.display())
}

/// A service under these rules.
async fn under(rules: &str) -> (Folder, TestApp) {
    let folder = Folder::with(rules);
    let app = TestApp::start(Store::Memory, &folder.ini()).await;
    (folder, app)
}
