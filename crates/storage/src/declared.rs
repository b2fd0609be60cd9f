//! Makes the rows that the configuration file manages equal to what it declares.
//!
//! Things are recognised by name and keep their ids. A row of the API with a declared name is taken over: the file
//! wins. A mapping or key is a row of its own, so what a file adds to an API's model or user is the file's, and
//! goes when the file no longer names it. A declared model's set of mappings is exactly the declared one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gateway_domain::{
    ChannelId, DEFAULT_WEIGHT, Declaration, ManagedBy, ModelId, ModelTuning, NewChannel, NewUser, User,
    UserId,
};

use crate::channels::{self, ANY_MODEL};
use crate::mappings::{self, Values};
use crate::tx::Tx;
use crate::{Result, StorageError, Store, keys, models, users};

/// What a declaration comes down to, while it is carried out.
struct Plan<'a> {
    declaration: &'a Declaration,
    /// Every model that is to exist because of the file; with its tuning when `[[models]]` declares it, without when
    /// a channel merely lists it.
    models: Vec<(&'a str, Option<&'a ModelTuning>)>,
    /// Every mapping that the file asks for, by model and channel name.
    mappings: HashMap<(&'a str, &'a str), Values<'a>>,
}

/// Carries out a plan and counts the changes.
struct Applying<'a> {
    tx: Tx<'a>,
    changes: usize,
}

// === impl Store ===

impl Store {
    /// Makes the rows that are managed by the file equal to the declaration, in one transaction; tells whether
    /// anything had to be changed. An unchanged declaration writes nothing.
    pub fn apply(&self, declaration: &Declaration) -> Result<bool> {
        let declaration = declaration.clone();
        self.write_if_needed(move |tx| {
            let plan = Plan::of(&declaration)?;
            let mut applying = Applying { tx, changes: 0 };
            let channels = applying.channels(&declaration.channels)?;
            applying.models(&plan)?;
            let users = applying.users(&declaration.users)?;
            applying.remove_vanished(&plan, &channels, &users)?;
            Ok(applying.changes > 0)
        })
    }
}

// === impl Plan ===

impl<'a> Plan<'a> {
    fn of(declaration: &'a Declaration) -> Result<Self> {
        refuse_repeated("channel", declaration.channels.iter().map(|channel| &*channel.name))?;
        refuse_repeated("model", declaration.models.iter().map(|model| &*model.name))?;
        refuse_repeated("user", declaration.users.iter().map(|user| &*user.name))?;
        let mut plan = Self { declaration, models: Vec::new(), mappings: HashMap::new() };
        for model in &declaration.models {
            plan.models.push((&model.name, Some(&model.tuning)));
            for mapping in &model.mappings {
                let values = Values { backend_model: &mapping.backend_model, weight: mapping.weight };
                if plan.mappings.insert((&model.name, &mapping.channel), values).is_some() {
                    return Err(repeated("mapping", &mapping.channel));
                }
            }
        }
        let mut known: HashSet<&str> = plan.models.iter().map(|(name, _)| *name).collect();
        for channel in &declaration.channels {
            for name in channel.models.iter().filter(|name| &***name != ANY_MODEL) {
                if known.insert(name) {
                    plan.models.push((name, None));
                }
                // What a model itself says about a channel is more precise than the channel's list.
                plan.mappings
                    .entry((name, &channel.name))
                    .or_insert(Values { backend_model: name, weight: DEFAULT_WEIGHT });
            }
        }
        Ok(plan)
    }

    fn declares_model(&self, name: &str) -> bool {
        self.models.iter().any(|(model, declared)| declared.is_some() && *model == name)
    }
}

// === impl Applying ===

