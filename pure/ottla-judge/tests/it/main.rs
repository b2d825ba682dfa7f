//! The judge judged: right histories with each anomaly planted in them.

mod generate;
mod lines;
mod planted;
