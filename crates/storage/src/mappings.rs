use std::sync::Arc;

use gateway_domain::{ChannelId, ManagedBy, Mapping, MappingId, ModelId};
use rusqlite::{Row, params};

use crate::tx::{Tx, managed_by, managed_by_word, moment, text};
use crate::{Result, StorageError, Store, Stored, channels, models};

/// What to change on a mapping; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingPatch {
    /// See [`Mapping::backend_model`].
    pub backend_model: Option<Arc<str>>,
    /// See [`Mapping::weight`].
    pub weight: Option<u32>,
}

/// What a mapping says, beside which model and channel it joins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) backend_model: &'a str,
    pub(crate) weight: u32,
}

/// A mapping as the table has it.
#[derive(Clone, Debug)]
pub(crate) struct MappingRow {
    pub(crate) model: ModelId,
    pub(crate) mapping: Stored<Mapping>,
    pub(crate) managed_by: ManagedBy,
    /// Made because the channel lists the model.
    implied: bool,
}

// === impl Store ===

impl Store {
    /// The mappings of one model, by id. An unknown model is [`StorageError::NotFound`].
    pub fn mappings(&self, model: ModelId) -> Result<Vec<Stored<Mapping>>> {
        self.read(|tx| {
            models::find(tx, model)?;
            of_model(tx, model)
        })
    }

    /// Lets a channel serve a model.
    ///
    /// A mapping that exists only because the channel lists the model is not in the way: it takes these values.
    pub fn add_mapping(
        &self,
        model: ModelId,
        channel: ChannelId,
        backend_model: &str,
        weight: u32,
    ) -> Result<Stored<Mapping>> {
        let backend_model = backend_model.to_owned();
        self.write(move |tx| {
            models::refuse_managed_by_file(&models::find(tx, model)?.value)?;
            channels::find(tx, channel)?;
            let values = Values { backend_model: &backend_model, weight };
            if let Some(row) = of_pair(tx, model, channel)? {
                if row.implied {
                    write(tx, row.mapping.value.id, values, ManagedBy::Api)?;
                    return Ok(pair(tx, model, channel)?.mapping);
                }
                return Err(StorageError::Conflict {
                    what: "mapping",
                    field: "channel_id",
                    value: channel.to_string(),
                });
            }
            insert(tx, model, channel, values, ManagedBy::Api)
        })
    }

    /// How a channel serves a model.
    pub fn mapping(&self, model: ModelId, channel: ChannelId) -> Result<Stored<Mapping>> {
        self.read(|tx| Ok(pair(tx, model, channel)?.mapping))
    }

    /// Changes how a channel serves a model. With `expect`, only if that still has this version.
    pub fn update_mapping(
        &self,
        model: ModelId,
        channel: ChannelId,
        patch: &MappingPatch,
        expect: Option<i64>,
    ) -> Result<Stored<Mapping>> {
        let patch = patch.clone();
        self.write(move |tx| {
            let row = changeable(tx, model, channel)?;
            row.mapping.expect(expect)?;
            let old = &row.mapping.value;
            let new = Values {
                backend_model: patch.backend_model.as_deref().unwrap_or(&old.backend_model),
                weight: patch.weight.unwrap_or(old.weight),
            };
            if *old.backend_model == *new.backend_model && old.weight == new.weight {
                return Ok(row.mapping);
            }
            write(tx, old.id, new, row.managed_by)?;
            Ok(pair(tx, model, channel)?.mapping)
        })
    }

    /// Lets a channel no longer serve a model. With `expect`, only if the mapping still has that version.
    pub fn delete_mapping(&self, model: ModelId, channel: ChannelId, expect: Option<i64>) -> Result<()> {
        self.write(move |tx| {
            let row = changeable(tx, model, channel)?;
            row.mapping.expect(expect)?;
            delete(tx, row.mapping.value.id)
        })
    }
}

/// The columns in the order in which [`read`] wants them, and then the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, model_id, channel_id, backend_model, weight, managed_by, version, created_at, updated_at, ",
            "implied FROM mappings ",
            $rest
        )
    };
}

