//! Tokens: what they prove, and what becomes of requests while nobody can say.

mod answers;
mod common;
mod faults;
mod real;
mod scopes;
mod senders;
