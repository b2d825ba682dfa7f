//! The promises, one file each. A checker compares the ending with the history and knows nothing of
//! how either came about.

mod acknowledged;
mod committed;
mod contiguous;
mod doubled;
mod observed;
mod order;
mod surprises;

#[cfg(test)]
mod tests;

use crate::history::{Ending, History};

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The checker's name.
    pub promise: &'static str,
    /// What is wrong, with offsets.
    pub text: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.promise, self.text)
    }
}

type Check = fn(&History, &Ending) -> Vec<String>;

/// Every promise.
const PROMISES: &[(&str, Check)] = &[
    ("acknowledged", acknowledged::check),
    ("observed", observed::check),
    ("order", order::check),
    ("doubled", doubled::check),
    ("contiguous", contiguous::check),
    ("committed", committed::check),
    ("surprises", surprises::check),
];

/// Everything that is wrong; nothing, if all is well.
pub fn check(history: &History, ending: &Ending) -> Vec<Violation> {
    let violations = |(promise, check): &(&'static str, Check)| {
        let promise = *promise;
        check(history, ending).into_iter().map(move |text| Violation { promise, text })
    };
    PROMISES.iter().flat_map(violations).collect()
}
