//! The events of a run. It judges nothing.

use crate::event::{Event, What};
use crate::names::{Name, Names};

/// Events, in the order they were told; [`crate::judge`] puts them in the order of their time.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub(crate) names: Names,
    pub(crate) events: Vec<Event<Name>>,
}

impl History {
    /// Adds an event.
    pub fn push(&mut self, event: &Event<&str>) {
        let names = &mut self.names;
        let who = names.name(event.who);
        let what = event.what.map(|text| names.name(text));
        self.events.push(Event { t: event.t, who, what });
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events as they were told.
    pub fn events(&self) -> impl Iterator<Item = Event<&str>> {
        self.events.iter().map(|event| {
            let what = event.what.map(|name| self.names.text(name));
            Event { t: event.t, who: self.names.text(event.who), what }
        })
    }

    /// How many events `is` holds for.
    pub fn count(&self, is: impl Fn(&What<Name>) -> bool) -> usize {
        self.events.iter().filter(|event| is(&event.what)).count()
    }

    /// In the order of time; events of one moment in the order they were told.
    pub(crate) fn sort(&mut self) {
        self.events.sort_by_key(|event| event.t);
    }
}
