//! No client was told something that no working broker says: a sequence out of order to a producer
//! that kept the order, a batch that does not decode, a start refused on a sound disk.
//!
//! Sources: KIP-360, KAFKA-8335 (row 18); whoever writes the history judges these on the spot.

use crate::case::Case;
use crate::event::What;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    for event in &case.events {
        if let What::Wrong { text } = event.what {
            found.add(|| format!("{}: {}", case.text(event.who), case.text(text)));
        }
    }
}
