//! Hashes and dice. Everything random in a run follows from its seed.
//!
//! Published figures depend on every bit of this file: it is a part of the model, and stays as it is.

/// Spreads every bit of `x` over all 64 bits (the finaliser of `SplitMix64`).
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number between 0 and 1 from a hash, never 0.
pub fn unit(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// A generator of random numbers (xoshiro256++).
#[derive(Clone, Debug)]
pub struct Dice {
    state: [u64; 4],
}

// === impl Dice ===

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        let first = mix(seed);
        let second = mix(first);
        let third = mix(second);
        Self { state: [first, second, third, mix(third)] }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let bits = s0.wrapping_add(*s3).rotate_left(23).wrapping_add(*s0);
        let shifted = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= shifted;
        *s3 = s3.rotate_left(45);
        bits
    }

    /// Uniform between 0 and 1, never 0.
    pub fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Uniform among `0..n`; 0 when `n` is 0.
    #[expect(clippy::cast_possible_truncation, reason = "the upper half of the product is below n")]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Exponentially distributed.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// Log-normally distributed: `sigma` is the standard deviation of the logarithm.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// A place in `weights`, each with a probability in proportion to its weight; `None` when there is no weight.
    pub fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let total: f64 = weights.iter().sum();
        if total.is_nan() || total <= 0.0 {
            return None;
        }
        let mut left = self.unit() * total;
        for (place, weight) in weights.iter().enumerate() {
            left -= weight;
            if left <= 0.0 && *weight > 0.0 {
                return Some(place);
            }
        }
        // Rounding left a crumb over.
        weights.iter().rposition(|weight| *weight > 0.0)
    }

    /// Two different places below `n`, which is at least 2.
    pub fn two_below(&mut self, n: usize) -> (usize, usize) {
        let one = self.below(n);
        (one, (one + 1 + self.below(n - 1)) % n)
    }

    /// Normally distributed with mean 0 and standard deviation 1 (Box and Muller).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn places_are_drawn_in_proportion_to_their_weights() {
        let mut dice = Dice::new(1);
        let mut drawn = [0_u32; 3];
        for _ in 0..30_000 {
            drawn[dice.weighted(&[1.0, 0.0, 2.0]).unwrap()] += 1;
        }
        assert!(drawn[0].abs_diff(10_000) < 300 && drawn[1] == 0, "{drawn:?}");
        assert_eq!(dice.weighted(&[0.0, 0.0]), None);
    }

    #[test]
    fn two_places_are_never_the_same() {
        let mut dice = Dice::new(2);
        assert!((0..1000).all(|_| {
            let (one, other) = dice.two_below(3);
            one != other && one < 3 && other < 3
        }));
    }

    #[test]
    fn the_dice_fall_as_they_did_when_the_figures_were_published() {
        let mut dice = Dice::new(101);
        assert_eq!([dice.bits(), dice.bits()], [0x1024_b998_e24f_481d, 0x9957_fa25_da8d_a341]);
    }
}
