//! Pools over stores in RAM.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::storage::memory::{MemoryManagement, MemoryStore};
use crate::storage::{Catalogue as _, PoolChange};

/// An opener that counts, and fails where the URI says so.
fn opener(opened: &Arc<AtomicUsize>) -> Opener {
    let opened = opened.clone();
    Arc::new(move |uri, _| {
        opened.fetch_add(1, Ordering::SeqCst);
        let broken = uri.contains("broken");
        Box::pin(async move {
            tokio::task::yield_now().await;
            if broken {
                return Err(Error::unavailable("broken"));
            }
            Ok(Arc::new(MemoryStore::new()) as Arc<dyn DataStore>)
        })
    })
}

struct Fixture {
    pools: Arc<Pools>,
    management: Arc<MemoryManagement>,
    opened: Arc<AtomicUsize>,
    tasks: TaskTracker,
}

impl Fixture {
    async fn with(pools: &[(&str, &str)]) -> Self {
        let opened = Arc::default();
        Self::opening(pools, opener(&opened), opened).await
    }

    async fn opening(pools: &[(&str, &str)], open: Opener, opened: Arc<AtomicUsize>) -> Self {
        let management = Arc::new(MemoryManagement::new());
        for (name, uri) in pools {
            management.put_pool(&pool(name, uri)).await.unwrap();
        }
        let (default, tasks) = (Arc::new(MemoryStore::new()), TaskTracker::new());
        let pools = Pools::new(default, management.clone(), open, tasks.clone());
        Self { pools: Arc::new(pools), management, opened, tasks }
    }

