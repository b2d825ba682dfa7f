//! An async Kafka client: producer, consumer, admin.
