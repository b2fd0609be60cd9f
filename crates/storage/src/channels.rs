use std::sync::Arc;

use gateway_domain::{BaseUrl, Channel, ChannelId, DEFAULT_WEIGHT, ManagedBy, NewChannel, ProbePlan, Secret};
use rusqlite::{Row, params};

use crate::tuning::{self, ChannelTuningPatch};
use crate::tx::{Tx, managed_by, managed_by_word, moment, text, unreadable};
use crate::{Removed, Result, StorageError, Store, Stored, mappings, models};

/// The name that stands for every model in [`NewChannel::models`].
pub(crate) const ANY_MODEL: &str = "*";

/// What to change on a channel; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelPatch {
    /// See [`Channel::name`].
    pub name: Option<Arc<str>>,
    /// See [`Channel::base_url`].
    pub base_url: Option<BaseUrl>,
    /// See [`Channel::api_key`].
    pub api_key: Option<Secret<String>>,
    /// See [`Channel::weight`].
    pub weight: Option<u32>,
    /// See [`Channel::enabled`].
    pub enabled: Option<bool>,
    /// See [`Channel::serves_any_model`].
    pub serves_any_model: Option<bool>,
    /// See [`Channel::max_concurrency`]; `Some(None)` takes the limit away.
    pub max_concurrency: Option<Option<u32>>,
    /// See [`Channel::probe`].
    pub probe: Option<ProbePlan>,
    /// See [`Channel::tuning`].
    pub tuning: ChannelTuningPatch,
}

// === impl Store ===

impl Store {
    /// All channels, by id.
    pub fn channels(&self) -> Result<Vec<Stored<Channel>>> {
        self.read(all)
    }

    /// One channel.
    pub fn channel(&self, id: ChannelId) -> Result<Stored<Channel>> {
        self.read(|tx| find(tx, id))
    }

    /// Makes a channel, and with it the models and mappings that [`NewChannel::models`] names.
    pub fn create_channel(&self, new: &NewChannel) -> Result<Stored<Channel>> {
        let new = new.clone();
        self.write(move |tx| {
            let channel = insert(tx, &new, ManagedBy::Api)?;
            for name in new.models.iter().filter(|name| &***name != ANY_MODEL) {
                let model = match models::by_name(tx, name)? {
                    Some(model) => model,
                    None => models::imply(tx, name)?,
                };
                models::refuse_managed_by_file(&model.value)?;
                if mappings::of_pair(tx, model.value.id, channel.value.id)?.is_none() {
                    let mapping = mappings::Values { backend_model: name, weight: DEFAULT_WEIGHT };
                    mappings::imply(tx, model.value.id, channel.value.id, mapping)?;
                }
            }
            Ok(channel)
        })
    }

    /// Changes a channel. With `expect`, only if it still has that version.
    pub fn update_channel(
        &self,
        id: ChannelId,
        patch: &ChannelPatch,
        expect: Option<i64>,
    ) -> Result<Stored<Channel>> {
        let patch = patch.clone();
        self.write(move |tx| {
            let stored = find(tx, id)?;
            refuse_managed_by_file(&stored.value)?;
            stored.expect(expect)?;
            let changed = patch.applied_to(stored.value.clone());
            if changed == stored.value {
                return Ok(stored);
            }
            write(tx, &changed)?;
            find(tx, id)
        })
    }

    /// Deletes a channel with its mappings and sessions. With `expect`, only if it still has that version.
    pub fn delete_channel(&self, id: ChannelId, expect: Option<i64>) -> Result<Removed> {
        self.write(move |tx| {
            let stored = find(tx, id)?;
            refuse_managed_by_file(&stored.value)?;
            stored.expect(expect)?;
            delete(tx, id)
        })
    }
}

// === impl ChannelPatch ===

