//! The numbers of a quorum. Names and defaults are Kafka's `controller.quorum.*` keys.

/// Milliseconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// A voter waits this long, up to twice as long by chance, for an election to end.
    pub election_timeout_ms: i64,
    /// A voter that could not fetch for this long, less up to a quarter by chance, asks for an election; a leader that was not
    /// fetched from by a majority for one and a half times as long gives up (check-quorum).
    pub fetch_timeout_ms: i64,
    /// The longest a voter waits after a leader said that it goes, before it asks to be the next.
    pub election_backoff_max_ms: i64,
    /// A request that was not answered for this long is taken for lost.
    pub request_timeout_ms: i64,
    /// How long a peer that failed is left alone.
    pub retry_backoff_ms: i64,
    /// How long the leader may hold an empty fetch back.
    pub fetch_max_wait_ms: i64,
    /// Upper bound of the records of one answer, in bytes.
    pub fetch_max_bytes: i32,
    /// Upper bound of a piece of a snapshot, in bytes.
    pub snapshot_max_bytes: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            election_timeout_ms: 1_000,
            fetch_timeout_ms: 2_000,
            election_backoff_max_ms: 1_000,
            request_timeout_ms: 2_000,
            retry_backoff_ms: 20,
            fetch_max_wait_ms: 500,
            fetch_max_bytes: 1024 * 1024,
            snapshot_max_bytes: 1024 * 1024,
        }
    }
}

impl Settings {
    /// After this long without fetches from a majority, a leader cannot know that it still leads (KIP-595).
    pub(crate) fn check_quorum_ms(&self) -> i64 {
        self.fetch_timeout_ms + self.fetch_timeout_ms / 2
    }

    /// How often a leader tells voters that do not fetch that it leads.
    pub(crate) fn begin_quorum_ms(&self) -> i64 {
        (self.fetch_timeout_ms / 2).max(1)
    }
}
