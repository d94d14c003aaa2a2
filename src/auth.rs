//! Who calls: what a request proves of its sender, before anything is done for it.

mod believed;
mod gate;
mod identity;
pub(crate) mod presigned;
mod signature;
mod token;
mod validator;

pub use self::gate::{Caller, Gate};
pub use self::identity::{Identity, Named};
pub use self::presigned::Presigned;
pub use self::signature::{Grant, SigningKey};
pub use self::token::{Access, AccessRule, Malformed, Token};
pub use self::validator::{Unavailable, Validated, Validator};
