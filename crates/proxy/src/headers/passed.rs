use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers on their way up, in the order in which the client sent them.
///
/// Nobody looks one up by its name on the way of a call: they are written one behind the other. So there is no index to be
/// made for each call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed(Vec<(HeaderName, HeaderValue)>);

// === impl Passed ===

impl Passed {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// For whoever looks them up after all, with room for a few more.
    pub(crate) fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.0.len() + 3);
        for (name, value) in &self.0 {
            map.append(name, value.clone());
        }
        map
    }
}

impl<'h> FromIterator<(&'h HeaderName, &'h HeaderValue)> for Passed {
    fn from_iter<I: IntoIterator<Item = (&'h HeaderName, &'h HeaderValue)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, USER_AGENT};

    use super::*;

    #[test]
    fn what_is_there_twice_stays_there_twice() {
        let [one, two] = ["1", "2"].map(HeaderValue::from_static);
        let sent = [(&ACCEPT, &one), (&USER_AGENT, &one), (&ACCEPT, &two)];
        let passed: Passed = sent.into_iter().collect();
        assert!(passed.iter().eq(sent));
        let map = passed.to_map();
        assert!(map.get_all(ACCEPT).iter().eq([&one, &two]) && map.len() == 3);
    }
}
