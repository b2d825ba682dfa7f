//! SCRAM credentials as they were set. Never holds a password.

use std::fmt;

use bytes::Bytes;
use ottla_protocol::Str;
use ottla_protocol::messages::{RemoveUserScramCredentialRecord, UserScramCredentialRecord};

use crate::shared_map::SharedMap;

/// What a server keeps of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    pub salt: Bytes,
    pub stored_key: Bytes,
    pub server_key: Bytes,
    pub iterations: i32,
}

/// Keys do not belong in a log file.
impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramCredential")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scram {
    /// By user and mechanism (1 SCRAM-SHA-256, 2 SCRAM-SHA-512).
    credentials: SharedMap<(Str, i8), ScramCredential>,
}

impl Scram {
    pub fn get(&self, user: &Str, mechanism: i8) -> Option<&ScramCredential> {
        self.credentials.get(&(user.clone(), mechanism))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&(Str, i8), &ScramCredential)> {
        self.credentials.iter()
    }

    pub(super) fn set(&mut self, record: &UserScramCredentialRecord) {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        let credential = ScramCredential {
            salt: copy(&record.salt),
            stored_key: copy(&record.stored_key),
            server_key: copy(&record.server_key),
            iterations: record.iterations,
        };
        self.credentials.insert((record.name.detach(), record.mechanism), credential);
    }

    pub(super) fn remove(&mut self, record: &RemoveUserScramCredentialRecord) {
        self.credentials.remove(&(record.name.clone(), record.mechanism));
    }
}
