use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::entry_keys::EntryKey;
use crate::findings::{Findings, Spot};
use crate::raw::{Raw, kind_of, short};
use crate::refused::Refused;
use crate::suggest;

/// One entry of a list such as `[[channels]]`, being read. Whatever is wrong with it is reported on the way.
#[derive(Debug)]
pub(crate) struct Entry<'t, 'f, 'a> {
    table: &'t DeTable<'t>,
    /// `channels[0]`.
    path: String,
    /// Where it begins.
    spot: Spot,
    findings: &'f mut Findings<'a>,
}

/// One element of a list, not yet looked at.
#[derive(Debug)]
pub(crate) struct Element<'t> {
    /// `channels[0]`.
    pub(crate) path: String,
    pub(crate) value: &'t Spanned<DeValue<'t>>,
}

/// The elements of a list; what is no list is reported.
pub(crate) fn elements<'t>(
    path: &str,
    list: Option<&'t Spanned<DeValue<'t>>>,
    findings: &mut Findings<'_>,
) -> Vec<Element<'t>> {
    let Some(list) = list else { return Vec::new() };
    if let DeValue::Array(items) = list.get_ref() {
        let element = |(index, value)| Element { path: format!("{path}[{index}]"), value };
        return items.iter().enumerate().map(element).collect();
    }
    let refused = Refused::new(format!("expected a list, found {}", kind_of(list.get_ref())));
    let advice = if list.get_ref().is_table() && !path.contains('.') {
        format!("write each entry as [[{path}]]")
    } else {
        "write it in square brackets".to_owned()
    };
    findings.problem(&Spot::File(list.span().start), path, refused.advise(advice));
    Vec::new()
}

// === impl Element ===

impl<'t> Element<'t> {
    pub(crate) fn raw(&self) -> Raw<'t> {
        Raw::Toml(self.value.get_ref())
    }

    pub(crate) fn spot(&self) -> Spot {
        Spot::File(self.value.span().start)
    }
}

// === impl Entry ===

impl<'t, 'f, 'a> Entry<'t, 'f, 'a> {
    /// Opens an entry and reports the keys that it must not have; `None` when it is no table.
    pub(crate) fn open(
        element: Element<'t>,
        keys: &'static [EntryKey],
        findings: &'f mut Findings<'a>,
    ) -> Option<Self> {
        let spot = element.spot();
        let Element { path, value } = element;
        let DeValue::Table(table) = value.get_ref() else {
            let refused = Refused::new(format!("expected a table, found {}", kind_of(value.get_ref())));
            findings.problem(&spot, &path, refused);
            return None;
        };
        let known = || keys.iter().map(|key| key.name);
        for name in table.keys().filter(|name| !known().any(|known| known == &**name.get_ref())) {
            let own = name.get_ref();
            let advice = if findings.is_full() { String::new() } else { advice(own, keys) };
            let refused = Refused::new("unknown key").advise(advice);
            findings.problem(&Spot::File(name.span().start), &format!("{path}.{}", short(own)), refused);
        }
        Some(Self { table, path, spot, findings })
    }

    /// The value of a key, if it is there and good.
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Raw<'t>) -> Result<T, Refused>,
    ) -> Option<(T, Spot)> {
        let value = self.table.get(name)?;
        let spot = Spot::File(value.span().start);
        match read(Raw::Toml(value.get_ref())) {
            Ok(value) => Some((value, spot)),
            Err(refused) => {
                self.problem(&spot, name, refused);
                None
            }
        }
    }

    /// As [`Entry::read`]; a key that is not there is reported too.
    pub(crate) fn require<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Raw<'t>) -> Result<T, Refused>,
    ) -> Option<(T, Spot)> {
        if !self.has(name) {
            let spot = self.spot.clone();
            self.problem(&spot, name, Refused::new("is missing"));
        }
        self.read(name, read)
    }

    /// A list's elements.
    pub(crate) fn elements(&mut self, name: &str) -> Vec<Element<'t>> {
        elements(&format!("{}.{name}", self.path), self.table.get(name), self.findings)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where the entry begins.
    pub(crate) fn spot(&self) -> Spot {
        self.spot.clone()
    }

    pub(crate) fn problem(&mut self, spot: &Spot, name: &str, refused: Refused) {
        self.findings.problem(spot, &format!("{}.{name}", self.path), refused);
    }

    pub(crate) fn findings(&mut self) -> &mut Findings<'a> {
        self.findings
    }
}

fn advice(name: &str, keys: &[EntryKey]) -> String {
    let known = || keys.iter().map(|key| key.name);
    suggest::did_you_mean(name, known())
        .unwrap_or_else(|| format!("known here: {}", known().collect::<Vec<_>>().join(", ")))
}
