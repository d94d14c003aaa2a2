//! Random numbers that can be repeated.

use proptest::test_runner::{RngAlgorithm, TestRng};
use uuid::Uuid;

/// The variable with the seed that a failed test printed, to repeat its choices.
const SEED: &str = "ZAQAR_TEST_SEED";

/// A generator from the seed in `ZAQAR_TEST_SEED`, else from a new seed; prints which.
#[expect(clippy::print_stdout, reason = "shown where the test fails, to repeat it")]
pub(crate) fn seeded() -> TestRng {
    let seed = match std::env::var(SEED) {
        Ok(text) => Uuid::parse_str(&text).expect("a seed as it was printed"),
        Err(_) => Uuid::new_v4(),
    };
    println!("{SEED}={seed}");
    part(seed, 0)
}

/// Generators for `count` workers, drawn from another one.
pub(crate) fn workers(rng: &mut TestRng, count: usize) -> Vec<TestRng> {
    use proptest::prelude::RngExt as _;
    let seed = Uuid::from_u128(rng.random());
    (1..=count as u64).map(|index| part(seed, index)).collect()
}

fn part(seed: Uuid, index: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(seed.as_bytes());
    bytes[16..24].copy_from_slice(&index.to_be_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}
