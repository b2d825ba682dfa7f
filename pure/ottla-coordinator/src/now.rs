//! The two clocks a machine is told about. It never reads either.

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Never goes back; only differences mean something. Timers run on it.
    pub mono_ms: i64,
    /// Milliseconds since 1970; may jump. Records carry it.
    pub wall_ms: i64,
}
