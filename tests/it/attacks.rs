//! Attacks: what somebody tries who has a signature, a token or nothing, and wants more. A test each.
//!
//! Every service here holds secrets that the attacker has no right to: bodies that contain [`SECRET`]. Whatever an
//! attack is answered, it must not be one of them.

mod jws;
mod logs;
mod paths;
mod raw;
mod signatures;
mod tokens;

use reqwest::Method;
use serde_json::json;

use crate::support::signed::{KEY, Signed};
use crate::support::{Client, Store, TestApp};

/// What stands in messages that the attacker must not see.
const SECRET: &str = "not for your eyes";

/// The queue whose messages the attacker may list, of the project `p`.
const MESSAGES: &str = "/v2/queues/shared/messages";

/// The older versions are served too, and are no way around anything.
const OLD: &str = "[DEFAULT]\nenable_deprecated_api_versions = 1,1.1\n";

/// A service with a queue that is shared, and others that are not: of the same project and of another.
struct Scene {
    app: TestApp,
    /// Of the project `p`.
    owner: Client,
    /// Allows to list the messages of the queue `shared` of that project.
    url: Signed,
}

impl Scene {
    async fn set(ini: &str) -> Self {
        let app = TestApp::start(Store::Memory, &format!("{KEY}{OLD}{ini}")).await;
        let owner = app.client("p");
        owner.post_bodies("shared", &[json!("yours")]).await;
        for (project, queue) in [("p", "secret"), ("p", "shared2"), ("other", "shared"), ("None", "shared")] {
            app.client(project).post_bodies(queue, &[json!(SECRET)]).await;
        }
        let url = Signed::share(&owner, "shared", &json!({})).await;
        let scene = Self { app, owner, url };
        let seen =
            scene.url.send(&scene.owner, Method::GET, &format!("{MESSAGES}?echo=true")).await.expect(200);
        assert_eq!(seen.ids().len(), 1);
        scene
    }

    /// Whether nobody took or changed anything.
    async fn is_untouched(&self) {
        for (project, queue) in [("p", "shared"), ("p", "secret"), ("p", "shared2"), ("other", "shared")] {
            let stats =
                self.app.client(project).get(&format!("/v2/queues/{queue}/stats")).await.expect(200).json();
            assert_eq!(stats["messages"]["free"], 1, "{project}/{queue}");
        }
    }
}
