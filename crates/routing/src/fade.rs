//! What time leaves of a sum that fades: `e^−x`, in arithmetic alone.
//!
//! Reports come milliseconds apart and sums fade over ten seconds and more, so x is nearly always small. There the
//! first terms of the series are exact, cost less than a call of the mathematical library, and are the same on every
//! machine. A larger x is halved until it is small and the result squared as often.

use crate::Micros;

/// Up to here the series is used as it is: the terms left out are below x⁷/5040 < 10⁻¹⁴.
const SMALL: f64 = 1.0 / 32.0;
/// Beyond this nothing is left: e⁻⁴⁰ < 10⁻¹⁷.
const ALL: f64 = 40.0;
/// How often a larger x is halved, at most 40 being 2¹¹ times as much as is small. Each squaring doubles the relative
/// error; together they leave it below 10⁻¹¹.
const HALVINGS: u32 = 11;

/// `1 − e^−x` for an x not below 0; exact also where it is near 0.
pub(crate) fn lost(x: f64) -> f64 {
    if x <= SMALL { series(x) } else { 1.0 - kept(x) }
}

/// `e^−x` for an x not below 0.
pub(crate) fn kept(x: f64) -> f64 {
    if x <= SMALL {
        return 1.0 - series(x);
    }
    if x > ALL {
        return 0.0;
    }
    let halved = x / f64::from(1_u32 << HALVINGS);
    (0..HALVINGS).fold(1.0 - series(halved), |kept, _| kept * kept)
}

/// What remains of a sum after the time since `at`, when it fades with `e^(−Δ/τ)`; τ in seconds.
pub(crate) fn fade(at: Micros, now: Micros, tau: f64) -> f64 {
    if now > at { kept(now.since(at).seconds() / tau) } else { 1.0 }
}

/// The first six terms of `1 − e^−x`.
fn series(x: f64) -> f64 {
    let tail = 1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * (1.0 - x / 6.0)));
    x * (1.0 - x / 2.0 * tail)
}

#[cfg(test)]
mod tests {
    use super::{SMALL, fade, kept, lost};
    use crate::Micros;

    #[test]
    fn what_is_kept_is_the_exponential_within_its_bounds() {
        for i in 0..400_000_u32 {
            let x = f64::from(i) * 1e-4;
            let (kept, exact) = (kept(x), (-x).exp());
            let bound = if x <= SMALL { 1e-14 } else { 1e-11 };
            assert!((kept - exact).abs() <= bound * exact, "e^-{x} is {exact}, not {kept}");
        }
    }

    #[test]
    fn what_is_lost_is_exact_where_hardly_anything_is() {
        for i in 0..100_000_u32 {
            let x = f64::from(i).powi(2) * 1e-9;
            let (lost, exact) = (lost(x), -(-x).exp_m1());
            assert!((lost - exact).abs() <= 1e-10 * exact, "1 - e^-{x} is {exact}, not {lost}");
        }
    }

    #[test]
    fn what_is_kept_never_grows_with_time_and_comes_to_an_end() {
        let mut last = 1.0;
        for i in 0..300_000_u32 {
            let x = f64::from(i) * 1.7e-4;
            assert!((0.0..=last + 1e-12).contains(&kept(x)), "{x}");
            last = kept(x);
        }
        for x in [40.1, 1e9, f64::INFINITY] {
            assert!(kept(x) < 1e-17 && lost(x) > 0.99);
        }
    }

    #[test]
    fn a_clock_that_goes_back_fades_nothing() {
        assert!((fade(Micros(5), Micros(3), 1.0) - 1.0).abs() < 1e-15);
    }
}