/// All mappings with their models, by id.
pub(crate) fn all(tx: Tx<'_>) -> Result<Vec<(ModelId, Stored<Mapping>)>> {
    Ok(rows(tx)?.into_iter().map(|row| (row.model, row.mapping)).collect())
}

/// All mappings as they stand in the table, by id.
pub(crate) fn rows(tx: Tx<'_>) -> Result<Vec<MappingRow>> {
    tx.all(select!("ORDER BY id"), [], read)
}

/// The mappings of one model, by id.
pub(crate) fn of_model(tx: Tx<'_>, model: ModelId) -> Result<Vec<Stored<Mapping>>> {
    tx.all(select!("WHERE model_id = ?1 ORDER BY id"), [model.0], |row| Ok(read(row)?.mapping))
}

/// The mapping between these two.
pub(crate) fn of_pair(tx: Tx<'_>, model: ModelId, channel: ChannelId) -> Result<Option<MappingRow>> {
    tx.one(select!("WHERE model_id = ?1 AND channel_id = ?2"), [model.0, channel.0], read)
}

/// Makes a mapping between two that exist and have none.
pub(crate) fn insert(
    tx: Tx<'_>,
    model: ModelId,
    channel: ChannelId,
    values: Values<'_>,
    managed_by: ManagedBy,
) -> Result<Stored<Mapping>> {
    tx.insert(
        "INSERT INTO mappings (model_id, channel_id, backend_model, weight, managed_by, version, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6)",
        params![
            model.0,
            channel.0,
            values.backend_model,
            values.weight,
            managed_by_word(managed_by),
            tx.now.0
        ],
    )?;
    Ok(pair(tx, model, channel)?.mapping)
}

/// Makes a mapping because the channel lists the model.
pub(crate) fn imply(tx: Tx<'_>, model: ModelId, channel: ChannelId, values: Values<'_>) -> Result<()> {
    let mapping = insert(tx, model, channel, values, ManagedBy::Api)?;
    tx.run("UPDATE mappings SET implied = 1 WHERE id = ?1", [mapping.value.id.0])?;
    Ok(())
}

/// Changes a mapping, and counts its version up.
pub(crate) fn write(tx: Tx<'_>, id: MappingId, values: Values<'_>, managed_by: ManagedBy) -> Result<()> {
    tx.run(
        "UPDATE mappings SET backend_model = ?2, weight = ?3, managed_by = ?4, implied = 0, version = version + 1, updated_at = ?5
         WHERE id = ?1",
        params![id.0, values.backend_model, values.weight, managed_by_word(managed_by), tx.now.0],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: Tx<'_>, id: MappingId) -> Result<()> {
    tx.run("DELETE FROM mappings WHERE id = ?1", [id.0])?;
    Ok(())
}

/// The mapping between these two, or [`StorageError::NotFound`].
fn pair(tx: Tx<'_>, model: ModelId, channel: ChannelId) -> Result<MappingRow> {
    of_pair(tx, model, channel)?.ok_or(StorageError::NotFound { what: "mapping" })
}

/// The mapping between these two, if the file declares neither it nor its model.
fn changeable(tx: Tx<'_>, model: ModelId, channel: ChannelId) -> Result<MappingRow> {
    let model = models::find(tx, model)?.value;
    models::refuse_managed_by_file(&model)?;
    let row = pair(tx, model.id, channel)?;
    match row.managed_by {
        ManagedBy::Api => Ok(row),
        ManagedBy::File => {
            let channel = channels::find(tx, channel)?.value;
            let name = format!("{} on {}", model.name, channel.name);
            Err(StorageError::ManagedByFile { what: "mapping", name })
        }
    }
}

fn read(row: &Row<'_>) -> Result<MappingRow> {
    let value = Mapping {
        id: MappingId(row.get(0)?),
        channel: ChannelId(row.get(2)?),
        backend_model: text(row, 3)?,
        weight: row.get(4)?,
    };
    let mapping =
        Stored { value, version: row.get(6)?, created_at: moment(row, 7)?, updated_at: moment(row, 8)? };
    Ok(MappingRow {
        model: ModelId(row.get(1)?),
        mapping,
        managed_by: managed_by(row, 5)?,
        implied: row.get(9)?,
    })
}
