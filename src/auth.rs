//! Who calls: what a request proves of its sender, before anything is done for it.

mod believed;
mod gate;
mod identity;

pub use self::gate::{Caller, Gate};
pub use self::identity::{Identity, Named};
