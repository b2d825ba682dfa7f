//! Keys of TLS, principals, tokens and authorization.

use crate::check::{Check, at_least};
use crate::keys::reason::{NO_JVM, NO_SECURITY};

keys! {
    /// TLS, principals, tokens and authorization.
    SecurityConfig in Broker;
    fields {
        /// The authorizer. Ottla takes the name of Kafka's own authorizer for its ACLs.
        authorizer_class_name: String = "", Check::NonNull, "authorizer.class.name", ReadOnly, Low;
    }
    shared {
    }
    accepted {
        /// Whether a resource without any ACL is open to everybody.
        Boolean "allow.everyone.if.no.acl.found" = "false", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Principals no ACL holds back, separated by semicolons.
        String "super.users" = "", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// A Java class that makes a principal out of a connection.
        Class "principal.builder.class" = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
            Check::Any, PerBroker, Medium => NO_JVM;
        /// Java security providers.
        String "security.providers" = null, Check::Any, ReadOnly, Low => NO_JVM;
        /// How often expired delegation tokens are looked for.
        Long "delegation.token.expiry.check.interval.ms" = "3600000", at_least(1),
            ReadOnly, Low => NO_SECURITY;
        /// Lifetime of a delegation token before it must be renewed.
        Long "delegation.token.expiry.time.ms" = "86400000", at_least(1),
            ReadOnly, Medium => NO_SECURITY;
        /// Longest lifetime of a delegation token.
        Long "delegation.token.max.lifetime.ms" = "604800000", at_least(1),
            ReadOnly, Medium => NO_SECURITY;
        /// The secret delegation tokens are signed with.
        Password "delegation.token.secret.key" = null, Check::Any, ReadOnly, Medium => NO_SECURITY;
        /// Longest time before a SASL client must authenticate again.
        Long "connections.max.reauth.ms" = "0", Check::Any, ReadOnly, Medium => NO_SECURITY;
        /// Whether a new keystore may name another distinguished name.
        Boolean "ssl.allow.dn.changes" = "false", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Whether a new keystore may name other host names.
        Boolean "ssl.allow.san.changes" = "false", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Cipher suites that are offered.
        List "ssl.cipher.suites" = "", Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Whether clients must present a certificate.
        String "ssl.client.auth" = "none", Check::OneOf(&["required", "requested", "none"]),
            PerBroker, Medium => NO_SECURITY;
        /// TLS versions that are offered.
        List "ssl.enabled.protocols" = "TLSv1.2,TLSv1.3", Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// How a server's name is checked against its certificate.
        String "ssl.endpoint.identification.algorithm" = "https", Check::Any,
            PerBroker, Low => NO_SECURITY;
        /// A Java class that makes TLS engines.
        Class "ssl.engine.factory.class" = null, Check::Any, PerBroker, Low => NO_JVM;
        /// Password of the private key.
        Password "ssl.key.password" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Java's key manager.
        String "ssl.keymanager.algorithm" = "SunX509", Check::Any, PerBroker, Medium => NO_JVM;
        /// Certificate chain, as PEM text.
        Password "ssl.keystore.certificate.chain" = null, Check::Any,
            PerBroker, Medium => NO_SECURITY;
        /// Private key, as PEM text.
        Password "ssl.keystore.key" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// File of the keystore.
        String "ssl.keystore.location" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Password of the keystore.
        Password "ssl.keystore.password" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Format of the keystore.
        String "ssl.keystore.type" = "JKS", Check::Any, PerBroker, Medium => NO_SECURITY;
        /// How a certificate's distinguished name becomes a principal.
        String "ssl.principal.mapping.rules" = "DEFAULT", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Newest TLS version that is offered.
        String "ssl.protocol" = "TLSv1.3", Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Java security provider for TLS.
        String "ssl.provider" = null, Check::Any, PerBroker, Medium => NO_JVM;
        /// Java's source of randomness for TLS.
        String "ssl.secure.random.implementation" = null, Check::Any, PerBroker, Low => NO_JVM;
        /// Java's trust manager.
        String "ssl.trustmanager.algorithm" = "PKIX", Check::Any, PerBroker, Medium => NO_JVM;
        /// Trusted certificates, as PEM text.
        Password "ssl.truststore.certificates" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// File of the truststore.
        String "ssl.truststore.location" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Password of the truststore.
        Password "ssl.truststore.password" = null, Check::Any, PerBroker, Medium => NO_SECURITY;
        /// Format of the truststore.
        String "ssl.truststore.type" = "JKS", Check::Any, PerBroker, Medium => NO_SECURITY;
    }
}
