use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway_health::is_out_of_files;
use hickory_resolver::net::runtime::{RuntimeProvider, TokioRuntimeProvider};

type Opening<S> = Pin<Box<dyn Future<Output = io::Result<S>> + Send>>;

/// What a resolver asks name servers through.
///
/// Counts how often there was no file for a socket: a resolver then tries another server and another protocol, and what it says in
/// the end is only that it could reach nobody.
#[derive(Clone, Default)]
pub(super) struct Sockets {
    tokio: TokioRuntimeProvider,
    without_file: Arc<AtomicU64>,
}

// === impl Sockets ===

impl Sockets {
    /// How many could not be opened up to now, because no file was left.
    pub(super) fn without_file(&self) -> u64 {
        self.without_file.load(Ordering::Relaxed)
    }

    fn watch<S: 'static>(&self, opening: Opening<S>) -> Opening<S> {
        let without_file = Arc::clone(&self.without_file);
        Box::pin(async move {
            let opened = opening.await;
            if opened.as_ref().is_err_and(|error| is_out_of_files(error)) {
                without_file.fetch_add(1, Ordering::Relaxed);
            }
            opened
        })
    }
}

impl RuntimeProvider for Sockets {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        from: Option<SocketAddr>,
        limit: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        self.watch(self.tokio.connect_tcp(server, from, limit))
    }

    fn bind_udp(&self, from: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        self.watch(self.tokio.bind_udp(from, server))
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("without_file", &self.without_file).finish_non_exhaustive()
    }
}
