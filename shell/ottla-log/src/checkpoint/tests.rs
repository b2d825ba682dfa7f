//! Round trips, and damage.
