//! Keys of OAUTHBEARER.

use crate::check::{Check, between};
use crate::keys::reason::NO_SECURITY;

keys! {
    /// OAUTHBEARER.
    OauthConfig in Broker;
    fields {
    }
    shared {
    }
    accepted {
        /// Whether tokens are accepted without a check of their audience.
        Boolean "sasl.oauthbearer.allow.unverified.audience" = "false", Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Whether tokens are accepted without a check of their issuer.
        Boolean "sasl.oauthbearer.allow.unverified.issuer" = "false", Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Algorithm a client assertion is signed with.
        String "sasl.oauthbearer.assertion.algorithm" = "RS256",
            Check::OneOfIgnoringCase(&["ES256", "RS256"]), ReadOnly, Medium => NO_SECURITY;
        /// Audience claim of a client assertion.
        String "sasl.oauthbearer.assertion.claim.aud" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Lifetime of a client assertion.
        Int "sasl.oauthbearer.assertion.claim.exp.seconds" = "300", between(0, 86_400),
            ReadOnly, Low => NO_SECURITY;
        /// Issuer claim of a client assertion.
        String "sasl.oauthbearer.assertion.claim.iss" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Whether a client assertion carries an id.
        Boolean "sasl.oauthbearer.assertion.claim.jti.include" = "false", Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// How far back a client assertion is valid.
        Int "sasl.oauthbearer.assertion.claim.nbf.seconds" = "60", between(0, 3600),
            ReadOnly, Low => NO_SECURITY;
        /// Subject claim of a client assertion.
        String "sasl.oauthbearer.assertion.claim.sub" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// File that holds a ready client assertion.
        String "sasl.oauthbearer.assertion.file" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Private key that signs a client assertion.
        String "sasl.oauthbearer.assertion.private.key.file" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Passphrase of the key that signs a client assertion.
        Password "sasl.oauthbearer.assertion.private.key.passphrase" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Template of a client assertion.
        String "sasl.oauthbearer.assertion.template.file" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Client id of the client credentials grant.
        String "sasl.oauthbearer.client.credentials.client.id" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Client secret of the client credentials grant.
        Password "sasl.oauthbearer.client.credentials.client.secret" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// Difference of clocks that is tolerated in a token.
        Int "sasl.oauthbearer.clock.skew.seconds" = "30", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Audiences a token may be for.
        List "sasl.oauthbearer.expected.audience" = "", Check::Any, ReadOnly, High => NO_SECURITY;
        /// Issuer a token must come from.
        String "sasl.oauthbearer.expected.issuer" = null, Check::Any, ReadOnly, High => NO_SECURITY;
        /// How often the issuer's keys are fetched again.
        Long "sasl.oauthbearer.jwks.endpoint.refresh.ms" = "3600000", Check::Any,
            ReadOnly, Low => NO_SECURITY;
        /// Longest pause after failed fetches of the issuer's keys.
        Long "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" = "10000", Check::Any,
            ReadOnly, Low => NO_SECURITY;
        /// Pause after a failed fetch of the issuer's keys.
        Long "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" = "100", Check::Any,
            ReadOnly, Low => NO_SECURITY;
        /// Where the keys of the token issuer are found.
        String "sasl.oauthbearer.jwks.endpoint.url" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
        /// The Java class that fetches tokens.
        Class "sasl.oauthbearer.jwt.retriever.class" = "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
            Check::Any, ReadOnly, Medium => NO_SECURITY;
        /// The Java class that checks tokens.
        Class "sasl.oauthbearer.jwt.validator.class" = "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
            Check::Any, ReadOnly, Medium => NO_SECURITY;
        /// Scope a token is asked for.
        String "sasl.oauthbearer.scope" = null, Check::Any, ReadOnly, Medium => NO_SECURITY;
        /// Name of the scope claim.
        String "sasl.oauthbearer.scope.claim.name" = "scope", Check::Any,
            ReadOnly, Low => NO_SECURITY;
        /// Name of the subject claim.
        String "sasl.oauthbearer.sub.claim.name" = "sub", Check::Any, ReadOnly, Low => NO_SECURITY;
        /// Where tokens are asked for.
        String "sasl.oauthbearer.token.endpoint.url" = null, Check::Any,
            ReadOnly, Medium => NO_SECURITY;
    }
}
