use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

/// How many lines may wait for a standard output that nobody reads.
const WAITING_LINES: usize = 8192;

/// How long the end of the process waits for lines that are not written yet.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Takes log lines from any thread and never makes it wait.
///
/// One thread writes them out. When the reader of standard output stops reading, the queue fills, further lines are
/// dropped and counted, and the gateway goes on serving.
#[derive(Clone, Debug)]
pub(super) struct LogWriter {
    queue: SyncSender<Message>,
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
        Self::with_room(out, WAITING_LINES)
    }

    fn with_room(out: impl Write + Send + 'static, lines: usize) -> io::Result<Self> {
        let (queue, lines) = sync_channel(lines);
        drop(thread::Builder::new().name("log".to_owned()).spawn(move || write_all(out, &lines))?);
        Ok(Self { queue, dropped: Arc::default() })
    }

    /// Lines that were lost because nobody read the output.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits a little for what is not written yet.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            // An error is a reader that does not read: there is nothing more to do.
            let _in_time = wait.recv_timeout(LAST_WORDS).is_ok();
        }
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.queue.try_send(Message::Line(line.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut out: impl Write, messages: &Receiver<Message>) {
    while let Ok(message) = messages.recv() {
        match message {
            // A closed output (EPIPE) must not end the thread: the queue would fill and count lines as dropped
            // that nobody could have read anyway, but the flush at the end would wait for nothing.
            Message::Line(line) => drop(out.write_all(&line)),
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

    #[test]
    fn an_output_that_nobody_reads_costs_lines_but_no_time() {
        let (unblock, blocked) = sync_channel(0);
        let mut writer = LogWriter::with_room(Blocked(blocked), 2).unwrap();
        for _ in 0..10 {
            writer.write_all(b"line\n").unwrap();
        }
        // Two wait, at most one is being written.
        assert!((7..=8).contains(&writer.dropped()), "{} were dropped", writer.dropped());
        drop(unblock);
    }
}
