//! The configuration of a gateway under test, and the folder it lives in.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};

use gateway_config::Environment;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::gateway::Gateway;
use crate::{ADMIN_TOKEN, GatewayProcess, USER_KEY, USER_KEY_MARK, Upstream};

/// A gateway before it starts: a configuration that the test may change in every part.
#[derive(Debug)]
pub struct GatewayBuilder {
    pub(crate) table: Table,
    pub(crate) environment: Environment,
    mounted: bool,
}

/// A configuration on disk, with everything that the gateway writes beside it.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) environment: Environment,
}

/// A channel for an upstream, as `[[channels]]` declares it.
#[derive(Clone, Debug)]
pub struct Declared {
    pub(crate) name: String,
    base_url: String,
    key: String,
    weight: u32,
    mapping_weight: u32,
}

/// This many user keys, told apart by the word and a number.
pub fn user_keys(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("sk-{USER_KEY_MARK}-{word}-{number:05}")).collect()
}

/// The upstreams as channels of equal weight.
pub fn weighted<U: Borrow<Upstream>>(upstreams: impl IntoIterator<Item = (U, u32)>) -> Vec<Declared> {
    let declare = |(upstream, weight): (U, u32)| Declared::new(upstream.borrow(), weight);
    upstreams.into_iter().map(declare).collect()
}

/// The upstreams as channels of which each gets a million times the traffic of the next: the first is tried first.
pub fn in_order(upstreams: impl IntoIterator<Item: Borrow<Upstream>>) -> Vec<Declared> {
    // Chance decides by channel weight × mapping weight, so each step is made on both.
    let weights = [1_000_000, 1_000, 1].into_iter().chain(std::iter::repeat(1));
    let mut channels = weighted(upstreams.into_iter().zip(weights));
    for channel in &mut channels {
        channel.mapping_weight = channel.weight;
    }
    channels
}

// === impl GatewayBuilder ===

impl GatewayBuilder {
    /// A gateway with one user, and short limits where the product's are for patient people.
    pub(crate) fn bare() -> Self {
        let text = format!(
            r#"
            [server]
            host = "127.0.0.1"
            port = 0
            workers = 1
            shutdown_grace = "5s"
            [database]
            path = "gateway.db"
            [health_check]
            interval = "1h"
            [log]
            level = "info"
            [[users]]
            name = "tester"
            keys = ["{USER_KEY}"]
            "#
        );
        let table = text.parse().expect("the template is TOML");
        let mut environment = Environment::new();
        environment.insert("GATEWAY_ADMIN_TOKEN".to_owned(), ADMIN_TOKEN.to_owned());
        Self { table, environment, mounted: false }
    }

    /// Serves one more model from these channels, each under the model's own name.
    #[must_use]
    pub fn model(mut self, model: &str, channels: Vec<Declared>) -> Self {
        let mapping = |channel: &Declared| {
            let mut mapping = Table::new();
            mapping.insert("channel".to_owned(), channel.name.clone().into());
            mapping.insert("weight".to_owned(), i64::from(channel.mapping_weight).into());
            Value::Table(mapping)
        };
        let mut declared = Table::new();
        declared.insert("name".to_owned(), model.into());
        declared.insert("channels".to_owned(), Value::Array(channels.iter().map(mapping).collect()));
        self.push("models", declared);
        for channel in channels {
            let known = self
                .list("channels")
                .iter()
                .any(|c| c.get("name").and_then(Value::as_str) == Some(&channel.name));
            if !known {
                self.push("channels", channel.table());
            }
        }
        self
    }

    /// A channel that serves whatever model is asked for.
    #[must_use]
    pub fn wildcard(mut self, upstream: &Upstream) -> Self {
        for channel in weighted([(upstream, 10)]) {
            let mut table = channel.table();
            table.insert("models".to_owned(), Value::Array(vec!["*".into()]));
            self.push("channels", table);
        }
        self
    }

    /// One more user with one key.
    #[must_use]
    pub fn user(mut self, name: &str, key: &str) -> Self {
        let mut user = Table::new();
        user.insert("name".to_owned(), name.into());
        user.insert("keys".to_owned(), Value::Array(vec![key.into()]));
        self.push("users", user);
        self
    }

    /// Users with one key each, by the keys.
    #[must_use]
    pub fn users(self, keys: &[String]) -> Self {
        keys.iter().fold(self, |builder, key| builder.user(key.trim_start_matches("sk-"), key))
    }

