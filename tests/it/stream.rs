//! Messages as server-sent events, over real sockets.

mod ends;
mod nodes;
mod protocol;
mod queues;
mod slow;
