//! Flavors; each function is one attempt.

use super::SqlManagement;
use super::error::{Overtaken, is_duplicate};
use super::row::Row;
use super::session::{Session, values};
use super::statements::pools as sql;
use crate::model::{Capability, Flavor, PoolName, ProjectId};
use crate::storage::{Error, FlavorStored, Result};

impl SqlManagement {
    /// Stores a flavor and lets these pools serve it.
    pub(super) async fn store_flavor(&self, flavor: &Flavor, pools: &[PoolName]) -> Result<FlavorStored> {
        let mut session = self.database.begin().await?;
        for pool in pools {
            if session.fetch_first(sql::lock(session.dialect()), values![pool.as_str()]).await?.is_none() {
                session.rollback().await?;
                return Ok(FlavorStored::NoSuchPool(pool.clone()));
            }
        }
        let stored = write(&mut session, flavor).await;
        if let Ok(FlavorStored::Done) = stored {
            tag(&mut session, &flavor.name, pools).await?;
            session.note_pools().await?;
            session.commit().await?;
        } else {
            session.rollback().await?;
        }
        stored
    }

    /// The project's flavor of that name.
    pub(super) async fn find_flavor(&self, project: &ProjectId, name: &str) -> Result<Option<Flavor>> {
        let mut session = self.database.read().await?;
        let row = session.fetch_first(sql::FLAVOR, values![name]).await?;
        let flavor = row.map(|row| flavor(&row)).transpose()?;
        Ok(flavor.filter(|flavor| flavor.project == *project))
    }

    /// A page of a project's flavors.
    pub(super) async fn list_flavors(
        &self,
        project: &ProjectId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Flavor>> {
        let (project, limit) = (project.as_str(), i64::try_from(limit).unwrap_or(i64::MAX));
        let mut session = self.database.read().await?;
        let rows = match after {
            Some(after) => session.fetch(sql::FLAVORS, values![project, after, limit]).await?,
            None => session.fetch(sql::FIRST_FLAVORS, values![project, limit]).await?,
        };
        rows.iter().map(flavor).collect()
    }

    /// Deletes a flavor; its pools serve none.
    pub(super) async fn remove_flavor(&self, project: &ProjectId, name: &str) -> Result<bool> {
        let mut session = self.database.begin().await?;
        let row = session.fetch_first(sql::lock_flavor(session.dialect()), values![name]).await?;
        let found = row.map(|row| flavor(&row)).transpose()?;
        if found.is_none_or(|flavor| flavor.project != *project) {
            session.rollback().await?;
            return Ok(false);
        }
        session.execute(sql::DELETE_FLAVOR, values![name]).await?;
        tag(&mut session, name, &[]).await?;
        session.note_pools().await?;
        session.commit().await?;
        Ok(true)
    }
}

/// Writes a flavor's row.
async fn write(session: &mut Session, new: &Flavor) -> Result<FlavorStored> {
    let name = new.name.as_str();
    let numbers: Vec<_> = new.capabilities.iter().map(|capability| *capability as u8).collect();
    let capabilities = serde_json::to_string(&numbers).map_err(|error| Error::Corrupt(error.to_string()))?;
    let row = session.fetch_first(sql::lock_flavor(session.dialect()), values![name]).await?;
    match row.map(|row| flavor(&row)).transpose()? {
        Some(old) if old.project != new.project => return Ok(FlavorStored::NameTaken),
        Some(_) => session.execute(sql::UPDATE_FLAVOR, values![capabilities.as_str(), name]).await?,
        None => {
            let values = values![name, new.project.as_str(), capabilities.as_str()];
            let inserted = session.execute(sql::INSERT_FLAVOR, values).await;
            // Somebody else was faster; the next attempt sees whose it is.
            inserted.map_err(
                |error| {
                    if is_duplicate(&error) { Error::unavailable(Overtaken) } else { error }
                },
            )?
        }
    };
    Ok(FlavorStored::Done)
}

/// Lets these pools and no others serve the flavor.
async fn tag(session: &mut Session, flavor: &str, pools: &[PoolName]) -> Result<()> {
    session.execute(sql::UNTAG, values![flavor]).await?;
    for pool in pools {
        session.execute(sql::TAG, values![flavor, pool.as_str()]).await?;
    }
    Ok(())
}

/// The flavor of a row. The Python service stores a list of numbers, or nothing; numbers of other releases are
/// left out.
fn flavor(row: &Row) -> Result<Flavor> {
    let name = row.text(0)?;
    let numbers: Vec<u8> = match row.maybe_text(2)? {
        None => Vec::new(),
        Some(text) => serde_json::from_str::<Option<Vec<u8>>>(&text)
            .map_err(|error| Error::Corrupt(format!("capabilities of flavor {name:?}: {error}")))?
            .unwrap_or_default(),
    };
    let capabilities = numbers.into_iter().filter_map(Capability::from_number).collect();
    Ok(Flavor { project: ProjectId::new(&row.text(1)?), name, capabilities })
}
