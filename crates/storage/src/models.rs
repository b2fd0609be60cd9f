use std::collections::HashMap;
use std::sync::Arc;

use gateway_domain::{ManagedBy, Mapping, Model, ModelId, ModelTuning};
use rusqlite::{Row, params};

use crate::tuning::{self, ModelTuningPatch};
use crate::tx::{Tx, managed_by, managed_by_word, moment, text};
use crate::{Removed, Result, StorageError, Store, Stored, mappings};

/// What to change on a model; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelPatch {
    /// See [`Model::name`].
    pub name: Option<Arc<str>>,
    /// See [`Model::tuning`].
    pub tuning: ModelTuningPatch,
}

// === impl Store ===

impl Store {
    /// All models with their mappings, by name.
    pub fn models(&self) -> Result<Vec<Stored<Model>>> {
        self.read(all)
    }

    /// One model with its mappings.
    pub fn model(&self, id: ModelId) -> Result<Stored<Model>> {
        self.read(|tx| find(tx, id))
    }

    /// Makes a model that no channel serves yet.
    ///
    /// A model that exists only because a channel lists it is not in the way: whoever asks for it gets it, with the
    /// mappings it has.
    pub fn create_model(&self, name: &str, tuning: &ModelTuning) -> Result<Stored<Model>> {
        let (name, tuning) = (name.to_owned(), tuning.clone());
        self.write(move |tx| match claim(tx, &name, &tuning)? {
            Some(model) => Ok(model),
            None => insert(tx, &name, &tuning, ManagedBy::Api),
        })
    }

    /// Changes a model. With `expect`, only if it still has that version.
    ///
    /// Sessions under an old name are deleted: they name a model that is no more.
    pub fn update_model(
        &self,
        id: ModelId,
        patch: &ModelPatch,
        expect: Option<i64>,
    ) -> Result<Stored<Model>> {
        let patch = patch.clone();
        self.write(move |tx| {
            let stored = find(tx, id)?;
            let old = &stored.value;
            refuse_managed_by_file(old)?;
            stored.expect(expect)?;
            let tuning = patch.tuning.applied_to(&old.tuning);
            let name = patch.name.as_deref().unwrap_or(&old.name);
            if *name == *old.name && tuning == old.tuning {
                return Ok(stored);
            }
            if *name != *old.name {
                refuse_taken_name(tx, name)?;
                tx.run("DELETE FROM sessions WHERE model = ?1", [&*old.name])?;
                tx.run("UPDATE models SET name = ?2 WHERE id = ?1", params![id.0, name])?;
            }
            write(tx, id, &tuning, ManagedBy::Api)?;
            find(tx, id)
        })
    }

    /// Deletes a model with its mappings and sessions. With `expect`, only if it still has that version.
    pub fn delete_model(&self, id: ModelId, expect: Option<i64>) -> Result<Removed> {
        self.write(move |tx| {
            let stored = find(tx, id)?;
            refuse_managed_by_file(&stored.value)?;
            stored.expect(expect)?;
            delete(tx, &stored.value)
        })
    }
}

/// The columns in the order in which [`read`] wants them, and then the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, managed_by, version, created_at, updated_at, ",
            tuning::model_columns!(),
            " FROM models ",
            $rest
        )
    };
}

/// All models with their mappings, by name.
pub(crate) fn all(tx: Tx<'_>) -> Result<Vec<Stored<Model>>> {
    let mut of_model: HashMap<ModelId, Vec<Mapping>> = HashMap::new();
    for (model, mapping) in mappings::all(tx)? {
        of_model.entry(model).or_default().push(mapping.value);
    }
    tx.all(select!("ORDER BY name"), [], |row| {
        let mut model = read(row)?;
        model.value.mappings = of_model.remove(&model.value.id).unwrap_or_default();
        Ok(model)
    })
}

/// One model with its mappings, or [`StorageError::NotFound`].
pub(crate) fn find(tx: Tx<'_>, id: ModelId) -> Result<Stored<Model>> {
    let found = tx.one(select!("WHERE id = ?1"), [id.0], read)?;
    with_mappings(tx, found.ok_or(StorageError::NotFound { what: "model" })?)
}

