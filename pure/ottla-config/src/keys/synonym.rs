//! Broker keys that say the same in different units, the most exact first.

use crate::definition::Synonym;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

pub(crate) const RETENTION: &[Synonym] = &[
    Synonym { name: "log.retention.ms", factor: 1 },
    Synonym { name: "log.retention.minutes", factor: MINUTE },
    Synonym { name: "log.retention.hours", factor: HOUR },
];
pub(crate) const ROLL: &[Synonym] =
    &[Synonym { name: "log.roll.ms", factor: 1 }, Synonym { name: "log.roll.hours", factor: HOUR }];
pub(crate) const ROLL_JITTER: &[Synonym] = &[
    Synonym { name: "log.roll.jitter.ms", factor: 1 },
    Synonym { name: "log.roll.jitter.hours", factor: HOUR },
];
pub(crate) const FLUSH_INTERVAL: &[Synonym] = &[
    Synonym { name: "log.flush.interval.ms", factor: 1 },
    Synonym { name: "log.flush.scheduler.interval.ms", factor: 1 },
];
