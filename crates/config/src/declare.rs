//! The lists of the file: `[[channels]]`, `[[models]]`, `[[users]]`.

mod tuning;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gateway_domain::{
    BaseUrl, DEFAULT_WEIGHT, Declaration, NewChannel, NewMapping, NewModel, NewUser, Secret,
};
use toml::Spanned;
use toml::de::DeValue;

use crate::entry::{Element, Entry, elements};
use crate::entry_keys::{CHANNEL, MAPPING, MODEL, USER};
use crate::field::Surroundings;
use crate::findings::{Findings, Spot};
use crate::lower::{Lists, Lowering};
use crate::raw::{Raw, short};
use crate::refused::Refused;
use crate::{ProxySettings, check, secret, suggest};

/// Beyond it, score arithmetic would say less about latency and errors than about the weight.
const HEAVIEST: u64 = 1_000_000;

/// Shorter user keys can be guessed.
const SHORT_KEY: usize = 8;

/// The longest name; it stands in headers, labels and log lines.
const LONGEST_NAME: usize = 200;

/// What the entries have in common while they are read.
struct Declaring<'f, 'a> {
    findings: &'f mut Findings<'a>,
    around: Surroundings<'a>,
    /// Every channel name, those of entries with other problems too.
    channels: HashSet<String>,
    /// Which channels serve which model, to tell a mapping that is there twice.
    mapped: HashSet<Pair>,
    /// Every user key, and the path of the entry that has it.
    keys: HashMap<String, String>,
    admin_token: Option<Secret<String>>,
    /// The times in force; `None` when one of them was refused.
    times: Option<ProxySettings>,
}

/// A model's name and a channel's.
type Pair = (Arc<str>, Arc<str>);

/// One key of a user, not yet checked against all others.
struct UserSecret {
    path: String,
    key: Secret<String>,
    spot: Spot,
}

/// Reads the lists of a file.
pub(crate) fn declare(lists: Lists<'_>, lowering: &mut Lowering<'_, '_>) -> Declaration {
    let times = check::channel_times_are_sound(&lowering.known).then(|| lowering.settings.proxy.clone());
    let mut declaring = Declaring {
        times,
        findings: lowering.findings,
        around: lowering.around,
        channels: HashSet::new(),
        mapped: HashSet::new(),
        keys: HashMap::new(),
        admin_token: lowering.settings.admin.token.clone(),
    };
    let channels = declaring.channels(lists.channels);
    let models = declaring.models(lists.models);
    let users = declaring.users(lists.users);
    Declaration { channels, models, users }
}

// === impl Declaring ===