/// The model of this name, with its mappings.
pub(crate) fn by_name(tx: Tx<'_>, name: &str) -> Result<Option<Stored<Model>>> {
    tx.one(select!("WHERE name = ?1"), [name], read)?.map(|model| with_mappings(tx, model)).transpose()
}

/// Makes a model without mappings.
pub(crate) fn insert(
    tx: Tx<'_>,
    name: &str,
    tuning: &ModelTuning,
    managed_by: ManagedBy,
) -> Result<Stored<Model>> {
    refuse_taken_name(tx, name)?;
    let id = tx.insert(
        "INSERT INTO models (name, managed_by, version, created_at, updated_at) VALUES (?1, ?2, 1, ?3, ?3)",
        params![name, managed_by_word(managed_by), tx.now.0],
    )?;
    tuning::write_model(tx, ModelId(id), tuning)?;
    find(tx, ModelId(id))
}

/// Makes a model because a channel lists it.
pub(crate) fn imply(tx: Tx<'_>, name: &str) -> Result<Stored<Model>> {
    let model = insert(tx, name, &ModelTuning::default(), ManagedBy::Api)?;
    tx.run("UPDATE models SET implied = 1 WHERE id = ?1", [model.value.id.0])?;
    Ok(model)
}

/// The implied model of this name, from now on one that was asked for.
fn claim(tx: Tx<'_>, name: &str, tuning: &ModelTuning) -> Result<Option<Stored<Model>>> {
    let id = tx.one(
        "SELECT id FROM models WHERE name = ?1 AND implied = 1 AND managed_by = 'api'",
        [name],
        |row| Ok(ModelId(row.get(0)?)),
    )?;
    let Some(id) = id else { return Ok(None) };
    write(tx, id, tuning, ManagedBy::Api)?;
    find(tx, id).map(Some)
}

/// Writes all of a model but its name, and counts its version up. From now on it is one that was asked for.
pub(crate) fn write(tx: Tx<'_>, id: ModelId, tuning: &ModelTuning, managed_by: ManagedBy) -> Result<()> {
    tx.run(
        "UPDATE models SET managed_by = ?2, implied = 0, version = version + 1, updated_at = ?3 WHERE id = ?1",
        params![id.0, managed_by_word(managed_by), tx.now.0],
    )?;
    tuning::write_model(tx, id, tuning)
}

/// Deletes a model with its mappings, and the sessions that go by its name.
pub(crate) fn delete(tx: Tx<'_>, model: &Model) -> Result<Removed> {
    let sessions = tx.run("DELETE FROM sessions WHERE model = ?1", [&*model.name])?;
    tx.run("DELETE FROM models WHERE id = ?1", [model.id.0])?;
    Ok(Removed { mappings: model.mappings.len() as u64, sessions: sessions as u64, keys: 0 })
}

/// A model that the file declares is changed there only, its set of mappings too.
pub(crate) fn refuse_managed_by_file(model: &Model) -> Result<()> {
    match model.managed_by {
        ManagedBy::Api => Ok(()),
        ManagedBy::File => {
            Err(StorageError::ManagedByFile { what: "model", name: model.name.as_ref().to_owned() })
        }
    }
}

fn read(row: &Row<'_>) -> Result<Stored<Model>> {
    let name: Arc<str> = text(row, 1)?;
    let created_at = moment(row, 4)?;
    let value = Model {
        id: ModelId(row.get(0)?),
        name,
        mappings: Vec::new(),
        tuning: tuning::of_model(row, 6)?,
        managed_by: managed_by(row, 2)?,
        created_at,
    };
    Ok(Stored { value, version: row.get(3)?, created_at, updated_at: moment(row, 5)? })
}

fn with_mappings(tx: Tx<'_>, mut model: Stored<Model>) -> Result<Stored<Model>> {
    model.value.mappings =
        mappings::of_model(tx, model.value.id)?.into_iter().map(|stored| stored.value).collect();
    Ok(model)
}

fn refuse_taken_name(tx: Tx<'_>, name: &str) -> Result<()> {
    if tx.count("SELECT count(*) FROM models WHERE name = ?1", [name])? == 0 {
        return Ok(());
    }
    Err(StorageError::Conflict { what: "model", field: "name", value: name.to_owned() })
}

#[cfg(test)]
mod tests;
