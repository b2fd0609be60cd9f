use proptest::prelude::*;
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::websocket::{Close, close_frame};

/// A pipe of a server's frames between two ends that hold this many bytes.
fn pipe(holds: usize) -> (DuplexStream, Pipe<DuplexStream, DuplexStream>, DuplexStream) {
    let (sender, from) = duplex(holds);
    let (to, receiver) = duplex(holds);
    (sender, Pipe::new(Sender::Server, from, to, None), receiver)
}

fn binary(size: usize) -> Vec<u8> {
    let mut frame = vec![0x82, 127];
    frame.extend((size as u64).to_be_bytes());
    frame.extend((0..=u8::MAX).cycle().take(size));
    frame
}

async fn all(mut receiver: DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    receiver.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// What comes out, and how it ends, when these bytes go in and then the sender is gone.
async fn carried(bytes: Vec<u8>, holds: usize) -> (Vec<u8>, End) {
    let (mut sender, mut pipe, receiver) = pipe(holds);
    let send = async move {
        sender.write_all(&bytes).await.unwrap();
        drop(sender);
    };
    let pump = async move {
        let end = pipe.pump().await;
        pipe.finish(b"goodbye").await;
        drop(pipe);
        end
    };
    let ((), end, came_out) = tokio::join!(send, pump, all(receiver));
    (came_out, end)
}

#[tokio::test]
async fn what_is_whole_passes_and_a_closing_frame_is_put_behind_it() {
    let frames = [binary(3), binary(0), binary(20_000)].concat();
    assert_eq!(carried(frames.clone(), 1 << 20).await, ([&frames[..], b"goodbye"].concat(), End::Gone));
    let half = [&frames[..], &binary(20_000)[..19_000]].concat();
    assert_eq!(carried(half, 1 << 20).await, ([&frames[..], b"goodbye"].concat(), End::Gone));
}

#[tokio::test]
async fn nothing_is_put_into_a_frame_that_has_begun() {
    let cut = &binary(200_000)[..150_000];
    let (received, end) = carried(cut.to_vec(), 1 << 20).await;
    assert_eq!(end, End::Gone);
    assert!(cut.starts_with(&received) && received.len() > 100_000, "{}", received.len());
}

#[tokio::test]
async fn a_closing_frame_of_the_senders_own_is_the_last_that_passes() {
    let close = close_frame(Some(Close { code: 4000, reason: "enough" }), None);
    let said = [&binary(5)[..], &close].concat();
    let (mut sender, mut pipe, receiver) = pipe(1 << 20);
    sender.write_all(&[&said[..], &binary(5), b"\xff\xff"].concat()).await.unwrap();
    assert_eq!(pipe.pump().await, End::Closed);
    assert_eq!(pipe.code(), Some(4000));
    pipe.finish(b"goodbye").await;
    drop(pipe);
    assert_eq!(all(receiver).await, said);
}

#[tokio::test]
async fn a_violation_does_not_pass_but_what_came_before_it() {
    let before = binary(70_000);
    let (received, end) = carried([&before[..], b"\x83\x00rest"].concat(), 1 << 20).await;
    assert_eq!(end, End::Broken(Violation::Opcode));
    assert_eq!(received, [&before[..], b"goodbye"].concat());
}

#[tokio::test]
async fn a_receiver_that_does_not_read_holds_the_sender_back() {
    let (mut sender, mut pipe, _receiver) = pipe(1_000);
    let many = [binary(1_000_000), binary(1_000_000)].concat();
    let pushed = async {
        let mut pushed = 0;
        while let Ok(count) = sender.write(&many[pushed..]).await {
            pushed += count;
        }
    };
    let stopped = tokio::time::timeout(std::time::Duration::from_millis(50), async {
        tokio::join!(pushed, pipe.pump())
    });
    assert!(stopped.await.is_err(), "it waits");
    assert!(pipe.held.capacity() <= 3 * ROOM, "{}", pipe.held.capacity());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_frames_pass_byte_for_byte_through_any_room(
        sizes in proptest::collection::vec(prop_oneof![0..300_usize, 30_000..40_000_usize, Just(100_000)], 0..12),
        holds in prop_oneof![1..50_usize, 1_000..100_000_usize],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let frames: Vec<u8> = sizes.into_iter().flat_map(binary).collect();
        let (received, end) = runtime.block_on(carried(frames.clone(), holds));
        prop_assert_eq!(end, End::Gone);
        prop_assert!(received == [&frames[..], b"goodbye"].concat());
    }
}
