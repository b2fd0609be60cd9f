use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use super::*;

const STARTED: UnixMillis = UnixMillis(0x2a);

/// What is there to be read now.
fn read(listener: &mut Listener) -> String {
    let mut text = Vec::new();
    while let Poll::Ready(Some(bytes)) = listener.poll_next(&mut Context::from_waker(Waker::noop())) {
        text.extend_from_slice(&bytes);
    }
    String::from_utf8(text).unwrap()
}

/// The ids of the events of some text, in their order.
fn numbers(text: &str) -> Vec<u64> {
    let blocks = text.split("\n\n").filter(|block| block.contains("event: rates"));
    blocks
        .map(|block| block.split("id: 2a-").nth(1).unwrap().lines().next().unwrap().parse().unwrap())
        .collect()
}

fn tell(feed: &Feed, count: usize) {
    for _ in 0..count {
        feed.tell("rates", &"a\nb");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_one_block_and_what_was_before_is_not_told() {
    let feed = Feed::new(STARTED);
    tell(&feed, 3);
    let mut listener = feed.listen(None).unwrap();
    assert_eq!(read(&mut listener), "retry: 1000\nid: 2a-0\n\n", "while nobody listens nothing has a number");
    tell(&feed, 1);
    assert_eq!(read(&mut listener), "id: 2a-1\nevent: rates\ndata: \"a\\nb\"\n\n");
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    let feed = Feed::new(STARTED);
    let mut listener = feed.listen(None).unwrap();
    tell(&feed, 3);
    assert_eq!(numbers(&read(&mut listener)), [1, 2, 3]);
    drop(listener);
    tell(&feed, 4);
    tokio::time::advance(LINGER / 2).await;
    let mut back = feed.listen(Some("2a-2")).unwrap();
    tell(&feed, 1);
    assert_eq!(numbers(&read(&mut back)), [3, 4, 5, 6, 7, 8]);
    let mut at_the_end = feed.listen(Some("2a-8")).unwrap();
    let opening = read(&mut at_the_end);
    assert!(!opening.contains("event:"), "nothing was missed: {opening}");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_leads_nowhere_is_a_reset_with_an_id_that_does() {
    let feed = Feed::new(STARTED);
    let _other = feed.listen(None).unwrap();
    tell(&feed, MAX_EVENTS + 5);
    let number = MAX_EVENTS + 5;
    let future = format!("2a-{}", number + 1);
    for id in ["2a-4", "29-7", "", "2a-", "2a-x", "7", "2a-18446744073709551615", &future] {
        let opening = read(&mut feed.listen(Some(id)).unwrap());
        assert_eq!(opening, format!("id: 2a-{number}\nevent: reset\ndata: {{}}\n\n"), "{id:?}");
    }
    assert_eq!(numbers(&read(&mut feed.listen(Some("2a-5")).unwrap())).len(), MAX_EVENTS);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_comes_back_for_is_forgotten() {
    let feed = Feed::new(STARTED);
    let listener = feed.listen(None).unwrap();
    tell(&feed, 2);
    drop(listener);
    assert!(feed.is_heard());
    tokio::time::advance(LINGER).await;
    assert!(!feed.is_heard());
    assert_eq!(feed.0.state().kept.len(), 0);
    for id in ["2a-1", "2a-2", "2a-3"] {
        assert!(read(&mut feed.listen(Some(id)).unwrap()).contains("event: reset"), "{id}");
        tokio::time::advance(LINGER).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_read_costs_nothing_and_is_told_so_once() {
    let feed = Feed::new(STARTED);
    let mut slow = feed.listen(None).unwrap();
    let large = "x".repeat(10_000);
    for _ in 0..5_000 {
        feed.tell("rates", &large);
    }
    let (kept, bytes) = {
        let state = feed.0.state();
        (state.kept.len(), state.kept.iter().map(|event| event.text.len()).sum::<usize>())
    };
    assert!(kept <= MAX_EVENTS && bytes <= MAX_BYTES, "{kept} events of {bytes} bytes");
    tell(&feed, 1);
    let text = read(&mut slow);
    assert_eq!(text.matches("event: reset").count(), 1);
    assert!(numbers(&text).is_empty(), "what is left of the past is not told: it has gaps");
    tell(&feed, 1);
    assert_eq!(numbers(&read(&mut slow)), [5_002]);
}

#[tokio::test(start_paused = true)]
async fn there_is_a_bound_to_those_who_listen() {
    let feed = Feed::new(STARTED);
    let mut all: Vec<_> = (0..MAX_LISTENERS).map(|_| feed.listen(None).unwrap()).collect();
    assert_eq!(feed.listen(None).unwrap_err().status(), 503);
    drop(all.pop());
    assert!(feed.listen(None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_comments_and_by_the_end() {
    let feed = Feed::new(STARTED);
    let mut listener = feed.listen(None).unwrap();
    let began = Instant::now();
    assert!(poll_fn(|cx| listener.poll_next(cx)).await.is_some());
    for seconds in [15, 30] {
        assert_eq!(poll_fn(|cx| listener.poll_next(cx)).await.unwrap(), ":\n\n");
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
    let end = async { feed.end() };
    let (last, ()) = tokio::join!(poll_fn(|cx| listener.poll_next(cx)), end);
    assert_eq!(last, None);
    assert_eq!(feed.listen(None).unwrap_err().status(), 503);
}