    /// Sets one key by its dotted name: `.set("proxy.connect_timeout", "200ms")`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        put(&mut self.table, key, value.into());
        self
    }

    /// Sets one field of a declared channel.
    #[must_use]
    pub fn channel(mut self, upstream: &Upstream, field: &str, value: impl Into<Value>) -> Self {
        let channel = self.declared("channels", upstream.name());
        channel.insert(field.to_owned(), value.into());
        self
    }

    /// Sets one field of the way in which a channel serves a model.
    #[must_use]
    pub fn mapping(mut self, model: &str, upstream: &Upstream, field: &str, value: impl Into<Value>) -> Self {
        let model = self.declared("models", model);
        let mappings =
            model.get_mut("channels").and_then(Value::as_array_mut).expect("the model has channels");
        let named = |m: &&mut Value| m.get("channel").and_then(Value::as_str) == Some(upstream.name());
        let mapping = mappings.iter_mut().find(named).expect("the model is served by this channel");
        mapping.as_table_mut().expect("a mapping is a table").insert(field.to_owned(), value.into());
        self
    }

    /// Changes the configuration in any other way.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Table)) -> Self {
        change(&mut self.table);
        self
    }

    /// Sets an environment variable of the gateway.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes an environment variable away, the admin token's for instance.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Writes the configuration as Kubernetes mounts a `ConfigMap`: the file is a link into a link to a folder, and
    /// only the link in the middle is ever changed.
    #[must_use]
    pub fn mounted(mut self) -> Self {
        self.mounted = true;
        self
    }

    /// The configuration as a file's text.
    pub fn text(&self) -> String {
        self.table.to_string()
    }

    /// Starts it inside the test process. Fails the test when it cannot start.
    pub async fn start(self) -> Gateway {
        Gateway::start_at(self.settle()).await
    }

    /// Starts the real binary. `None`, with a loud word, when it has not been built.
    pub async fn spawn(self) -> Option<GatewayProcess> {
        GatewayProcess::start_at(self.settle()).await
    }

    fn settle(mut self) -> Home {
        let folder = TempDir::with_prefix("gateway-test-").expect("a temporary folder can be made");
        let database = self.table.get_mut("database").and_then(|table| table.get_mut("path"));
        if let Some(path) = database
            && let Some(relative) = path.as_str()
        {
            *path = folder.path().join(relative).display().to_string().into();
        }
        let home = Home { folder, environment: self.environment };
        let text = self.table.to_string();
        if self.mounted {
            home.swap_mount(&text);
            std::os::unix::fs::symlink("..data/gateway.toml", home.config()).expect("a link can be made");
        } else {
            std::fs::write(home.config(), text).expect("the configuration can be written");
        }
        home
    }

    fn list(&mut self, list: &str) -> &mut Vec<Value> {
        let entry = self.table.entry(list).or_insert_with(|| Value::Array(Vec::new()));
        entry.as_array_mut().expect("an array of tables")
    }

    fn push(&mut self, list: &str, table: Table) {
        self.list(list).push(Value::Table(table));
    }

    fn declared(&mut self, list: &str, name: &str) -> &mut Table {
        let named = |t: &&mut Value| t.get("name").and_then(Value::as_str) == Some(name);
        let found = self.list(list).iter_mut().find(named).and_then(Value::as_table_mut);
        found.unwrap_or_else(|| panic!("{list} declares no {name}"))
    }
}

// === impl Home ===

impl Home {
    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("gateway.toml")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("gateway.db")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What a kubelet does: a new folder, and then the link `..data` is replaced by one that leads there.
    pub(crate) fn swap_mount(&self, text: &str) {
        let old = std::fs::read_link(self.path().join("..data")).ok();
        // Two names are enough: the old folder goes before the next one comes.
        let first = old.as_deref().is_none_or(|old| old.ends_with("..version-b"));
        let fresh = if first { "..version-a" } else { "..version-b" };
        std::fs::create_dir(self.path().join(fresh)).expect("a folder can be made");
        std::fs::write(self.path().join(fresh).join("gateway.toml"), text).expect("a file can be written");
        let link = self.path().join("..data_tmp");
        std::os::unix::fs::symlink(fresh, &link).expect("a link can be made");
        std::fs::rename(&link, self.path().join("..data")).expect("a link can be replaced");
        if let Some(old) = old {
            std::fs::remove_dir_all(self.path().join(old)).expect("the old folder can go");
        }
    }
}

// === impl Declared ===

impl Declared {
    fn new(upstream: &Upstream, weight: u32) -> Self {
        let (name, key) = (upstream.name().to_owned(), upstream.key().to_owned());
        Self { name, base_url: upstream.base_url(), key, weight, mapping_weight: 10 }
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.insert("name".to_owned(), self.name.clone().into());
        table.insert("base_url".to_owned(), self.base_url.clone().into());
        table.insert("api_key".to_owned(), self.key.clone().into());
        table.insert("weight".to_owned(), i64::from(self.weight).into());
        table.insert("probe".to_owned(), "off".into());
        table
    }
}

/// Sets a key by its dotted name, making the tables on the way.
pub(crate) fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            put(inner.as_table_mut().expect("a table"), rest, value);
        }
    }
}
