//! Pools; each function is one attempt.

use super::SqlManagement;
use super::error::is_duplicate;
use super::row::Row;
use super::session::{Session, values};
use super::statements::{places, pools as sql};
use crate::model::{Metadata, Pool, PoolName};
use crate::storage::{Error, PoolChange, PoolDeletion, PoolStored, Result};

impl SqlManagement {
    /// Stores a pool, over one of the same name if there is one.
    pub(super) async fn store_pool(&self, pool: &Pool) -> Result<PoolStored> {
        let mut session = self.database.begin().await?;
        session.fetch(sql::lock(session.dialect()), values![pool.name.as_str()]).await?;
        write(session, pool).await
    }

    /// Changes some of a pool.
    pub(super) async fn alter_pool(&self, name: &PoolName, change: &PoolChange) -> Result<PoolStored> {
        let mut session = self.database.begin().await?;
        let row = session.fetch_first(sql::lock(session.dialect()), values![name.as_str()]).await?;
        let Some(old) = row.map(|row| pool(&row)).transpose()? else {
            session.rollback().await?;
            return Ok(PoolStored::Missing);
        };
        let changed = Pool {
            weight: change.weight.unwrap_or(old.weight),
            uri: change.uri.clone().unwrap_or(old.uri),
            flavor: change.flavor.clone().unwrap_or(old.flavor),
            options: change.options.clone().unwrap_or(old.options),
            name: old.name,
        };
        write(session, &changed).await
    }

    /// The pool of that name.
    pub(super) async fn find_pool(&self, name: &PoolName) -> Result<Option<Pool>> {
        let mut session = self.database.read().await?;
        let row = session.fetch_first(sql::ONE, values![name.as_str()]).await?;
        row.map(|row| pool(&row)).transpose()
    }

    /// A page of pools.
    pub(super) async fn list_pools(&self, after: Option<&PoolName>, limit: usize) -> Result<Vec<Pool>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut session = self.database.read().await?;
        let rows = match after {
            Some(after) => session.fetch(sql::PAGE, values![after.as_str(), limit]).await?,
            None => session.fetch(sql::FIRST_PAGE, values![limit]).await?,
        };
        rows.iter().map(pool).collect()
    }

    /// The pools of a flavor.
    pub(super) async fn list_pools_of(&self, flavor: &str) -> Result<Vec<Pool>> {
        let mut session = self.database.read().await?;
        session.fetch(sql::OF_FLAVOR, values![flavor]).await?.iter().map(pool).collect()
    }

    /// Deletes a pool and the places in it, unless something forbids it.
    pub(super) async fn remove_pool(&self, name: &PoolName, protect_used: bool) -> Result<PoolDeletion> {
        let mut session = self.database.begin().await?;
        let row = session.fetch_first(sql::lock(session.dialect()), values![name.as_str()]).await?;
        let pool = row.map(|row| pool(&row)).transpose()?;
        if let Some(refused) = refusal(&mut session, pool, protect_used).await? {
            session.rollback().await?;
            return Ok(refused);
        }
        session.execute(places::DELETE_POOL, values![name.as_str()]).await?;
        session.execute(sql::DELETE, values![name.as_str()]).await?;
        session.note_pools().await?;
        session.commit().await?;
        Ok(PoolDeletion::Deleted)
    }
}

/// Why a pool is not to be deleted.
async fn refusal(session: &mut Session, pool: Option<Pool>, protect: bool) -> Result<Option<PoolDeletion>> {
    let Some(pool) = pool else { return Ok(Some(PoolDeletion::Missing)) };
    if let Some(flavor) = pool.flavor
        && session.fetch(sql::OF_FLAVOR, values![flavor.as_str()]).await?.len() == 1
    {
        return Ok(Some(PoolDeletion::OnlyPoolOf(flavor)));
    }
    let name = pool.name.as_str();
    if session.fetch_first(places::ANY_MOVING, values![name, name]).await?.is_some() {
        return Ok(Some(PoolDeletion::InMotion));
    }
    let used = protect && session.fetch_first(places::ANY_IN, values![name]).await?.is_some();
    Ok(used.then_some(PoolDeletion::HoldsQueues))
}

/// Writes a pool's row and ends the transaction.
async fn write(mut session: Session, pool: &Pool) -> Result<PoolStored> {
    let (name, uri) = (pool.name.as_str(), pool.uri.as_str());
    if session.fetch_first(sql::URI_TAKEN, values![uri, name]).await?.is_some() {
        session.rollback().await?;
        return Ok(PoolStored::UriTaken);
    }
    let options = serde_json::to_string(&pool.options).map_err(|error| Error::Corrupt(error.to_string()))?;
    // The column is of 32 bits with a sign.
    let weight = i64::from(pool.weight).min(i64::from(i32::MAX));
    let values = values![uri, weight, options.as_str(), pool.flavor.as_deref(), name];
    let written = match session.execute(sql::UPDATE, values).await {
        Ok(0) => session.execute(sql::INSERT, values).await,
        written => written,
    };
    match written {
        // Somebody else was faster, with the name or the URI; the next attempt sees which.
        Err(error) if is_duplicate(&error) => {
            session.rollback().await?;
            return Err(Error::unavailable(super::error::Overtaken));
        }
        written => written?,
    };
    session.note_pools().await?;
    session.commit().await?;
    Ok(PoolStored::Done(pool.clone()))
}

/// The pool of a row.
fn pool(row: &Row) -> Result<Pool> {
    let name = PoolName::new(&row.text(0)?);
    let options = match row.maybe_text(3)? {
        None => Metadata::new(),
        Some(text) => serde_json::from_str::<Option<Metadata>>(&text)
            .map_err(|error| Error::Corrupt(format!("options of pool {name:?}: {error}")))?
            .unwrap_or_default(),
    };
    let weight = u32::try_from(row.int(2)?).unwrap_or(0);
    Ok(Pool { name, uri: row.text(1)?, weight, flavor: row.maybe_text(4)?, options })
}
