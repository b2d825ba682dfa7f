//! The broker: network, API handlers, partitions, drivers.