    async fn store(&self, name: &str) -> Result<Arc<dyn DataStore>> {
        self.pools.store(Some(&PoolName::new(name))).await
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    async fn change(&self, name: &str, change: PoolChange) {
        self.management.change_pool(&PoolName::new(name), &change).await.unwrap();
        self.pools.refresh().await.unwrap();
    }
}

fn pool(name: &str, uri: &str) -> Pool {
    let options = Metadata::new();
    Pool { name: PoolName::new(name), uri: uri.into(), weight: 1, flavor: None, options }
}

#[tokio::test]
async fn a_pool_is_opened_once_when_it_is_needed() {
    let fixture = Fixture::with(&[("a", "x://a"), ("b", "x://b")]).await;
    assert_eq!((fixture.pools.all().await.unwrap().len(), fixture.opened()), (2, 0));
    let tasks = TaskTracker::new();
    for _ in 0..20 {
        let pools = fixture.pools.clone();
        tasks.spawn(async move { pools.store(Some(&PoolName::new("a"))).await.map(drop).unwrap() });
    }
    tasks.close();
    tasks.wait().await;
    assert_eq!(fixture.opened(), 1);
    let (a, b) = (fixture.store("a").await.unwrap(), fixture.store("b").await.unwrap());
    assert_ne!(a.identity().await.unwrap(), b.identity().await.unwrap());
    assert_eq!(fixture.opened(), 2);
}

#[tokio::test]
async fn a_pool_that_is_none_makes_the_record_stale_and_a_new_one_is_found() {
    let fixture = Fixture::with(&[("a", "x://a")]).await;
    fixture.store("a").await.unwrap();
    assert!(matches!(fixture.store("b").await, Err(Error::Gone)));
    fixture.management.put_pool(&pool("b", "x://b")).await.unwrap();
    fixture.store("b").await.unwrap();
}

#[tokio::test]
async fn a_changed_uri_is_another_store_and_the_old_one_ends_after_its_calls() {
    let fixture = Fixture::with(&[("a", "x://1"), ("b", "x://2")]).await;
    let (old, other) = (fixture.store("a").await.unwrap(), fixture.store("b").await.unwrap());
    fixture.change("a", PoolChange { uri: Some("x://3".into()), ..PoolChange::default() }).await;
    let new = fixture.store("a").await.unwrap();
    assert_ne!(new.identity().await.unwrap(), old.identity().await.unwrap());
    old.ping().await.expect("a call may be in flight on it");
    let watched = Arc::downgrade(&old);
    drop(old);
    fixture.tasks.close();
    fixture.tasks.wait().await;
    assert!(watched.upgrade().is_none(), "nothing holds it any more");
    other.ping().await.unwrap();
}

#[tokio::test]
async fn changed_options_are_another_store_and_a_changed_weight_is_not() {
    let fixture = Fixture::with(&[("a", "x://1")]).await;
    let first = fixture.store("a").await.unwrap().identity().await.unwrap();
    fixture.change("a", PoolChange { weight: Some(7), ..PoolChange::default() }).await;
    assert_eq!(fixture.pools.all().await.unwrap()[0].weight, 7);
    assert_eq!(fixture.store("a").await.unwrap().identity().await.unwrap(), first);
    let options: Metadata = HashMap::from([("k".to_owned(), 1.into())]).into_iter().collect();
    fixture.change("a", PoolChange { options: Some(options), ..PoolChange::default() }).await;
    assert_ne!(fixture.store("a").await.unwrap().identity().await.unwrap(), first);
}

#[tokio::test]
async fn a_broken_pool_is_not_tried_at_every_call_and_keeps_nobody_else_away() {
    let fixture = Fixture::with(&[("a", "x://broken"), ("b", "x://b")]).await;
    for _ in 0..10 {
        assert!(matches!(fixture.store("a").await, Err(Error::Unavailable(_))));
    }
    assert_eq!(fixture.opened(), 1);
    let every = fixture.pools.every().await;
    assert_eq!(every.iter().map(|(_, store)| store.is_ok()).collect::<Vec<_>>(), [true, false, true]);
    let start = Instant::now();
    while fixture.opened() < 3 && start.elapsed() < Duration::from_secs(10) {
        fixture.store("a").await.map(drop).unwrap_err();
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.opened(), 3, "but again after a while");
}

#[tokio::test]
async fn a_store_that_was_tried_serves_the_pool_that_is_stored_so_or_is_closed() {
    let fixture = Fixture::with(&[("a", "x://a")]).await;
    fixture.pools.all().await.unwrap();
    let tried = fixture.pools.reach("x://b", &Metadata::new()).await.unwrap();
    let identity = tried.identity().await.unwrap();
    drop(tried);
    fixture.management.put_pool(&pool("b", "x://b")).await.unwrap();
    fixture.pools.refresh().await.unwrap();
    assert_eq!(fixture.store("b").await.unwrap().identity().await.unwrap(), identity);
    let refused = Arc::downgrade(&fixture.pools.reach("x://c", &Metadata::new()).await.unwrap());
    fixture.pools.refresh().await.unwrap();
    fixture.tasks.close();
    fixture.tasks.wait().await;
    assert!(refused.upgrade().is_none());
}

#[tokio::test]
async fn the_last_pools_serve_while_the_management_store_is_away() {
    use crate::storage::Management as _;
    let fixture = Fixture::with(&[("a", "x://a")]).await;
    fixture.pools.all().await.unwrap();
    fixture.management.close().await;
    fixture.pools.refresh().await.unwrap_err();
    fixture.store("a").await.unwrap();
    assert_eq!(fixture.pools.all().await.unwrap().len(), 1);
}

/// An opener that refuses while the last store it opened is not closed, as for a file.
fn exclusive_opener() -> Opener {
    let last = Arc::new(Mutex::new(None::<std::sync::Weak<dyn DataStore>>));
    Arc::new(move |_, _| {
        let last = last.clone();
        Box::pin(async move {
            let before = last.lock().unwrap().as_ref().and_then(std::sync::Weak::upgrade);
            if let Some(before) = before
                && before.ping().await.is_ok()
            {
                return Err(Error::unavailable("the file is in use"));
            }
            let store: Arc<dyn DataStore> = Arc::new(MemoryStore::new());
            *last.lock().unwrap() = Some(Arc::downgrade(&store));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            Ok(store)
        })
    })
}

#[tokio::test]
async fn a_file_is_opened_again_only_when_its_last_store_has_ended() {
    let fixture = Fixture::opening(&[("a", "sqlite://f")], exclusive_opener(), Arc::default()).await;
    let in_use = fixture.store("a").await.unwrap();
    fixture.management.delete_pool(&PoolName::new("a"), false).await.unwrap();
    fixture.pools.refresh().await.unwrap();
    fixture.management.put_pool(&pool("b", "sqlite://f")).await.unwrap();
    let (again, ()) = tokio::join!(fixture.store("b"), async move {
        tokio::task::yield_now().await;
        drop(in_use);
    });
    again.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_being_opened_for_a_pool_on_its_way_out_is_ended_too() {
    let fixture = Fixture::opening(&[("a", "sqlite://f")], exclusive_opener(), Arc::default()).await;
    fixture.pools.all().await.unwrap();
    let early = async { fixture.store("a").await.map(drop) };
    let (early, again) = tokio::join!(early, async {
        fixture.management.delete_pool(&PoolName::new("a"), false).await.unwrap();
        fixture.pools.refresh().await.unwrap();
        fixture.management.put_pool(&pool("b", "sqlite://f")).await.unwrap();
        fixture.store("b").await
    });
    early.unwrap();
    again.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn what_is_looked_at_before_it_is_stored_is_closed_by_nobody_else() {
    let fixture = Fixture::with(&[]).await;
    let looked_at = fixture.pools.reach("x://a", &Metadata::new()).await.unwrap();
    fixture.pools.all().await.unwrap();
    fixture.store("a").await.map(drop).unwrap_err();
    fixture.pools.follow().await.unwrap();
    fixture.management.put_pool(&pool("a", "x://a")).await.unwrap();
    let stored = fixture.store("a").await.unwrap();
    assert!(Arc::ptr_eq(&looked_at, &stored), "the store is opened once");
    assert_eq!(fixture.opened(), 1);
}
