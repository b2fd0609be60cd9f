use gateway_domain::ChannelId;

/// How many members fit without touching the heap.
const INLINE: usize = 8;

/// A small set of channels: those already tried, or those a request may use.
///
/// Up to eight members live inside the value; more go to the heap. Membership is a linear search, which at these
/// sizes is faster than a hash.
#[derive(Clone, Debug)]
pub struct ChannelSet {
    near: [ChannelId; INLINE],
    len: usize,
    far: Vec<ChannelId>,
}

// === impl ChannelSet ===

impl ChannelSet {
    /// An empty set.
    pub const fn new() -> Self {
        Self { near: [ChannelId(0); INLINE], len: 0, far: Vec::new() }
    }

    /// Adds a channel; false when it was there already.
    pub fn insert(&mut self, id: ChannelId) -> bool {
        if self.contains(id) {
            return false;
        }
        if let Some(place) = self.near.get_mut(self.len) {
            *place = id;
            self.len += 1;
        } else {
            self.far.push(id);
        }
        true
    }

    /// Whether the channel is in the set.
    pub fn contains(&self, id: ChannelId) -> bool {
        self.iter().any(|member| member == id)
    }

    /// Takes every member out.
    pub fn clear(&mut self) {
        self.len = 0;
        self.far.clear();
    }

    /// The members, in the order of their insertion.
    pub fn iter(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.near.iter().take(self.len).chain(&self.far).copied()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.len + self.far.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for ChannelSet {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for ChannelSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|id| other.contains(id))
    }
}

impl Eq for ChannelSet {}

impl FromIterator<ChannelId> for ChannelSet {
    fn from_iter<I: IntoIterator<Item = ChannelId>>(ids: I) -> Self {
        let mut set = Self::new();
        set.extend(ids);
        set
    }
}

impl Extend<ChannelId> for ChannelSet {
    fn extend<I: IntoIterator<Item = ChannelId>>(&mut self, ids: I) {
        for id in ids {
            self.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_domain::ChannelId;

    use super::ChannelSet;

    #[test]
    fn holds_more_members_than_fit_inside() {
        let mut set: ChannelSet = (0..20).map(ChannelId).collect();
        assert!(!set.insert(ChannelId(3)) && !set.insert(ChannelId(19)));
        assert_eq!(set.len(), 20);
        assert!(set.contains(ChannelId(0)) && set.contains(ChannelId(19)) && !set.contains(ChannelId(20)));
        assert_eq!(set.iter().collect::<Vec<_>>(), (0..20).map(ChannelId).collect::<Vec<_>>());
        set.clear();
        assert!(set.is_empty() && !set.contains(ChannelId(0)));
    }

    #[test]
    fn equality_ignores_the_order_of_insertion() {
        let one: ChannelSet = [1, 2, 3].map(ChannelId).into_iter().collect();
        let other: ChannelSet = [3, 1, 2].map(ChannelId).into_iter().collect();
        assert_eq!(one, other);
        assert_ne!(one, ChannelSet::new());
    }
}
