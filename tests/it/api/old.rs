//! The older versions of REST: v1 and v1.1.

mod everywhere;
mod v1;
mod v1_1;

use crate::support::{Store, TestApp};

/// The configuration that serves them.
const OLD: &str = "[DEFAULT]\nenable_deprecated_api_versions = 1,1.1\n";

/// A service with all versions, and more configuration.
async fn with_old(store: Store, ini: &str) -> TestApp {
    TestApp::start(store, &format!("{OLD}{ini}")).await
}
