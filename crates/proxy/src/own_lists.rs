//! Lists of a channel's objects, of which each user sees its own.

use gateway_config::Isolation;

use crate::affinity::{Listed, query_after};
use crate::attempt::Content;
use crate::call::Call;
use crate::error::ProxyError;
use crate::gateway::Worker;
use crate::journal::Ending;
use crate::plane::{Plane, Served};
use crate::search::{Found, Search};

/// How many pages are read for one that has anything to show. Whoever shares an account with many may have to ask for
/// larger pages.
const MAX_PAGES: usize = 20;

/// Whether the answer of a call is a list from which other users' objects are to be taken.
pub(crate) fn is_shared(plane: &Plane, call: &Call) -> bool {
    call.endpoint.lists.is_some() && plane.snapshot.settings.objects.isolation == Isolation::On
}

/// Searches for a list, and takes out of it what is not the caller's. A page that is left empty by that is passed over:
/// clients would take it for the end.
pub(crate) async fn search(
    worker: &Worker,
    plane: &Plane,
    served: &Served,
    mut call: Call,
    entry: crate::journal::Entry,
) -> Found {
    let mut found = Search { worker, plane, served, call: &call }.run(entry).await;
    for page in 1..=MAX_PAGES {
        let Ok((answer, number)) = &mut found.outcome else { return found };
        let Content::Whole { body, .. } = &mut answer.content else {
            return Found { outcome: Err(ProxyError::ListTooLong), ..found };
        };
        // What is no list has nothing in it that could be anybody's.
        let Some(listed) = Listed::read(body) else { return found };
        let own = worker.directory().owned_by(call.user.id, listed.ids()).await;
        let stays = |id: &str| own.contains(id);
        let next = listed.goes_on_after(stays).and_then(|last| query_after(call.query.as_deref(), last));
        if let (Some(next), true) = (next, page < MAX_PAGES) {
            call.query = Some(next);
            found.entry.end(*number, Ending::ok(answer.status.as_u16()));
            found = Search { worker, plane, served, call: &call }.run(found.entry).await;
        } else {
            *body = listed.keep(stays);
            return found;
        }
    }
    found
}
