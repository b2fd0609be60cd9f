//! Hashes and the draws made from them.
//!
//! Everything random here is a hash: of a session key and a channel (so that every replica draws alike), or of the
//! caller's `seed` and a purpose (so that a decision can be replayed from its record).
//!
//! The mixer is the finaliser of `SplitMix64` (Steele, Lea, Flood 2014; constants by Stafford, variant 13). A draw
//! takes the upper 52 bits of a hash, `u = ((h >> 12) + ½) / 2⁵²`: uniform, never 0 and never 1, so that `ln u` is
//! finite and below zero. (With 53 bits the greatest draw would round to 1.)
//!
//! For key k and channel i, `E = −ln u(k, i)` is exponentially distributed with mean 1. Of independent exponential
//! clocks with rates `w_i`, clock i rings first with probability `w_i / Σw`; the time it rings is `E / w_i`. Taking
//! the greatest `w_i / E_i` is therefore a draw with exact weights, and because each `E_i` depends on its own
//! channel alone, adding or removing a channel moves only that channel's keys (weighted rendezvous hashing,
//! Thaler & Ravishankar 1998; the logarithmic weighting after Schindelhauer & Schomaker 2005).

/// A caller's session, hashed. Requests with the same key go to the same channel while that channel is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(pub u64);

/// What a sub-draw of a seed is for. Draws for different purposes are independent of each other.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Purpose {
    FirstKey = 0x6669_7273_745f_6b65,
    SecondKey = 0x7365_636f_6e64_5f6b,
    Jitter = 0x6a69_7474_6572_5f31,
    Threshold = 0x7468_7265_7368_6f6c,
}

/// Hashes bytes to 64 bits: the same on every machine, replica and version of this crate.
///
/// Use it for [`ChannelSpec::key64`](crate::ChannelSpec::key64), over a name that outlives restarts. It is FNV-1a
/// with the `SplitMix64` finaliser: good spread, no protection against chosen input, none needed for names that the
/// operator gives.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

/// Spreads every bit of `x` over all 64 bits.
pub(crate) const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number in (0, 1) from a hash.
#[expect(clippy::cast_precision_loss, reason = "52 bits and a half fit a f64 exactly")]
pub(crate) fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// The draw of `seed` for one purpose.
pub(crate) const fn draw(seed: u64, purpose: Purpose) -> u64 {
    mix(seed ^ purpose as u64)
}

/// `u(k, i)`: places a channel in a key's order of preference.
pub(crate) fn place(key: u64, key64: u64) -> f64 {
    unit(mix(key ^ key64))
}

/// `w/E` of a draw: the race that the greatest wins.
pub(crate) fn race(weight: f64, u: f64) -> f64 {
    weight / -u.ln()
}

/// [`race`], unless it is certainly no greater than `best`, which is found out without a logarithm.
///
/// `−ln u ≥ 2 (1 − u)/(1 + u)`, with little between the two sides where races are won (u near 1); so nearly all who
/// lose are known to. What is left over for rounding is far more than four operations can err.
pub(crate) fn race_above(weight: f64, u: f64, best: f64) -> Option<f64> {
    const FOR_ROUNDING: f64 = 1.0 - 1e-12;
    let is_beaten = weight * (1.0 + u) < best * (2.0 * FOR_ROUNDING) * (1.0 - u);
    if is_beaten { None } else { Some(race(weight, u)) }
}

/// `u₂(k, i)`: places a key in a channel's order of shedding; independent of [`place`].
pub(crate) fn loyalty(key: u64, key64: u64) -> f64 {
    unit(mix(mix(key ^ Purpose::Threshold as u64) ^ key64))
}

#[cfg(test)]
mod tests {
    use super::{loyalty, mix, place, race, race_above, stable_hash, unit};

    #[test]
    fn the_hash_of_a_name_never_changes() {
        // Sessions would lose their homes: these are for ever.
        assert_eq!(stable_hash(b""), 0xc381_7c01_6ba4_ff30);
        assert_eq!(stable_hash(b"openai-1"), 0xee06_d892_4f12_35d6);
        assert_ne!(stable_hash(b"openai-1"), stable_hash(b"openai-2"));
    }

    #[test]
    fn draws_stay_inside_the_open_interval() {
        for hash in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63] {
            let u = unit(hash);
            assert!(u > 0.0 && u < 1.0, "{hash} gave {u}");
            assert!(u.ln().is_finite());
        }
    }

    #[test]
    fn whoever_is_left_out_of_a_race_would_have_lost_it() {
        let (mut runs, mut left_out) = (0, 0);
        for i in 0..200_000_u64 {
            let (weight, other) = (0.5 + unit(mix(i)), 0.5 + unit(mix(!i)));
            let (u, best) = (unit(mix(i << 20)), race(other, unit(mix(!i << 20))));
            match race_above(weight, u, best) {
                None => left_out += 1,
                Some(run) => {
                    assert_eq!(run.to_bits(), race(weight, u).to_bits());
                    runs += u32::from(run <= best);
                }
            }
            assert!(race_above(weight, u, best).is_some() || race(weight, u) <= best, "{weight} {u} {best}");
        }
        assert!(left_out > 10 * runs, "{left_out} left out, {runs} ran in vain");
    }

    #[test]
    fn a_race_is_run_by_whoever_is_level_or_unrivalled() {
        for u in [0, 1, 1 << 40, 1 << 62, u64::MAX].map(unit) {
            for weight in [1e-9, 1.0, 1e9] {
                let alone = race_above(weight, u, f64::NEG_INFINITY);
                assert_eq!(alone, Some(race(weight, u)));
                assert_eq!(race_above(weight, u, race(weight, u)), alone);
            }
        }
    }

    #[test]
    fn order_and_loyalty_are_independent() {
        let n = 10_000_u32;
        let (mut both, mut first, mut second) = (0_u32, 0_u32, 0_u32);
        for k in 0..u64::from(n) {
            let (a, b) = (place(k, 7) < 0.5, loyalty(k, 7) < 0.5);
            first += u32::from(a);
            second += u32::from(b);
            both += u32::from(a && b);
        }
        assert!(first.abs_diff(n / 2) < 200 && second.abs_diff(n / 2) < 200);
        assert!(both.abs_diff(n / 4) < 200, "{both}");
    }
}
