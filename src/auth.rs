//! Who calls: what a request proves of its sender, before anything is done for it.

mod believed;
mod cache;
mod gate;
mod identity;
mod jws;
pub mod memcached;
mod token;
mod validator;

pub use self::cache::{CacheSettings, Protection, SharedCache, Strategy, TokenCache};
pub use self::gate::{Caller, Gate};
pub use self::identity::{Identity, Named};
pub use self::jws::{Jws, RepositoryError};
pub use self::token::{Access, AccessRule, Malformed, Token};
pub use self::validator::{Unavailable, Validated, Validator};
