//! Files that cannot be used. Databases of the Python service are tested in `tests/it/sql`.

use super::*;
use crate::storage::sql::OpenError;

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text.db");
    std::fs::write(&path, "x".repeat(8_192)).unwrap();
    for path in [path, directory.path().join("missing/m.db"), directory.path().to_owned()] {
        let Err(OpenError::File { path: named, .. }) = SqlManagement::open(&url(&path)).await else {
            panic!("{} was opened", path.display());
        };
        assert_eq!(named, path);
    }
}
