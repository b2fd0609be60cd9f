//! How long it takes to follow a streamed answer, and to find the usage in a whole one: `cargo bench -p gateway-proxy`.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{BenchmarkId, Criterion, Throughput};
use gateway_proxy::openai::{DEFAULT_MAX_EVENT_BYTES, Scanner, usage_of};
use serde_json::json;

/// Events that come together.
const TOGETHER: [usize; 2] = [1, 32];
/// Bytes of what an answer says.
const LENGTHS: [usize; 2] = [130, 10_000];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    follow(&mut criterion);
    find_usage(&mut criterion);
    criterion.final_summary();
}

/// Finds the ends of events, and what they say.
fn follow(criterion: &mut Criterion) {
    let chat = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o-mini",
        "system_fingerprint": "fp", "usage": null,
        "choices": [{"index": 0, "delta": {"content": " word"}, "logprobs": null, "finish_reason": null}],
    });
    let response = json!({
        "type": "response.output_text.delta", "sequence_number": 7, "item_id": "msg_1", "output_index": 0,
        "content_index": 0, "delta": " word", "logprobs": [],
    });
    for (name, event) in [("chat", chat), ("response", response)] {
        let mut group = criterion.benchmark_group(format!("events/{name}"));
        for together in TOGETHER {
            let chunk = format!("data: {event}\n\n").repeat(together);
            let mut scanner = Scanner::new(DEFAULT_MAX_EVENT_BYTES);
            group.throughput(Throughput::Bytes(chunk.len() as u64));
            group.bench_function(BenchmarkId::from_parameter(together), |bencher| {
                bencher.iter(|| {
                    scanner.feed(black_box(chunk.as_bytes()), |event| {
                        black_box(event);
                        ControlFlow::Continue(())
                    })
                });
            });
        }
        group.finish();
    }
}

fn find_usage(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("usage");
    for length in LENGTHS {
        let answer = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "word ".repeat(length / 5)}}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46,
                "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}},
        })
        .to_string();
        group.throughput(Throughput::Bytes(answer.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
            bencher.iter(|| usage_of(black_box(answer.as_bytes())));
        });
    }
    group.finish();
}
