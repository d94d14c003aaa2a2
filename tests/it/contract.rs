//! One suite for every store.
//!
//! Each test is a function over a [`fixture::Queue`] (or a management store) and is run once for each store
//! that `every_store` (or `every_management`) names; `deployments` runs them all on those that take long to start.
//! Time is passed in as plain values.
//!
//! A new store needs a function in `fixture`, named as the store, a line in the macro, and a test in `model`.

/// Makes of each named function a test for each store of messages.
macro_rules! every_store {
    ($($test:ident),+ $(,)?) => {
        tests_of!(memory, crate::contract::fixture::Queue::open_in, $($test),+);
        tests_of!(sqlite, crate::contract::fixture::Queue::open_in, $($test),+);
        tests_of!(redis, crate::contract::fixture::Queue::open_in, $($test),+);
        tests_of!(redis_scripts, crate::contract::fixture::Queue::open_in, $($test),+);

        /// These tests for deployments that take long to start.
        pub(crate) const CASES: &[crate::contract::deployments::Case] =
            &[$(|queue| Box::pin($test(queue))),+];
    };
}

/// Makes of each named function a test for each management store.
macro_rules! every_management {
    ($($test:ident),+ $(,)?) => {
        tests_of!(memory_management, crate::contract::fixture::management, $($test),+);
        tests_of!(sql_management, crate::contract::fixture::management, $($test),+);
        tests_of!(mariadb_management, crate::contract::fixture::management, $($test),+);
        tests_of!(postgres_management, crate::contract::fixture::management, $($test),+);
    };
}

/// A module named as the store, with one test for each function.
macro_rules! tests_of {
    ($store:ident, $wrap:path, $($test:ident),+) => {
        mod $store {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let store = crate::contract::fixture::$store().await;
                    super::$test(&$wrap(store).await).await;
                }
            )+
        }
    };
}

pub(crate) mod bodies;
mod catalogue;
pub(crate) mod claims;
pub(crate) mod concurrency;
mod dead_letters;
pub(crate) mod delays;
pub(crate) mod deletion;
pub(crate) mod deployments;
mod epochs;
pub(crate) mod expiry;
pub(crate) mod fixture;
mod lifecycle;
pub(crate) mod listing;
mod management;
pub(crate) mod posting;
pub(crate) mod reading;
pub(crate) mod removal;
pub(crate) mod stats;
pub(crate) mod steps;
pub(crate) mod subscriptions;
pub(crate) mod tenants;
mod transfer;
pub(crate) mod wakes;
