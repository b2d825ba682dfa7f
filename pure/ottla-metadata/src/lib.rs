//! The truth of the cluster: the image brokers read and the controller who may change it.