impl Applying<'_> {
    fn channels(&mut self, declared: &[NewChannel]) -> Result<HashSet<ChannelId>> {
        let mut ids = HashSet::new();
        for new in declared {
            let id = if let Some(row) = channels::by_name(self.tx, &new.name)? {
                let wanted = channels::from_new(row.value.id, new, ManagedBy::File);
                if wanted != row.value {
                    channels::write(self.tx, &wanted)?;
                    self.changes += 1;
                }
                row.value.id
            } else {
                self.changes += 1;
                channels::insert(self.tx, new, ManagedBy::File)?.value.id
            };
            ids.insert(id);
        }
        Ok(ids)
    }

    fn models(&mut self, plan: &Plan<'_>) -> Result<()> {
        let mut ids: HashMap<&str, ModelId> = HashMap::new();
        let untuned = ModelTuning::default();
        for (name, declared) in &plan.models {
            let tuning = declared.unwrap_or(&untuned);
            let id = if let Some(row) = models::by_name(self.tx, name)? {
                // A model of the API that a channel of the file merely lists stays the API's.
                let taken_over = declared.is_some() && row.value.managed_by == ManagedBy::Api;
                let retuned = row.value.managed_by == ManagedBy::File && row.value.tuning != *tuning;
                if taken_over || retuned {
                    models::write(self.tx, row.value.id, tuning, ManagedBy::File)?;
                    self.changes += 1;
                }
                row.value.id
            } else {
                self.changes += 1;
                models::insert(self.tx, name, tuning, ManagedBy::File)?.value.id
            };
            ids.insert(name, id);
        }
        let mut wanted = HashSet::new();
        for ((model, channel), values) in &plan.mappings {
            let unknown = || StorageError::UnknownChannel {
                model: (*model).to_owned(),
                channel: (*channel).to_owned(),
            };
            let channel = channels::by_name(self.tx, channel)?.ok_or_else(unknown)?.value.id;
            let model = *ids.get(model).ok_or_else(unknown)?;
            self.mapping(model, channel, *values)?;
            wanted.insert((model, channel));
        }
        let declared: HashSet<ModelId> =
            ids.iter().filter(|(name, _)| plan.declares_model(name)).map(|(_, id)| *id).collect();
        for row in mappings::rows(self.tx)? {
            let ours = row.managed_by == ManagedBy::File || declared.contains(&row.model);
            if ours && !wanted.contains(&(row.model, row.mapping.value.channel)) {
                mappings::delete(self.tx, row.mapping.value.id)?;
                self.changes += 1;
            }
        }
        Ok(())
    }

    fn mapping(&mut self, model: ModelId, channel: ChannelId, wanted: Values<'_>) -> Result<()> {
        let Some(row) = mappings::of_pair(self.tx, model, channel)? else {
            self.changes += 1;
            return mappings::insert(self.tx, model, channel, wanted, ManagedBy::File).map(drop);
        };
        let found = &row.mapping.value;
        let same = *found.backend_model == *wanted.backend_model && found.weight == wanted.weight;
        if !same || row.managed_by == ManagedBy::Api {
            self.changes += 1;
            mappings::write(self.tx, found.id, wanted, ManagedBy::File)?;
        }
        Ok(())
    }

    fn users(&mut self, declared: &[NewUser]) -> Result<HashSet<UserId>> {
        let mut ids = HashSet::new();
        let mut digests = HashSet::new();
        for new in declared {
            let id = if let Some(row) = users::by_name(self.tx, &new.name)? {
                let wanted = User {
                    id: row.value.id,
                    name: Arc::clone(&new.name),
                    enabled: new.enabled,
                    allowed_models: new.allowed_models.clone(),
                    may_explain: new.may_explain,
                    managed_by: ManagedBy::File,
                };
                if wanted != row.value {
                    users::write(self.tx, &wanted)?;
                    self.changes += 1;
                }
                row.value.id
            } else {
                self.changes += 1;
                users::insert(self.tx, new, ManagedBy::File)?.value.id
            };
            ids.insert(id);
            for key in &new.keys {
                if !digests.insert(keys::key_digest(key.expose())) {
                    return Err(repeated("key", &key.masked()));
                }
                self.key(id, key.expose())?;
            }
        }
        // Keys that the file no longer has, of users that it still has; other users' keys go with their user.
        for id in &ids {
            for row in keys::of_user(self.tx, *id)? {
                if row.managed_by == ManagedBy::File && !digests.contains(&row.key.digest) {
                    keys::delete(self.tx, row.key.id)?;
                    self.changes += 1;
                }
            }
        }
        Ok(ids)
    }

    fn key(&mut self, user: UserId, key: &str) -> Result<()> {
        match keys::by_digest(self.tx, keys::key_digest(key))? {
            Some(row)
                if row.key.user == user
                    && row.managed_by == ManagedBy::File
                    && row.key.expires_at.is_none() => {}
            Some(row) => {
                keys::take_over(self.tx, row.key.id, user)?;
                self.changes += 1;
            }
            None => {
                keys::insert(self.tx, user.0, key, ManagedBy::File, self.tx.now, None)?;
                self.changes += 1;
            }
        }
        Ok(())
    }

    fn remove_vanished(
        &mut self,
        plan: &Plan<'_>,
        declared_channels: &HashSet<ChannelId>,
        declared_users: &HashSet<UserId>,
    ) -> Result<()> {
        let named: HashSet<&str> = plan.models.iter().map(|(name, _)| *name).collect();
        for row in models::all(self.tx)? {
            if row.value.managed_by == ManagedBy::File && !named.contains(&*row.value.name) {
                models::delete(self.tx, &row.value)?;
                self.changes += 1;
            }
        }
        for row in channels::all(self.tx)? {
            if row.value.managed_by == ManagedBy::File && !declared_channels.contains(&row.value.id) {
                channels::delete(self.tx, row.value.id)?;
                self.changes += 1;
            }
        }
        for row in users::all(self.tx)? {
            if row.value.managed_by == ManagedBy::File && !declared_users.contains(&row.value.id) {
                users::delete(self.tx, row.value.id)?;
                self.changes += 1;
            }
        }
        debug_assert_eq!(declared_channels.len(), plan.declaration.channels.len());
        Ok(())
    }
}

fn refuse_repeated<'a, I: Iterator<Item = &'a str>>(what: &'static str, names: I) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(repeated(what, name));
        }
    }
    Ok(())
}

fn repeated(what: &'static str, value: &str) -> StorageError {
    let field = match what {
        "key" => "api_key",
        "mapping" => "channel",
        _ => "name",
    };
    StorageError::Conflict { what, field, value: value.to_owned() }
}

#[cfg(test)]
mod tests;
