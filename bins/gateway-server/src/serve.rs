//! Sockets and HTTP connections: accept, limits, timers, the end of a connection.

mod activity;
mod connection;
mod crew;
mod guarded_io;
mod listener;
mod peer;
mod places;

pub(crate) use activity::Carried;
pub(crate) use crew::Member;
pub(crate) use listener::{Stand, accept, bind};
pub(crate) use places::{Place, Places};
