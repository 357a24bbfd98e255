//! Checks that say what they expected instead of ending the thread.

/// The result of a check; the text says what was expected and what came.
pub(super) type Check<T = ()> = Result<T, Box<dyn std::error::Error>>;

macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+).into());
        }
    };
}

macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($text:tt)+) => {{
        let (left, right) = (&$left, &$right);
        if left != right {
            let text = format!($($text)+);
            return Err(format!("{text}: got {left:?}, expected {right:?}").into());
        }
    }};
}

pub(super) use {ensure, ensure_eq};

/// Ends a suite: names every check that failed.
///
/// # Panics
///
/// When a check failed; that is what a suite is for.
pub(super) fn conclude(suite: &str, results: Vec<(&str, Check)>) {
    let failed: Vec<String> = results
        .into_iter()
        .filter_map(|(name, result)| Some(format!("{name}: {}", result.err()?)))
        .collect();
    assert!(failed.is_empty(), "{suite}: {} checks failed\n{}", failed.len(), failed.join("\n"));
}