impl ChannelPatch {
    fn applied_to(&self, channel: Channel) -> Channel {
        let patch = self.clone();
        Channel {
            id: channel.id,
            name: patch.name.unwrap_or(channel.name),
            base_url: patch.base_url.unwrap_or(channel.base_url),
            api_key: patch.api_key.unwrap_or(channel.api_key),
            weight: patch.weight.unwrap_or(channel.weight),
            enabled: patch.enabled.unwrap_or(channel.enabled),
            serves_any_model: patch.serves_any_model.unwrap_or(channel.serves_any_model),
            max_concurrency: patch.max_concurrency.unwrap_or(channel.max_concurrency),
            probe: patch.probe.unwrap_or(channel.probe),
            tuning: patch.tuning.applied_to(&channel.tuning),
            managed_by: channel.managed_by,
        }
    }
}

/// The columns in the order in which [`read`] wants them, and then the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, base_url, api_key, weight, enabled, serves_any_model, max_concurrency, probe_kind, ",
            "probe_detail, managed_by, version, created_at, updated_at, ",
            tuning::channel_columns!(),
            " FROM channels ",
            $rest
        )
    };
}

/// All channels, by id.
pub(crate) fn all(tx: Tx<'_>) -> Result<Vec<Stored<Channel>>> {
    tx.all(select!("ORDER BY id"), [], |row| read(tx, row))
}

/// One channel, or [`StorageError::NotFound`].
pub(crate) fn find(tx: Tx<'_>, id: ChannelId) -> Result<Stored<Channel>> {
    tx.one(select!("WHERE id = ?1"), [id.0], |row| read(tx, row))?
        .ok_or(StorageError::NotFound { what: "channel" })
}

/// The channel of this name.
pub(crate) fn by_name(tx: Tx<'_>, name: &str) -> Result<Option<Stored<Channel>>> {
    tx.one(select!("WHERE name = ?1"), [name], |row| read(tx, row))
}

/// Makes a channel without its mappings.
pub(crate) fn insert(tx: Tx<'_>, new: &NewChannel, managed_by: ManagedBy) -> Result<Stored<Channel>> {
    let mut channel = from_new(ChannelId(0), new, managed_by);
    refuse_taken_name(tx, &channel)?;
    // The key can only be sealed when the id is known; until then the row has an empty one.
    channel.id = ChannelId(tx.insert(
        "INSERT INTO channels (name, base_url, api_key, weight, enabled, serves_any_model, probe_kind, managed_by,
             version, created_at, updated_at)
         VALUES (?1, '', x'', 0, 0, 0, 'off', ?2, 0, ?3, ?3)",
        params![&*channel.name, managed_by_word(managed_by), tx.now.0],
    )?);
    write(tx, &channel)?;
    find(tx, channel.id)
}

/// Writes all columns of an existing channel, and counts its version up.
pub(crate) fn write(tx: Tx<'_>, channel: &Channel) -> Result<()> {
    refuse_taken_name(tx, channel)?;
    let (probe_kind, probe_detail) = probe_words(&channel.probe);
    tx.run(
        "UPDATE channels SET name = ?2, base_url = ?3, api_key = ?4, weight = ?5, enabled = ?6, serves_any_model = ?7,
             max_concurrency = ?8, probe_kind = ?9, probe_detail = ?10, managed_by = ?11, version = version + 1,
             updated_at = ?12
         WHERE id = ?1",
        params![
            channel.id.0,
            &*channel.name,
            channel.base_url.as_str(),
            tx.sealer.seal(&place_of_key(channel.id.0), channel.api_key.expose())?,
            channel.weight,
            channel.enabled,
            channel.serves_any_model,
            channel.max_concurrency,
            probe_kind,
            probe_detail,
            managed_by_word(channel.managed_by),
            tx.now.0,
        ],
    )?;
    tuning::write_channel(tx, channel.id, &channel.tuning)
}

