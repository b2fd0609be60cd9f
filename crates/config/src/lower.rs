use std::collections::{HashMap, HashSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::entry_keys::LISTS;
use crate::field::Surroundings;
use crate::findings::{Findings, Spot};
use crate::keys::{KEYS, Key};
use crate::raw::{Raw, kind_of, short};
use crate::refused::Refused;
use crate::{Settings, suggest};

/// Settings in the making: every value that could be read is in, every other one is reported.
#[derive(Debug)]
pub(crate) struct Lowering<'f, 'a> {
    pub(crate) settings: Settings,
    pub(crate) known: Known,
    pub(crate) around: Surroundings<'a>,
    pub(crate) findings: &'f mut Findings<'a>,
}

/// What is known of each key beside its value.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Where it was set.
    spots: HashMap<&'static str, Spot>,
    /// Keys whose value was refused: what stands in the settings is not what was meant.
    refused: HashSet<&'static str>,
}

/// The lists of a file, as they were written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lists<'t> {
    pub(crate) channels: Option<&'t Spanned<DeValue<'t>>>,
    pub(crate) models: Option<&'t Spanned<DeValue<'t>>>,
    pub(crate) users: Option<&'t Spanned<DeValue<'t>>>,
}

// === impl Lowering ===

impl<'f, 'a> Lowering<'f, 'a> {
    /// Begins with the defaults.
    pub(crate) fn new(around: Surroundings<'a>, findings: &'f mut Findings<'a>) -> Self {
        Self { settings: Settings::default(), known: Known::default(), around, findings }
    }

    /// Walks the whole file; the lists are handed back unread.
    pub(crate) fn read_file<'t>(&mut self, root: &'t DeTable<'t>) -> Lists<'t> {
        let mut lists = Lists::default();
        for (name, value) in root {
            match &**name.get_ref() {
                "channels" => lists.channels = Some(value),
                "models" => lists.models = Some(value),
                "users" => lists.users = Some(value),
                _ => self.read_member("", name, value),
            }
        }
        lists
    }

    /// Checks one value and takes it, or reports it.
    pub(crate) fn set(&mut self, key: &'static Key, raw: Raw<'_>, spot: Spot) {
        match key.field.set(&mut self.settings, raw, self.around) {
            Ok(()) => {
                self.known.spots.insert(key.name, spot);
            }
            Err(refused) => {
                self.known.refused.insert(key.name);
                self.findings.problem(&spot, key.name, refused);
            }
        }
    }

    fn read_section<'t>(&mut self, section: &str, table: &'t DeTable<'t>) {
        for (name, value) in table {
            self.read_member(section, name, value);
        }
    }

    fn read_member<'t>(
        &mut self,
        section: &str,
        name: &Spanned<impl AsRef<str>>,
        value: &'t Spanned<DeValue<'t>>,
    ) {
        let own = name.get_ref().as_ref();
        let dotted = if section.is_empty() { own.to_owned() } else { format!("{section}.{own}") };
        if let Some(key) = Key::find(&dotted) {
            self.set(key, Raw::Toml(value.get_ref()), Spot::File(value.span().start));
        } else if is_section(&dotted) {
            if let DeValue::Table(table) = value.get_ref() {
                self.read_section(&dotted, table);
            } else {
                let refused = Refused::new(format!("expected a table, found {}", kind_of(value.get_ref())));
                let spot = Spot::File(value.span().start);
                self.findings.problem(&spot, &dotted, refused.advise(format!("write it as [{dotted}]")));
            }
        } else {
            let advice = if self.findings.is_full() { String::new() } else { advice(section, own) };
            let refused = Refused::new("unknown key").advise(advice);
            self.findings.problem(&Spot::File(name.span().start), &short(&dotted), refused);
        }
    }
}

// === impl Known ===

impl Known {
    /// Where a key was set.
    pub(crate) fn spot(&self, key: &str) -> Spot {
        self.spots.get(key).cloned().unwrap_or(Spot::Nowhere)
    }

    /// Whether somebody set it.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.spots.contains_key(key)
    }

    /// Whether its value is what was meant.
    pub(crate) fn is_sound(&self, key: &str) -> bool {
        !self.refused.contains(key)
    }
}

fn is_section(dotted: &str) -> bool {
    KEYS.iter().any(|key| key.parts().0 == dotted)
}

/// What to do about an unknown key: the nearest one here, the same one elsewhere, or all that there are.
fn advice(section: &str, name: &str) -> String {
    let here = members(section);
    if let Some(meant) = suggest::did_you_mean(name, here.iter().copied()) {
        return meant;
    }
    let elsewhere = suggest::nearest(name, KEYS.iter().map(|key| key.parts().1));
    if let Some(key) = elsewhere.and_then(|meant| KEYS.iter().find(|key| key.parts().1 == meant)) {
        let (section, key) = key.parts();
        return if key == name {
            format!("`{name}` belongs to [{section}]")
        } else {
            format!("did you mean `{key}` in [{section}]?")
        };
    }
    format!("known here: {}", here.join(", "))
}

/// The names that may stand in a section.
fn members(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let rest = if section.is_empty() {
            Some(key.name)
        } else {
            key.name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'))
        };
        let name = rest.map(|rest| rest.split_once('.').map_or(rest, |(first, _)| first));
        names.extend(name.filter(|name| !names.contains(name)));
    }
    if section.is_empty() {
        names.extend(LISTS.iter().map(|(list, _)| *list).filter(|list| !list.contains('.')));
    }
    names
}

#[cfg(test)]
mod tests;
