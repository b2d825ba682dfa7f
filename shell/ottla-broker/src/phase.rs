//! How far the node is on its way down, as connections and listeners see it.

use tokio::sync::watch;

/// A node's phase. It only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connections are accepted and requests served.
    Serving,
    /// Nothing new is taken in; requests that have begun are answered.
    Draining,
    /// The time for that is over: connections close at once.
    Closing,
}

/// The end that moves the phase.
pub(crate) type PhaseSender = watch::Sender<Phase>;
/// The end that watches it.
pub(crate) type PhaseWatch = watch::Receiver<Phase>;

/// Completes once the node is in `phase` or beyond; the end of the node counts as that.
pub(crate) async fn reached(watch: &mut PhaseWatch, phase: Phase) {
    let _ = watch.wait_for(|now| *now >= phase).await;
}
