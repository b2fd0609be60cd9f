//! Rate limits as providers have them: buckets that hold ten seconds' worth.

/// The bucket's size, as a part of what flows in per minute.
const SIXTH: f64 = 6.0;

/// The rate limits of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests per minute.
    pub requests: Option<f64>,
    /// Tokens per minute, those of prompts and answers.
    pub tokens: Option<f64>,
    /// Whether a 429 says how long to wait.
    pub told: bool,
}

/// What is left of them.
#[derive(Debug)]
pub(super) struct Quota {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    per_minute: f64,
    level: f64,
    filled_at: f64,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { requests: None, tokens: None, told: true }
    }
}

// === impl Quota ===

impl Quota {
    pub(super) fn new(limits: Limits) -> Self {
        Self { requests: limits.requests.map(Bucket::full), tokens: limits.tokens.map(Bucket::full) }
    }

    /// Takes what a request of so many tokens needs, or says in how many seconds it could.
    pub(super) fn admit(&mut self, now: f64, tokens: f64) -> Result<(), f64> {
        for bucket in self.requests.iter_mut().chain(&mut self.tokens) {
            bucket.fill(now);
        }
        if let Some(wait) = self.refusal(now, tokens) {
            return Err(wait);
        }
        for (bucket, amount) in [(&mut self.requests, 1.0), (&mut self.tokens, tokens)] {
            if let Some(bucket) = bucket {
                bucket.level -= amount;
            }
        }
        Ok(())
    }

    /// How many seconds a request of so many tokens would have to wait, if it would.
    pub(super) fn refusal(&self, now: f64, tokens: f64) -> Option<f64> {
        let requests = self.requests.as_ref().and_then(|bucket| bucket.lacking(now, 1.0));
        let tokens = self.tokens.as_ref().and_then(|bucket| bucket.lacking(now, tokens));
        requests.into_iter().chain(tokens).max_by(f64::total_cmp)
    }
}

// === impl Bucket ===

impl Bucket {
    fn full(per_minute: f64) -> Self {
        Self { per_minute, level: per_minute / SIXTH, filled_at: 0.0 }
    }

    fn level(&self, now: f64) -> f64 {
        let since = (now - self.filled_at).max(0.0);
        (self.level + since * self.per_minute / 60.0).min(self.per_minute / SIXTH)
    }

    fn fill(&mut self, now: f64) {
        self.level = self.level(now);
        self.filled_at = self.filled_at.max(now);
    }

    fn lacking(&self, now: f64, amount: f64) -> Option<f64> {
        let level = self.level(now);
        (level < amount).then(|| (amount - level) / (self.per_minute / 60.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Quota};

    #[test]
    fn a_request_waits_for_the_slower_of_both_buckets() {
        // One request and a hundred tokens per second; the buckets hold ten and a thousand.
        let limits = Limits { requests: Some(60.0), tokens: Some(6000.0), told: true };
        let mut quota = Quota::new(limits);
        assert_eq!(quota.admit(0.0, 900.0), Ok(()));
        assert_eq!(quota.admit(0.0, 200.0), Err(1.0));
        assert_eq!(quota.refusal(0.5, 200.0), Some(0.5));
        assert_eq!(quota.admit(1.0, 200.0), Ok(()));
        for _ in 0..9 {
            assert_eq!(quota.admit(1.0, 0.0), Ok(()));
        }
        assert_eq!(quota.admit(1.0, 0.0), Err(1.0));
    }
}
