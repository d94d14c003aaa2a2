//! One copy of what tokens share: most tokens of a cloud belong to few users, in few roles and under few rules.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::{Access, Identity, Token};

/// The parts that living tokens are made of. Holds no part longer than about as long as a token does.
#[derive(Default)]
pub(super) struct Parts {
    identities: Mutex<Pool<Identity>>,
    accesses: Mutex<Pool<Access>>,
}

struct Pool<T> {
    parts: HashSet<Arc<T>>,
    /// The size at which it is looked through for parts that nobody holds.
    full: usize,
}

/// The least size at which that is worth the while.
const SMALL: usize = 1_024;

impl Parts {
    /// The same token, made of parts that others are made of too where they are equal.
    pub(super) fn share(&self, token: &Arc<Token>) -> Arc<Token> {
        let mut token = Token::clone(token);
        token.identity = share(&self.identities, token.identity);
        token.access = token.access.map(|access| share(&self.accesses, access));
        Arc::new(token)
    }
}

/// The lock is held for a look into a table, and now and then for a walk through it.
fn share<T: Hash + Eq>(pool: &Mutex<Pool<T>>, part: Arc<T>) -> Arc<T> {
    pool.lock().unwrap_or_else(PoisonError::into_inner).share(part)
}

impl<T: Hash + Eq> Pool<T> {
    fn share(&mut self, part: Arc<T>) -> Arc<T> {
        if let Some(known) = self.parts.get(&part) {
            return known.clone();
        }
        if self.parts.len() >= self.full {
            self.parts.retain(|part| Arc::strong_count(part) > 1);
            self.parts.shrink_to(SMALL);
            self.full = SMALL.max(self.parts.len() * 2);
        }
        self.parts.insert(part.clone());
        part
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { parts: HashSet::new(), full: SMALL }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn token(user: usize, expires_at: i64) -> Arc<Token> {
        let identity = Identity { domain_id: Some(user.to_string()), ..Identity::default() };
        let access = Access { rules: Box::default(), service_types: Box::default() };
        let expires_at = Timestamp::from_micros(expires_at);
        Arc::new(Token {
            identity: identity.into(),
            expires_at,
            access: Some(access.into()),
            bind: Box::default(),
        })
    }

    #[test]
    fn equal_parts_are_one() {
        let parts = Parts::default();
        let (one, two, other) =
            (parts.share(&token(1, 1)), parts.share(&token(1, 2)), parts.share(&token(2, 1)));
        assert!(Arc::ptr_eq(&one.identity, &two.identity) && !Arc::ptr_eq(&one.identity, &other.identity));
        assert!(Arc::ptr_eq(one.access.as_ref().unwrap(), other.access.as_ref().unwrap()));
        assert_eq!((&*one, &*two), (&*token(1, 1), &*token(1, 2)));
    }

    #[test]
    fn parts_of_dead_tokens_are_dropped() {
        let parts = Parts::default();
        let kept: Vec<_> = (0..10).map(|user| parts.share(&token(user, 1))).collect();
        for user in 0..SMALL * 10 {
            parts.share(&token(user, 1));
        }
        let pool = parts.identities.lock().unwrap();
        assert!(pool.parts.len() <= SMALL && pool.full == SMALL, "{}", pool.parts.len());
        assert!(kept.iter().all(|token| pool.parts.contains(&token.identity)));
    }
}
