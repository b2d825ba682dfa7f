//! A data directory: write-ahead log, checkpoint, segments, indexes, recovery.
