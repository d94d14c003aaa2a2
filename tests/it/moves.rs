//! Queues that move from store to store while they are used.

mod carriers;
mod dead_letters;
mod kill;
mod live;
mod nodes;
mod troubles;
