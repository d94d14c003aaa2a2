//! Messages that are pushed to one connection.

use std::task::Context;

use super::socket::{Kind, Socket};

#[derive(Default)]
pub(super) struct Pushes {
    pub(super) failed: bool,
}

pub(super) struct Push;

impl Pushes {
    pub(super) fn begin(&mut self, _: Push, _: Kind) {}
    pub(super) fn poll<S>(&mut self, _: usize, _: &mut Socket<S>, _: &mut Context<'_>) -> bool {
        false
    }
    pub(super) fn end(&mut self) {}
}
