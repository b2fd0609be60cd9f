use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How many bytes of lines may wait, what holds them not counted, for a standard output that nobody reads.
const ROOM: usize = 4 << 20;

/// How long the end of the process waits for lines that are not written yet.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Takes log lines from any thread and never makes it wait.
///
/// One thread writes them out. When the reader of standard output stops reading, the queue fills, further lines are
/// dropped and counted, and the gateway goes on serving. A queue that is empty takes next to no memory.
#[derive(Clone, Debug)]
pub(super) struct LogWriter {
    queue: Sender<Message>,
    /// How many more bytes may wait.
    room: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

// === impl LogWriter ===

impl LogWriter {
    /// A writer with a thread of its own that ends with the last clone.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        Self::with_room(out, ROOM)
    }

    fn with_room(out: impl Write + Send + 'static, bytes: usize) -> io::Result<Self> {
        let (queue, lines) = channel();
        let room = Arc::new(AtomicUsize::new(bytes));
        let given_back = Arc::clone(&room);
        let thread = thread::Builder::new().name("log".to_owned());
        drop(thread.spawn(move || write_all(out, &lines, &given_back))?);
        Ok(Self { queue, room, dropped: Arc::default() })
    }

    /// Lines that were lost because nobody read the output.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits a little for what is not written yet.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.send(Message::Flush(done)).is_ok() {
            // An error is a reader that does not read: there is nothing more to do.
            let _in_time = wait.recv_timeout(LAST_WORDS).is_ok();
        }
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let taken =
            self.room.try_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(line.len()));
        if taken.is_err() || self.queue.send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut out: impl Write, messages: &Receiver<Message>, room: &AtomicUsize) {
    while let Ok(message) = messages.recv() {
        match message {
            // A closed output (EPIPE) must not end the thread: the queue would fill and count lines as dropped
            // that nobody could have read anyway, but the flush at the end would wait for nothing.
            Message::Line(line) => {
                drop(out.write_all(&line));
                room.fetch_add(line.len(), Ordering::Relaxed);
            }
            Message::Flush(done) => {
                drop(out.flush());
                let _heard = done.send(()).is_ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output whose reader has stopped: a write takes until the other end is dropped.
    struct Blocked(Receiver<()>);

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _never = self.0.recv().is_ok();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_out_in_order() {
        let page = Page::default();
        let mut writer = LogWriter::start(page.clone()).unwrap();
        writer.write_all(b"one\n").unwrap();
        writer.write_all(b"two\n").unwrap();
        LogWriter::flush(&writer);
        assert_eq!(page.0.lock().unwrap().as_slice(), b"one\ntwo\n");
    }

    const LINE: &[u8] = b"line\n";

    #[test]
    fn an_output_that_nobody_reads_costs_lines_but_no_time() {
        let (unblock, blocked) = sync_channel(0);
        let mut writer = LogWriter::with_room(Blocked(blocked), 2 * LINE.len()).unwrap();
        for _ in 0..10 {
            writer.write_all(LINE).unwrap();
        }
        assert_eq!(writer.dropped(), 8, "two wait, one of which is being written");
        drop(unblock);
        while writer.room.load(Ordering::Relaxed) < LINE.len() {
            thread::yield_now();
        }
        writer.write_all(LINE).unwrap();
        assert_eq!(writer.dropped(), 8, "there is room again");
    }
}
