//! Flavors: named sets of pools, by which a queue says what it wants of its store (rest.md 11).

use serde_json::{Value, json};

use super::pools;
use super::queues::page_size;
use super::{Context, Service};
use crate::error::{Error, POOL_MISMATCH, Result};
use crate::model::{Capability, Flavor, PoolName};
use crate::policy::Rule;
use crate::storage::{self, FlavorStored};

const FAILED: &str = "Flavors could not be read or changed.";

/// A flavor as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlavorView {
    /// Its name.
    pub name: String,
    /// The pools that serve it, by name.
    pub pools: Vec<PoolName>,
    /// What their stores can do.
    pub capabilities: Vec<Capability>,
}

impl Service {
    /// A page of the project's flavors, by name.
    pub async fn list_flavors(
        &self,
        context: &Context,
        marker: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Vec<FlavorView>> {
        context.granted(Rule::FlavorsGetAll)?;
        let failed = || Error::unavailable(FAILED);
        let most = self.limits().max_flavors_per_page;
        let limit = page_size(limit, most).ok_or_else(|| pools::page_error(most))?;
        let flavors = self.inner.stores.management.flavors(&context.project, marker, limit).await;
        let mut views = Vec::new();
        for flavor in flavors.map_err(failed())? {
            views.push(self.view(flavor).await.map_err(failed())?);
        }
        Ok(views)
    }

    /// One flavor of the project.
    pub async fn flavor(&self, context: &Context, name: &str) -> Result<FlavorView> {
        context.granted(Rule::FlavorsGet)?;
        self.flavor_view(context, name).await
    }

    async fn flavor_view(&self, context: &Context, name: &str) -> Result<FlavorView> {
        let flavor = self.stored_flavor(context, name).await?;
        let flavor = flavor.ok_or_else(|| Error::FlavorMissing(name.to_owned()))?;
        self.view(flavor).await.map_err(Error::unavailable(FAILED))
    }

    /// Makes a flavor by the body of a request, over one of the same name if there is one: the listed pools serve it,
    /// and those that did already. Unless it needs pools, the list may be left out.
    pub async fn put_flavor(
        &self,
        context: &Context,
        name: &str,
        body: &Value,
        needs_pools: bool,
    ) -> Result<()> {
        context.granted(Rule::FlavorsCreate)?;
        Self::check_name(name)?;
        let pools = new_pool_list(body)?;
        if needs_pools && pools.is_none() {
            return Err(Error::body("Missing \"pool_list\" field."));
        }
        let mut pools = pools.unwrap_or_default();
        let serving =
            self.inner.stores.management.pools_of(name).await.map_err(Error::unavailable(FAILED))?;
        let serving: Vec<_> = serving.into_iter().map(|pool| pool.name).collect();
        pools.extend(serving.into_iter().filter(|name| !pools.contains(name)).collect::<Vec<_>>());
        let before = self.stored_flavor(context, name).await?;
        let before = match before {
            Some(flavor) => Some(self.view(flavor).await.map_err(Error::unavailable(FAILED))?),
            None => None,
        };
        let action = if before.is_some() { "flavor.replace" } else { "flavor.create" };
        let refused = |problem| {
            let words = format!("Flavor {name} could not be created, error:{problem}");
            Error::FlavorRefused("Unable to create", words.into())
        };
        self.store_flavor(context, action, name, &pools, before.as_ref(), refused).await.map(drop)
    }

    /// Changes the pools of a flavor by the body of a request: the flavor then, its pools as they were listed.
    pub async fn patch_flavor(&self, context: &Context, name: &str, body: &Value) -> Result<FlavorView> {
        context.granted(Rule::FlavorsUpdate)?;
        let pools = changed_pool_list(body)?;
        let before = self.flavor_view(context, name).await?;
        let refused = |problem| {
            let words = format!("Flavor {name} cant be updated, error:{problem}");
            Error::FlavorRefused("updatefail", words.into())
        };
        self.store_flavor(context, "flavor.update", name, &pools, Some(&before), refused).await
    }

    /// Deletes a flavor; one that is missing is no error. Its pools serve none then.
    pub async fn delete_flavor(&self, context: &Context, name: &str) -> Result<()> {
        context.granted(Rule::FlavorsDelete)?;
        let before = match self.flavor_view(context, name).await {
            Err(Error::FlavorMissing(_)) => return Ok(()),
            before => before?,
        };
        let deleted = async {
            let deleted = self.inner.stores.management.delete_flavor(&context.project, name).await;
            deleted.map_err(Error::unavailable(FAILED))
        };
        if self.then_refreshed(deleted).await? {
            pools::record(context, "flavor.delete", name, Some(document(&before)), None);
        }
        Ok(())
    }

    /// Stores the flavor if its pools exist and can do the same.
    async fn store_flavor(
        &self,
        context: &Context,
        action: &'static str,
        name: &str,
        pools: &[PoolName],
        before: Option<&FlavorView>,
        refused: impl Fn(String) -> Error,
    ) -> Result<FlavorView> {
        let mut capabilities: Option<&'static [Capability]> = None;
        for pool in pools {
            let theirs = match self.capabilities(pool).await {
                Err(storage::Error::Gone) => return Err(refused(missing_pool(pool.as_str()))),
                theirs => theirs.map_err(Error::unavailable(FAILED))?,
            };
            if !pools::same(capabilities.unwrap_or(theirs), theirs) {
                return Err(refused(POOL_MISMATCH.to_owned()));
            }
            capabilities.get_or_insert(theirs);
        }
        let capabilities = capabilities.unwrap_or_default().to_vec();
        let flavor = Flavor { project: context.project.clone(), name: name.to_owned(), capabilities };
        let stored = async {
            let stored = self.inner.stores.management.put_flavor(&flavor, pools).await;
            stored.map_err(Error::unavailable(FAILED))
        };
        match self.then_refreshed(stored).await? {
            FlavorStored::Done => {}
            FlavorStored::NoSuchPool(pool) => return Err(refused(missing_pool(pool.as_str()))),
            FlavorStored::NameTaken => {
                return Err(Error::Conflict("The flavor's name is in use by another project.".into()));
            }
        }
        let after =
            FlavorView { name: flavor.name, pools: pools.to_vec(), capabilities: flavor.capabilities };
        pools::record(context, action, name, before.map(document), Some(document(&after)));
        Ok(after)
    }

    async fn stored_flavor(&self, context: &Context, name: &str) -> Result<Option<Flavor>> {
        let flavor = self.inner.stores.management.flavor(&context.project, name).await;
        flavor.map_err(Error::unavailable(FAILED))
    }

    /// The flavor with its pools, and with what the first of them can do; what was stored, where that cannot be asked.
    async fn view(&self, flavor: Flavor) -> storage::Result<FlavorView> {
        let pools = self.inner.stores.management.pools_of(&flavor.name).await?;
        let pools: Vec<_> = pools.into_iter().map(|pool| pool.name).collect();
        let capabilities = match pools.first() {
            Some(pool) => self.capabilities(pool).await.map(<[_]>::to_vec).unwrap_or(flavor.capabilities),
            None => flavor.capabilities,
        };
        Ok(FlavorView { name: flavor.name, pools, capabilities })
    }
}

/// The pools of a new flavor, if they are listed: nothing else than the list and `capabilities`, which mean nothing, is
/// taken.
fn new_pool_list(body: &Value) -> Result<Option<Vec<PoolName>>> {
    let fields = body.as_object().ok_or_else(|| Error::body("A flavor is an object."))?;
    if let Some(unknown) = fields.keys().find(|key| !matches!(key.as_str(), "pool_list" | "capabilities")) {
        return Err(Error::body(format!("A flavor has no field \"{unknown}\".")));
    }
    if fields.get("capabilities").is_some_and(|value| !value.is_object()) {
        return Err(Error::body("The \"capabilities\" field must be an object."));
    }
    fields.get("pool_list").map(pool_list).transpose()
}

/// The pools of a changed flavor; other fields are nobody's.
fn changed_pool_list(body: &Value) -> Result<Vec<PoolName>> {
    let list = body.as_object().and_then(|fields| fields.get("pool_list"));
    pool_list(list.ok_or_else(|| Error::body("`pool_list` needs to be specified"))?)
}

/// The names in a list, each once. What is no text names no pool, and is found missing by its text.
fn pool_list(list: &Value) -> Result<Vec<PoolName>> {
    let list = list.as_array().ok_or_else(|| Error::body("The \"pool_list\" field must be an array."))?;
    if list.is_empty() {
        return Err(Error::FlavorRefused("Unable to create", "Bad Request".into()));
    }
    let mut names: Vec<PoolName> = Vec::new();
    for value in list {
        let name = PoolName::new(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn missing_pool(name: &str) -> String {
    format!("Pool {name} does not exist")
}

/// The flavor for the audit log.
fn document(flavor: &FlavorView) -> String {
    let pools: Vec<_> = flavor.pools.iter().map(PoolName::as_str).collect();
    json!({ "pool_list": pools }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_flavor_is_a_list_of_pools_and_nothing_unknown() {
        let list = new_pool_list(&json!({ "pool_list": ["b", "a", "b"], "capabilities": {} })).unwrap();
        assert_eq!(list.unwrap(), [PoolName::new("b"), PoolName::new("a")]);
        assert_eq!(new_pool_list(&json!({ "capabilities": {} })).unwrap(), None);
        for bad in [
            json!([]),
            json!({ "pool_list": "p" }),
            json!({ "pool_list": 1 }),
            json!({ "pool_list": ["p"], "capabilities": 1 }),
            json!({ "pool_list": ["p"], "x": 1 }),
        ] {
            assert_eq!(new_pool_list(&bad).unwrap_err().title(), "Invalid request body", "{bad}");
        }
        let empty = new_pool_list(&json!({ "pool_list": [] })).unwrap_err();
        assert_eq!(
            (empty.title(), empty.description().unwrap().as_ref()),
            ("Unable to create", "Bad Request")
        );
    }

    #[test]
    fn a_changed_flavor_needs_its_list_and_may_bring_more() {
        let list = changed_pool_list(&json!({ "pool_list": ["a"], "capabilities": 1, "x": 1 })).unwrap();
        assert_eq!(list, [PoolName::new("a")]);
        for bad in [json!({}), json!([]), json!({ "pool_list": 1 }), json!({ "pool_list": [] })] {
            assert!(changed_pool_list(&bad).is_err(), "{bad}");
        }
    }
}
