//! Every promise, held against one history.

use crate::case::Case;
use crate::checkers::PROMISES;
use crate::history::History;
use crate::verdict::{Found, Verdict, Violation};

/// Holds a history against every promise. Sorts it by time first.
pub fn judge(history: &mut History) -> Verdict {
    history.sort();
    let case = Case::new(history);
    let mut verdict = Verdict::default();
    for (promise, check) in PROMISES {
        let mut found = Found::default();
        check(&case, &mut found);
        verdict.count += found.count;
        let violations = found.texts.into_iter().map(|text| Violation { promise, text });
        verdict.violations.extend(violations);
    }
    verdict
}

/// Every promise there is.
pub fn promises() -> impl Iterator<Item = &'static str> {
    PROMISES.iter().map(|(promise, _)| *promise)
}
