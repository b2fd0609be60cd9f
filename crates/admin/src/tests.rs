//! The admin API as a caller sees it: [`crate::Admin::handle`] over a real store in memory.

mod access;
mod browsers;
mod channels;
mod conform;
mod declared;
mod dependents;
mod document;
mod door;
mod explain;
mod gateway;
mod history;
mod keys;
mod mappings;
mod models;
mod pages;
mod pages_of_lists;
mod pools;
mod publishing;
mod readme;
mod robust;
mod sessions;
mod shown;
mod trial;
mod tuning;
mod upstream;
mod users;
