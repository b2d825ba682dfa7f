//! Ids of log directories that stand for no directory (KIP-858), and when a directory can be served.

use ottla_protocol::Uuid;
use smallvec::SmallVec;

/// The broker has not said yet where the replica is.
pub const UNASSIGNED: Uuid = Uuid::from_u128(0);
/// Some directory that is gone.
pub const LOST: Uuid = Uuid::from_u128(1);
/// Some directory, chosen before directories were written down.
pub const MIGRATING: Uuid = Uuid::from_u128(2);
/// Ids below this are never a directory's.
const RESERVED_END: u128 = 100;

pub fn is_reserved(directory: Uuid) -> bool {
    directory.as_u128() < RESERVED_END
}

/// A broker that told of no directories is taken to have them all: it would stop if it lost one.
pub fn is_online(directory: Uuid, online: &[Uuid]) -> bool {
    match directory {
        UNASSIGNED | MIGRATING => true,
        LOST => false,
        _ => online.is_empty() || online.contains(&directory),
    }
}

/// Records from before 3.7-IV2 name no directories.
pub(super) fn one_each(directories: &[Uuid], replicas: usize) -> SmallVec<[Uuid; 1]> {
    match directories.len() == replicas {
        true => directories.into(),
        false => SmallVec::from_elem(MIGRATING, replicas),
    }
}
