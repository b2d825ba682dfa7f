//! Drivers: they feed the pure machines with commands and do what the machines decide. They never
//! decide themselves.

pub(crate) mod controller;

pub(crate) mod coordinator;
