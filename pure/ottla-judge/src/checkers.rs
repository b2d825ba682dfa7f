//! The promises, one file each, each with its source.

mod committed;
mod contiguous;
mod deleted;
mod doubled;
mod ghosts;
mod invented;
mod lost;
mod one_value;
mod order;
mod owners;
mod polls;
mod refused;
mod unread;
mod wrong;

use crate::case::Case;
use crate::verdict::Found;

type Check = fn(&Case<'_>, &mut Found);

/// In the order they are told.
pub(crate) const PROMISES: &[(&str, Check)] = &[
    ("lost", lost::check),
    ("one_value", one_value::check),
    ("doubled", doubled::check),
    ("order", order::check),
    ("contiguous", contiguous::check),
    ("invented", invented::check),
    ("refused", refused::check),
    ("unread", unread::check),
    ("polls", polls::check),
    ("committed", committed::check),
    ("owners", owners::check),
    ("ghosts", ghosts::check),
    ("deleted", deleted::check),
    ("wrong", wrong::check),
];
