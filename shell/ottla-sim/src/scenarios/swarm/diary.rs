//! What everybody did and was told, on the way to the judge.

use std::sync::Arc;

use ottla_env::MonoTime;
use ottla_judge::event::UNKNOWN;
use ottla_judge::{Event, History, Place, Verdict, What, judge};
use parking_lot::Mutex;

/// The history while it is being made; locked for moments only.
#[derive(Clone, Default)]
pub(super) struct Diary(Arc<Mutex<History>>);

impl Diary {
    pub(super) fn note(&self, at: MonoTime, who: &str, what: What<&str>) {
        self.0.lock().push(&Event { t: at.0, who, what });
    }

    /// Something that no working broker does.
    pub(super) fn wrong(&self, at: MonoTime, who: &str, text: &str) {
        self.note(at, who, What::Wrong { text });
    }

    /// Notes a record that a consumer was given.
    pub(super) fn read(&self, at: MonoTime, who: &str, place: Place<&str>, (o, v): (i64, &str)) {
        self.note(at, who, What::Read { at: place, o, v, since: UNKNOWN });
    }

    pub(super) fn judge(&self) -> Verdict {
        judge(&mut self.0.lock())
    }

    /// How many records were acknowledged, given to consumers, and there at the end.
    pub(super) fn counts(&self) -> [usize; 3] {
        let history = self.0.lock();
        [
            history.count(|what| matches!(what, What::Ack { .. })),
            history.count(|what| matches!(what, What::Read { .. })),
            history.count(|what| matches!(what, What::Final { .. })),
        ]
    }
}

/// The part of a record's value that names it; its filling follows a space.
pub(super) fn name_of(value: &[u8]) -> &str {
    let text = std::str::from_utf8(value).unwrap_or("(no text)");
    text.split(' ').next().unwrap_or_default()
}
