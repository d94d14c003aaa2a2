//! The delivery policy of a queue: `_retry_policy` (notifications.md 5).

use serde_json::Value;

use super::{Invalid, Metadata, integer, set};

/// Judges a policy that is not null. A member that is null counts as missing; unknown members are allowed.
pub(super) fn check(policy: &Value) -> Result<(), Invalid> {
    let policy = policy.as_object().ok_or(Invalid::RetryPolicy)?;
    let number = |name| match set(policy, name) {
        None => Ok(None),
        Some(value) => integer(value).map(Some).ok_or(Invalid::RetryNumber(name)),
    };
    number("retries_with_no_delay")?;
    number("minimum_delay_retries")?;
    let minimum = number("minimum_delay")?.unwrap_or(MINIMUM_DELAY);
    let maximum = number("maximum_delay")?.unwrap_or(MAXIMUM_DELAY);
    number("maximum_delay_retries")?;
    check_function(policy)?;
    if set(policy, "ignore_subscription_override").is_some_and(|value| !value.is_boolean()) {
        return Err(Invalid::RetryOverride);
    }
    if maximum < minimum {
        return Err(Invalid::RetryDelayOrder);
    }
    if maximum.saturating_sub(minimum) < CLOSEST_DELAYS {
        return Err(Invalid::RetryDelays);
    }
    Ok(())
}

/// Seconds before an attempt, at first and at last, where the policy says nothing.
const MINIMUM_DELAY: i64 = 5;
const MAXIMUM_DELAY: i64 = 30;

/// Seconds between the two at least, so that the steps from one to the other are at least two.
const CLOSEST_DELAYS: i64 = 10;

/// How delays may grow; an empty name stands for the first.
const FUNCTIONS: [&str; 5] = ["linear", "arithmetic", "geometric", "exponential", ""];

fn check_function(policy: &Metadata) -> Result<(), Invalid> {
    let Some(function) = set(policy, "retry_backoff_function") else { return Ok(()) };
    let name = function.as_str().ok_or(Invalid::RetryFunctionType)?;
    if FUNCTIONS.contains(&name) { Ok(()) } else { Err(Invalid::RetryFunction) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_is_judged_member_by_member() {
        use Invalid::{
            RetryDelayOrder, RetryDelays, RetryFunction, RetryFunctionType, RetryNumber, RetryOverride,
            RetryPolicy,
        };
        for (policy, expected) in [
            (json!({}), Ok(())),
            (json!({"unknown": [], "minimum_delay": null, "retry_backoff_function": ""}), Ok(())),
            (
                json!({"retries_with_no_delay": false, "maximum_delay_retries": 0, "minimum_delay": -10}),
                Ok(()),
            ),
            (json!({"minimum_delay": 0, "maximum_delay": 10, "ignore_subscription_override": true}), Ok(())),
            (json!({"retry_backoff_function": "geometric"}), Ok(())),
            (json!([]), Err(RetryPolicy)),
            (json!(""), Err(RetryPolicy)),
            (json!(false), Err(RetryPolicy)),
            (json!({"minimum_delay_retries": ""}), Err(RetryNumber("minimum_delay_retries"))),
            (json!({"maximum_delay": 0.0}), Err(RetryNumber("maximum_delay"))),
            (json!({"retry_backoff_function": 0}), Err(RetryFunctionType)),
            (json!({"retry_backoff_function": "Linear"}), Err(RetryFunction)),
            (json!({"ignore_subscription_override": 0}), Err(RetryOverride)),
            (json!({"minimum_delay": 31}), Err(RetryDelayOrder)),
            (json!({"maximum_delay": 4}), Err(RetryDelayOrder)),
            (json!({"minimum_delay": 21}), Err(RetryDelays)),
            (json!({"minimum_delay": i64::MIN, "maximum_delay": i64::MAX}), Ok(())),
            (json!({"minimum_delay": i64::MAX, "maximum_delay": i64::MIN}), Err(RetryDelayOrder)),
        ] {
            assert_eq!(check(&policy), expected, "{policy}");
        }
    }
}
