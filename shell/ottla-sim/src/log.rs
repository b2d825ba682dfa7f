//! What brokers log, with the machine and the virtual time: `--log LEVEL`. For a reader of one seed.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_env::sim::here;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Prints every event down to a level, to standard error.
#[derive(Debug)]
pub struct Printer {
    least: Level,
    spans: AtomicU64,
}

impl Printer {
    /// Prints what is as grave as `least`.
    pub fn new(least: Level) -> Printer {
        Printer { least, spans: AtomicU64::new(1) }
    }
}

/// An event's message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

impl Subscriber for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.least
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let (machine, now) = here();
        let machine = machine.map_or_else(|| "-".to_owned(), |index| (index + 1).to_string());
        let Line { message, fields } = line;
        let level = event.metadata().level();
        eprintln!("{:>8} {machine} {level:<5} {message}{fields}", now.as_millis());
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