impl Declaring<'_, '_> {
    fn channels<'t>(&mut self, list: Option<&'t Spanned<DeValue<'t>>>) -> Vec<NewChannel> {
        let mut taken = HashMap::new();
        let items = elements("channels", list, self.findings);
        items.into_iter().filter_map(|element| self.channel(element, &mut taken)).collect()
    }

    fn channel(&mut self, element: Element<'_>, taken: &mut HashMap<Arc<str>, String>) -> Option<NewChannel> {
        let (around, times) = (self.around, self.times.as_ref());
        let mut entry = Entry::open(element, CHANNEL, self.findings)?;
        let name = own_name(&mut entry, taken);
        let base_url = entry.require("base_url", |raw| {
            BaseUrl::parse(raw.filled()?).map_err(|error| Refused::new(error.to_string()))
        });
        let api_key = entry.read("api_key", |raw| key_secret(raw, around));
        let weight = entry.read("weight", weight);
        let enabled = entry.read("enabled", Raw::flag);
        let max_concurrency = entry.read("max_concurrency", |raw| raw.number_in(1, 1_000_000));
        let models = model_names(&mut entry);
        let probe = entry.read("probe", tuning::probe);
        let tuning = tuning::of_channel(&mut entry, times);
        let name = name?;
        self.channels.insert(name.to_string());
        self.mapped.extend(models.iter().map(|model| (Arc::clone(model), Arc::clone(&name))));
        let api_key = api_key.map(|(key, _)| key).unwrap_or_default();
        let mut channel = NewChannel::new(&name, base_url?.0, api_key);
        channel.weight = weight.map_or(DEFAULT_WEIGHT, |(weight, _)| weight);
        channel.enabled = enabled.is_none_or(|(enabled, _)| enabled);
        channel.max_concurrency = max_concurrency.and_then(|(most, _)| u32::try_from(most).ok());
        channel.probe = probe.map(|(probe, _)| probe).unwrap_or_default();
        channel.models = models;
        channel.tuning = tuning;
        Some(channel)
    }

    fn models<'t>(&mut self, list: Option<&'t Spanned<DeValue<'t>>>) -> Vec<NewModel> {
        let mut taken = HashMap::new();
        let items = elements("models", list, self.findings);
        items.into_iter().filter_map(|element| self.model(element, &mut taken)).collect()
    }

    fn model(&mut self, element: Element<'_>, taken: &mut HashMap<Arc<str>, String>) -> Option<NewModel> {
        let mut entry = Entry::open(element, MODEL, self.findings)?;
        let name = own_name(&mut entry, taken);
        if name.as_deref() == Some("*") {
            let refused =
                Refused::new("\"*\" is not a model's name").advise("put \"*\" into a channel's models");
            let spot = entry.spot();
            entry.problem(&spot, "name", refused);
        }
        if !entry.has("channels") {
            let refused = Refused::new("is missing").advise("write channels = [{ channel = \"…\" }]");
            let spot = entry.spot();
            entry.problem(&spot, "channels", refused);
        }
        let tuning = tuning::of_model(&mut entry);
        let items = entry.elements("channels");
        let mappings = items.into_iter().filter_map(|element| self.mapping(element, name.as_ref())).collect();
        Some(NewModel { name: name?, mappings, tuning })
    }

    fn mapping(&mut self, element: Element<'_>, model: Option<&Arc<str>>) -> Option<NewMapping> {
        let mut entry = Entry::open(element, MAPPING, self.findings)?;
        let channel = entry.require("channel", |raw| raw.filled().map(Arc::<str>::from));
        let backend = entry.read("model", name);
        let weight = entry.read("weight", weight);
        let (channel, spot) = channel?;
        if !self.channels.contains(&*channel) {
            let advice =
                if entry.findings().is_full() { String::new() } else { nearest(&channel, &self.channels) };
            let refused = Refused::new(format!("no channel is named `{}`", short(&channel)));
            entry.problem(&spot, "channel", refused.advise(advice));
        }
        let model = model?;
        if !self.mapped.insert((Arc::clone(model), Arc::clone(&channel))) {
            let message = format!("`{}` is served by channel `{}` already", short(model), short(&channel));
            let advice = "name each pair once, in [[models]] or in the channel's models";
            entry.problem(&spot, "channel", Refused::new(message).advise(advice));
        }
        let backend_model = backend.map_or_else(|| Arc::clone(model), |(backend, _)| backend);
        Some(NewMapping {
            channel,
            backend_model,
            weight: weight.map_or(DEFAULT_WEIGHT, |(weight, _)| weight),
        })
    }

    fn users<'t>(&mut self, list: Option<&'t Spanned<DeValue<'t>>>) -> Vec<NewUser> {
        let mut taken = HashMap::new();
        let items = elements("users", list, self.findings);
        items.into_iter().filter_map(|element| self.user(element, &mut taken)).collect()
    }

    fn user(&mut self, element: Element<'_>, taken: &mut HashMap<Arc<str>, String>) -> Option<NewUser> {
        let around = self.around;
        let mut entry = Entry::open(element, USER, self.findings)?;
        let name = own_name(&mut entry, taken);
        let mut found = Vec::new();
        if let Some((key, spot)) = entry.read("key", |raw| key_secret(raw, around)) {
            found.push(UserSecret { path: format!("{}.key", entry.path()), key, spot });
        }
        let lists = (entry.has("key"), entry.has("keys"));
        if lists.0 == lists.1 {
            let message = if lists.0 { "has both key and keys" } else { "has no key" };
            let refused =
                Refused::new(message).advise("write key = \"env:NAME\", or keys = [\"env:NAME\", …]");
            let (spot, path) = (entry.spot(), entry.path().to_owned());
            entry.findings().problem(&spot, &path, refused);
        }
        for element in entry.elements("keys") {
            match key_secret(element.raw(), around) {
                Ok(key) => found.push(UserSecret { spot: element.spot(), path: element.path, key }),
                Err(refused) => entry.findings().problem(&element.spot(), &element.path, refused),
            }
        }
        let enabled = entry.read("enabled", Raw::flag);
        let allowed = entry.read("models", Raw::list);
        let may_explain = entry.read("may_explain", Raw::flag);
        let keys = found.into_iter().map(|secret| self.user_key(secret)).collect();
        let allowed_models = allowed
            .filter(|(models, _)| !models.iter().any(|model| model == "*"))
            .map(|(models, _)| models.into_iter().map(Arc::from).collect());
        Some(NewUser {
            name: name?,
            keys,
            enabled: enabled.is_none_or(|(enabled, _)| enabled),
            allowed_models,
            may_explain: may_explain.is_some_and(|(may, _)| may),
        })
    }

    /// Checks a user's key against all others. The key itself is in no message.
    fn user_key(&mut self, secret: UserSecret) -> Secret<String> {
        let UserSecret { path, key, spot } = secret;
        if key.expose().is_empty() {
            self.findings.problem(&spot, &path, Refused::new("is empty"));
            return key;
        }
        if key.expose().chars().count() < SHORT_KEY {
            let refused =
                Refused::new(format!("has fewer than {SHORT_KEY} characters, so it can be guessed"));
            self.findings.warning(&spot, &path, refused.advise("take a longer one"));
        }
        if self.admin_token.as_ref() == Some(&key) {
            let refused =
                Refused::new("is the admin token").advise("a user's key must not open the admin API");
            self.findings.problem(&spot, &path, refused);
        }
        if let Some(other) = self.keys.get(key.expose()) {
            let refused =
                Refused::new(format!("is the same key as {other}")).advise("a key recognises one user");
            self.findings.problem(&spot, &path, refused);
        } else {
            self.keys.insert(key.expose().clone(), path);
        }
        key
    }
}