/// Deletes a channel; what belongs to it goes with it.
pub(crate) fn delete(tx: Tx<'_>, id: ChannelId) -> Result<Removed> {
    let removed = Removed {
        mappings: tx.count("SELECT count(*) FROM mappings WHERE channel_id = ?1", [id.0])?,
        sessions: tx.count("SELECT count(*) FROM sessions WHERE channel_id = ?1", [id.0])?,
        keys: 0,
    };
    tx.run("DELETE FROM channels WHERE id = ?1", [id.0])?;
    Ok(removed)
}

/// The channel that a declaration or request describes.
pub(crate) fn from_new(id: ChannelId, new: &NewChannel, managed_by: ManagedBy) -> Channel {
    Channel {
        id,
        name: Arc::clone(&new.name),
        base_url: new.base_url.clone(),
        api_key: new.api_key.clone(),
        weight: new.weight,
        enabled: new.enabled,
        serves_any_model: new.models.iter().any(|name| &**name == ANY_MODEL),
        max_concurrency: new.max_concurrency,
        probe: new.probe.clone(),
        tuning: new.tuning.clone(),
        managed_by,
    }
}

/// What the sealed key of a channel is bound to.
pub(crate) fn place_of_key(id: i64) -> String {
    format!("channel:{id}")
}

/// How a probe plan is kept.
pub(crate) fn probe_words(plan: &ProbePlan) -> (&'static str, Option<&str>) {
    match plan {
        ProbePlan::Models => ("models", None),
        ProbePlan::Path(path) => ("path", Some(path)),
        ProbePlan::Chat { model } => ("chat", Some(model)),
        ProbePlan::ChatStream { model } => ("chat_stream", Some(model)),
        ProbePlan::Embeddings { model } => ("embeddings", Some(model)),
        ProbePlan::Responses { model } => ("responses", Some(model)),
        ProbePlan::Off => ("off", None),
    }
}

fn read(tx: Tx<'_>, row: &Row<'_>) -> Result<Stored<Channel>> {
    let id: i64 = row.get(0)?;
    let blob: Vec<u8> = row.get(3)?;
    let detail: Option<String> = row.get(9)?;
    let probe = match (row.get::<_, String>(8)?.as_str(), detail) {
        ("models", None) => ProbePlan::Models,
        ("path", Some(path)) => ProbePlan::Path(path),
        ("chat", Some(model)) => ProbePlan::Chat { model },
        ("chat_stream", Some(model)) => ProbePlan::ChatStream { model },
        ("embeddings", Some(model)) => ProbePlan::Embeddings { model },
        ("responses", Some(model)) => ProbePlan::Responses { model },
        ("off", None) => ProbePlan::Off,
        _ => return Err(unreadable(row, 8)),
    };
    let value = Channel {
        id: ChannelId(id),
        name: text(row, 1)?,
        base_url: BaseUrl::parse(&text(row, 2)?).map_err(|_| unreadable(row, 2))?,
        api_key: Secret::new(tx.sealer.unseal(&place_of_key(id), &blob)?),
        weight: row.get(4)?,
        enabled: row.get(5)?,
        serves_any_model: row.get(6)?,
        max_concurrency: row.get(7)?,
        probe,
        tuning: tuning::of_channel(row, 14)?,
        managed_by: managed_by(row, 10)?,
    };
    Ok(Stored { value, version: row.get(11)?, created_at: moment(row, 12)?, updated_at: moment(row, 13)? })
}

fn refuse_managed_by_file(channel: &Channel) -> Result<()> {
    match channel.managed_by {
        ManagedBy::Api => Ok(()),
        ManagedBy::File => {
            Err(StorageError::ManagedByFile { what: "channel", name: channel.name.as_ref().to_owned() })
        }
    }
}

fn refuse_taken_name(tx: Tx<'_>, channel: &Channel) -> Result<()> {
    let others = tx.count(
        "SELECT count(*) FROM channels WHERE name = ?1 AND id <> ?2",
        params![&*channel.name, channel.id.0],
    )?;
    if others == 0 {
        return Ok(());
    }
    Err(StorageError::Conflict { what: "channel", field: "name", value: channel.name.as_ref().to_owned() })
}

#[cfg(test)]
mod tests;
