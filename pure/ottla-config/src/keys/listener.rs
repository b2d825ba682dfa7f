//! Keys of where a node listens and what it tells clients; limits of connections and requests.

use crate::check::{Check, at_least};
use crate::keys::reason::{
    CLIENT_LIMIT, EARLY, MEMORY, NO_QUOTAS, NO_SECURITY, OPERATING_SYSTEM, PEER_LIMITS,
};

keys! {
    /// Where a node listens and what it tells clients; limits of connections and requests.
    ListenerConfig in Broker;
    fields {
        /// Addresses to listen on, as NAME://host:port. An empty host means every interface.
        listeners: Vec<String> = "PLAINTEXT://localhost:9092", Check::Any, "listeners",
            PerBroker, High;
        /// Addresses clients are told to connect to. `auto` tells each client the address it
        /// already reached this node by.
        advertised_listeners: Vec<String> = "auto", Check::Any, "advertised.listeners",
            ReadOnly, High;
        /// The security protocol of each listener name.
        listener_security_protocol_map: String = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
            Check::Any, "listener.security.protocol.map", PerBroker, Low;
        /// The listener that brokers use among themselves.
        inter_broker_listener_name: Option<String> = null, Check::Any,
            "inter.broker.listener.name", ReadOnly, Medium;
        /// The security protocol brokers use among themselves, when no listener is named for it.
        security_inter_broker_protocol: String = "PLAINTEXT",
            Check::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
            "security.inter.broker.protocol", ReadOnly, Medium;
        /// The listeners that belong to the controller; clients are never told about them.
        controller_listener_names: Vec<String> = "", Check::Any, "controller.listener.names",
            ReadOnly, High;
        /// A connection that is idle for so long is closed.
        connections_max_idle_ms: i64 = "600000", Check::Any, "connections.max.idle.ms",
            ReadOnly, Medium;
        /// Most connections to this node at any time.
        max_connections: i32 = "2147483647", at_least(0), "max.connections", ClusterWide, Medium;
        /// Most connections from one address.
        max_connections_per_ip: i32 = "2147483647", at_least(0), "max.connections.per.ip",
            ClusterWide, Medium;
        /// Exceptions to max.connections.per.ip, as host:count separated by commas.
        max_connections_per_ip_overrides: String = "", Check::Any,
            "max.connections.per.ip.overrides", ClusterWide, Medium;
        /// Largest request this node reads.
        socket_request_max_bytes: i32 = "104857600", at_least(1), "socket.request.max.bytes",
            ReadOnly, High;
        /// Most bytes one fetch answers with, whatever the client asks for.
        fetch_max_bytes: i32 = "57671680", at_least(1024), "fetch.max.bytes", ReadOnly, Medium;
        /// Most incremental fetch sessions kept.
        max_incremental_fetch_session_cache_slots: i32 = "1000", at_least(0),
            "max.incremental.fetch.session.cache.slots", ReadOnly, Medium;
    }
    shared {
    }
    accepted {
        /// Listeners that are served before the node is ready.
        List "early.start.listeners" = null, Check::Any, ReadOnly, High => EARLY;
        /// Most new connections in a second.
        Int "max.connection.creation.rate" = "2147483647", at_least(0),
            ClusterWide, Medium => NO_QUOTAS;
        /// How long the answer to a failed authentication is held back.
        Int "connection.failed.authentication.delay.ms" = "100", at_least(0),
            ReadOnly, Low => NO_SECURITY;
        /// Most requests of one connection in work before reading from it pauses.
        Int "queued.max.requests" = "500", at_least(1), ReadOnly, High => MEMORY;
        /// Most bytes of requests waiting to be served.
        Long "queued.max.request.bytes" = "-1", Check::Any, ReadOnly, Medium => MEMORY;
        /// How long a request between nodes may take.
        Int "request.timeout.ms" = "30000", Check::Any, ReadOnly, High => PEER_LIMITS;
        /// Length of the queue of connections not yet accepted.
        Int "socket.listen.backlog.size" = "50", at_least(1), ReadOnly, Medium => OPERATING_SYSTEM;
        /// Size of a socket's receive buffer; -1 leaves it to the operating system.
        Int "socket.receive.buffer.bytes" = "102400", Check::Any,
            ReadOnly, High => OPERATING_SYSTEM;
        /// Size of a socket's send buffer; -1 leaves it to the operating system.
        Int "socket.send.buffer.bytes" = "102400", Check::Any, ReadOnly, High => OPERATING_SYSTEM;
        /// Longest wait for a connection to another node, after back-off.
        Long "socket.connection.setup.timeout.max.ms" = "30000", Check::Any,
            ReadOnly, Medium => PEER_LIMITS;
        /// Wait for a connection to another node.
        Long "socket.connection.setup.timeout.ms" = "10000", Check::Any,
            ReadOnly, Medium => PEER_LIMITS;
        /// Most partitions answered in one DescribeTopicPartitions.
        Int "max.request.partition.size.limit" = "2000", at_least(1),
            ReadOnly, Medium => CLIENT_LIMIT;
    }
}
