use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

type Finding<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Finds the addresses of a host. Probes ask whoever calls ask, or a name that only one of them finds would make a
/// channel look ill, or well.
pub type Lookup = Arc<dyn Fn(String) -> Finding<Vec<IpAddr>> + Send + Sync>;

/// The same in the shape that the connector wants.
#[derive(Clone)]
pub(super) struct Names(pub(super) Lookup);

/// Asks the system.
pub(super) fn system() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Finding<Self::Response>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let finding = (self.0)(name.as_str().to_owned());
        Box::pin(async move {
            // The connector knows the port.
            let found: Vec<_> =
                finding.await?.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(found.into_iter())
        })
    }
}
