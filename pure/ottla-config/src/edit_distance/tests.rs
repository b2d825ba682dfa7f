//! Tests of `edit_distance`.
