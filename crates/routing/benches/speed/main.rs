//! How long decisions, reports and explanations take: `cargo bench -p gateway-routing`.
//!
//! On a machine that is busy with other things, instructions tell more than times do:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='*Scene*decide*' <this program> --test --exact decide/keyed/64
//! ```
//!
//! counts those of a warm-up, which is [`scene::WARM_UP`] rounds of [`ROUND`] decisions, and one more.
//! (`cargo bench --no-run` says where the program is.)

mod scene;

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};

use crate::scene::{ROUND, Scene, Shape};

/// How many channels a pool has: few, many, as many as a walk holds at once, and more.
const SIZES: [i64; 5] = [4, 16, 64, 256, 1000];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decide(&mut criterion);
    report(&mut criterion);
    explain(&mut criterion);
    criterion.final_summary();
}

fn decide(criterion: &mut Criterion) {
    for shape in Shape::ALL {
        let mut group = criterion.benchmark_group(format!("decide/{}", shape.as_str()));
        let sizes = SIZES.into_iter().filter(|size| shape != Shape::Spilled || *size <= 64);
        for size in sizes {
            let mut scene = LazyCell::new(|| Scene::new(size, shape));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter_custom(|count| time(count, &mut scene, Scene::decide, Scene::report));
            });
        }
    }
}

/// A first token and an end.
fn report(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("report");
    for size in SIZES {
        let mut scene = LazyCell::new(|| Scene::new(size, Shape::Keyed));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|count| time(count, &mut scene, Scene::report, Scene::decide));
        });
    }
}

fn explain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("explain");
    for size in SIZES {
        let scene = LazyCell::new(|| Scene::new(size, Shape::Keyed));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| bencher.iter(|| scene.explain()));
    }
}

/// What `count` of the steps that `measured` makes take, with as many `unmeasured` ones and whatever else between.
#[expect(clippy::disallowed_methods, reason = "measuring is what this is for")]
fn time(
    mut count: u64,
    scene: &mut Scene,
    measured: impl Fn(&mut Scene, u64),
    unmeasured: impl Fn(&mut Scene, u64),
) -> Duration {
    let mut total = Duration::ZERO;
    while count > 0 {
        let round = count.min(ROUND);
        let start = Instant::now();
        measured(scene, round);
        total += start.elapsed();
        unmeasured(scene, round);
        scene.between();
        count -= round;
    }
    total
}