/// The entry's name, which no earlier entry may have.
fn own_name(entry: &mut Entry<'_, '_, '_>, taken: &mut HashMap<Arc<str>, String>) -> Option<Arc<str>> {
    let (name, spot) = entry.require("name", name)?;
    if let Some(other) = taken.get(&name) {
        let refused = Refused::new(format!("`{}` is the name of {other} already", short(&name)));
        entry.problem(&spot, "name", refused.advise("names are unique"));
    } else {
        taken.insert(Arc::clone(&name), entry.path().to_owned());
    }
    Some(name)
}

/// What to do about a channel that is not declared.
fn nearest(channel: &str, declared: &HashSet<String>) -> String {
    // Sorted, so that of two equally near ones it is always the same.
    let mut declared: Vec<&str> = declared.iter().map(String::as_str).collect();
    declared.sort_unstable();
    suggest::did_you_mean(channel, declared).unwrap_or_else(|| "declare it in [[channels]]".to_owned())
}

fn name(raw: Raw<'_>) -> Result<Arc<str>, Refused> {
    let text = raw.filled()?;
    if text.chars().any(char::is_control) {
        return Err(Refused::new("holds a control character"));
    }
    if text.trim() != text {
        return Err(Refused::new("begins or ends with white space"));
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(Refused::new(format!("is longer than {LONGEST_NAME} characters")));
    }
    Ok(text.into())
}

fn weight(raw: Raw<'_>) -> Result<u32, Refused> {
    let weight = raw.number_in(0, HEAVIEST)?;
    u32::try_from(weight).map_err(|_big| Refused::new("is too large"))
}

fn key_secret(raw: Raw<'_>, around: Surroundings<'_>) -> Result<Secret<String>, Refused> {
    let secret = secret::resolve(raw.text()?, around.folder, around.env)?;
    secret::check_header_safe(&secret)?;
    Ok(secret)
}

/// A channel's models; a name that is there twice is reported.
fn model_names(entry: &mut Entry<'_, '_, '_>) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut seen = HashSet::new();
    for element in entry.elements("models") {
        let refused = match name(element.raw()) {
            Ok(name) if seen.insert(Arc::clone(&name)) => {
                names.push(name);
                continue;
            }
            Ok(name) => Refused::new(format!("`{}` is in the list already", short(&name))),
            Err(refused) => refused,
        };
        entry.findings().problem(&element.spot(), &element.path, refused);
    }
    names
}

#[cfg(test)]
mod tests;
