//! Keys of SASL.

use crate::check::Check;
use crate::keys::reason::{NO_JVM, NO_SECURITY};

keys! {
    /// SASL.
    SaslConfig in Broker;
    fields {
    }
    shared {
    }
    accepted {
        /// SASL mechanisms that are offered.
        List "sasl.enabled.mechanisms" = "GSSAPI", Check::Any, PerBroker, Medium => NO_SECURITY;
        /// SASL mechanism between brokers.
        String "sasl.mechanism.inter.broker.protocol" = "GSSAPI", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// SASL mechanism towards the controller.
        String "sasl.mechanism.controller.protocol" = "GSSAPI", Check::Any,
            ReadOnly, High => NO_SECURITY;
        /// Login module and its options, users among them.
        Password "sasl.jaas.config" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Largest SASL message that is read.
        Int "sasl.server.max.receive.size" = "524288", Check::Any, ReadOnly, Medium => NO_SECURITY;
        /// A Java class that answers SASL client callbacks.
        Class "sasl.client.callback.handler.class" = null, Check::Any, ReadOnly, Medium => NO_JVM;
        /// A Java class that answers SASL server callbacks.
        Class "sasl.server.callback.handler.class" = null, Check::Any, ReadOnly, Medium => NO_JVM;
        /// A Java class that answers login callbacks.
        Class "sasl.login.callback.handler.class" = null, Check::Any, ReadOnly, Medium => NO_JVM;
        /// A Java class that logs in.
        Class "sasl.login.class" = null, Check::Any, ReadOnly, Medium => NO_JVM;
        /// Time limit of a connection to the authentication provider.
        Int "sasl.login.connect.timeout.ms" = null, Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Time limit of a read from the authentication provider.
        Int "sasl.login.read.timeout.ms" = null, Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Time before expiry at which a login is refreshed at the latest.
        Short "sasl.login.refresh.buffer.seconds" = "300", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Shortest time between two refreshes of a login.
        Short "sasl.login.refresh.min.period.seconds" = "60", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Share of a login's lifetime after which it is refreshed.
        Double "sasl.login.refresh.window.factor" = "0.8", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Jitter of a login's refresh.
        Double "sasl.login.refresh.window.jitter" = "0.05", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Longest pause between two tries of a login.
        Long "sasl.login.retry.backoff.max.ms" = "10000", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Pause between two tries of a login.
        Long "sasl.login.retry.backoff.ms" = "100", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Path of kinit.
        String "sasl.kerberos.kinit.cmd" = "/usr/bin/kinit", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Shortest time between two Kerberos logins.
        Long "sasl.kerberos.min.time.before.relogin" = "60000", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// How a Kerberos principal becomes a short name.
        List "sasl.kerberos.principal.to.local.rules" = "DEFAULT", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Kerberos principal of the brokers.
        String "sasl.kerberos.service.name" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Jitter of the renewal of a Kerberos ticket.
        Double "sasl.kerberos.ticket.renew.jitter" = "0.05", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Share of a Kerberos ticket's lifetime after which it is renewed.
        Double "sasl.kerberos.ticket.renew.window.factor" = "0.8", Check::Any,
            PerBroker, Medium => NO_SECURITY;
    }
}
