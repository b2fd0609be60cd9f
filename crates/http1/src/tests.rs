//! The server as its peers see it.

mod house;
mod hyper;
mod manners;
