//! From what a stop or a crash left behind to the exact state: survey (facts from the disk), plan (a
//! pure table of labelled cases), apply (repairs that may be interrupted anywhere and repeated).
//!
//! Nothing that was acknowledged is given up silently: where only such a loss explains the facts, the
//! plan is to refuse, with a sentence on what to do.

mod apply;
mod plan;
mod survey;

pub(crate) use apply::{Begin, apply};
pub(crate) use plan::{Case, Plan, plan};
pub(crate) use survey::survey;
