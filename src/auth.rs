//! Who calls: what a request proves of its sender, before anything is done for it.

mod believed;
mod cache;
mod gate;
mod identity;
mod jws;
mod keystone;
pub mod memcached;
pub(crate) mod presigned;
mod signature;
mod token;
mod tokens;
mod validator;

pub use self::cache::{CacheSettings, Protection, SharedCache, Strategy, TokenCache};
pub use self::gate::{Caller, Gate, Proven};
pub use self::identity::{Identity, Named};
pub use self::jws::{Jws, RepositoryError};
pub use self::keystone::{
    Account, Domain, HttpError, HttpSettings, Keystone, KeystoneSettings, Method, Named as NamedAccount,
    Scope,
};
pub use self::presigned::Presigned;
pub use self::signature::{Grant, SigningKey};
pub use self::token::{Access, AccessRule, Malformed, Token};
pub use self::tokens::{Binding, TokenSettings, Tokens};
pub use self::validator::{Unavailable, Validated, Validator};
