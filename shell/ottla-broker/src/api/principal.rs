//! Who a forwarded request is from, in the bytes that Kafka's brokers and controllers exchange:
//! a version and `DefaultPrincipalData` (KIP-590).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ottla_protocol::messages::DefaultPrincipalData;
use ottla_protocol::{Message, Str, decode_exact, encode_to_bytes};

/// A client's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) kind: Str,
    pub(crate) name: Str,
    pub(crate) token_authenticated: bool,
}

impl Principal {
    /// A client that nobody asked who it is.
    pub(crate) fn anonymous() -> Principal {
        Principal {
            kind: Str::from_static("User"),
            name: Str::from_static("ANONYMOUS"),
            token_authenticated: false,
        }
    }

    pub(crate) fn to_bytes(&self) -> Option<Bytes> {
        let version = *DefaultPrincipalData::VERSIONS.end();
        let content = DefaultPrincipalData {
            r#type: self.kind.clone(),
            name: self.name.clone(),
            token_authenticated: self.token_authenticated,
            ..Default::default()
        };
        let body = encode_to_bytes(&content, version).ok()?;
        let mut bytes = BytesMut::with_capacity(2 + body.len());
        bytes.put_i16(version);
        bytes.put(body);
        Some(bytes.freeze())
    }

    /// Nothing where the bytes are no principal.
    pub(crate) fn from_bytes(mut bytes: Bytes) -> Option<Principal> {
        if bytes.len() < 2 {
            return None;
        }
        let version = bytes.get_i16();
        if !DefaultPrincipalData::VERSIONS.contains(&version) {
            return None;
        }
        let content: DefaultPrincipalData = decode_exact(bytes, version).ok()?;
        Some(Principal {
            kind: content.r#type.detach(),
            name: content.name.detach(),
            token_authenticated: content.token_authenticated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_comes_back_from_its_bytes() {
        let bytes = Principal::anonymous().to_bytes().unwrap();
        // As Kafka 4.4 writes it: version 0, compact strings, false, no tagged fields.
        assert_eq!(&bytes[..], b"\x00\x00\x05User\x0aANONYMOUS\x00\x00");
        assert_eq!(Principal::from_bytes(bytes), Some(Principal::anonymous()));
    }

    #[test]
    fn what_is_no_principal_is_none() {
        for bytes in [&b""[..], b"\x00", b"\x00\x09\x05User", b"\x00\x00\x05Us", b"\xff\xff"] {
            assert_eq!(Principal::from_bytes(Bytes::copy_from_slice(bytes)), None, "{bytes:?}");
        }
    }
}
