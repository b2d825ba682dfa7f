use std::collections::BTreeSet;

use ottla_env::os::OsEnv;
use ottla_protocol::valid_versions;

use super::rows;

/// Goal: every row stands once, and serves versions that the protocol has. Produce v0-2 are read
/// as v3 is, for clients that look for them.
#[test]
fn rows_are_sound() {
    let mut keys = BTreeSet::new();
    for row in rows::<OsEnv>() {
        assert!(keys.insert(row.key), "{} stands twice", row.key.name());
        let known = valid_versions(row.key);
        assert!(!row.versions.is_empty(), "{}", row.key.name());
        assert!(row.versions.end() <= known.end(), "{}", row.key.name());
        assert!(row.versions.start() >= known.start(), "{} {known:?}", row.key.name());
    }
}
