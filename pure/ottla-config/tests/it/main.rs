//! Black-box tests of the configuration: the facts of Apache Kafka, the parsers, the layers.

#![allow(clippy::unwrap_used)]

mod alter;
mod answers;
mod cluster;
mod compose;
mod facts;
mod layers;
mod properties;
mod reference;
mod startup;
