use crate::Settings;
use crate::entry_keys::LISTS;
use crate::keys::{ALIASES, KEYS, Key};

/// When a changed value is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reload {
    /// By the next snapshot: a changed file, SIGHUP or the admin API is enough.
    Hot,
    /// By the next start.
    Restart,
}

/// What the documentation says about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReference {
    /// The dotted key: `server.port`; `channels[].weight` for the entries of lists.
    pub name: String,
    /// What values it takes.
    pub kind: String,
    /// Its default as it is written in TOML; empty: there is none.
    pub default: String,
    /// Its environment variables; none for the entries of lists.
    pub variables: Vec<String>,
    /// When a change is applied.
    pub reload: Reload,
    /// What it means, in one line.
    pub meaning: &'static str,
}

/// Every key of the configuration file, in the order of the documentation.
pub fn reference() -> Vec<KeyReference> {
    let defaults = Settings::default();
    let settings = KEYS.iter().map(|key| KeyReference {
        name: key.name.to_owned(),
        kind: key.field.kind(),
        default: key.field.show(&defaults).map(|shown| shown.toml()).unwrap_or_default(),
        variables: variables(key),
        reload: key.reload,
        meaning: key.meaning,
    });
    let entries = LISTS.iter().flat_map(|(list, keys)| {
        keys.iter().map(move |key| KeyReference {
            name: format!("{}[].{}", list.replace('.', "[]."), key.name),
            kind: key.kind.to_owned(),
            default: key.default.to_owned(),
            variables: Vec::new(),
            reload: Reload::Hot,
            meaning: key.meaning,
        })
    });
    settings.chain(entries).collect()
}

fn variables(key: &Key) -> Vec<String> {
    let aliases = ALIASES.iter().filter(|(_, name)| *name == key.name).map(|(alias, _)| (*alias).to_owned());
    std::iter::once(key.variable()).chain(aliases).collect()
}
