//! `zaqar config`: a sample of the configuration file.

use std::io::Write as _;

use anyhow::Context as _;
use clap::Args;

/// The verb takes no options.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

/// Prints the sample.
pub(super) fn run(_: &Arguments) -> anyhow::Result<()> {
    std::io::stdout().write_all(crate::config::sample().as_bytes()).context("standard output")
}
