//! Why a key changes nothing in this version, in words a user can act on.

pub(crate) const CHECKPOINT: &str =
    "one checkpoint and the write-ahead log hold this, always up to date";
pub(crate) const CLIENT_LIMIT: &str = "the limit of the request alone decides";
pub(crate) const DUE_TIMES: &str = "due work runs from a table of due times";
pub(crate) const EARLY: &str = "the controller's listeners are served from the start, those for clients once the node is ready";
pub(crate) const FAST_START: &str = "a start that cannot succeed fails at once";
pub(crate) const GROUP_COMMIT: &str = "writes are grouped by the log itself";
pub(crate) const INLINE: &str = "assignments are computed where they are needed";
pub(crate) const MEMORY: &str = "one memory budget bounds the whole node: ottla.memory.budget";
pub(crate) const METADATA_LOG: &str = "the metadata log is kept as every other log is";
pub(crate) const NO_COMPACTION: &str =
    "compaction is not served by this version: a compacted topic keeps every record";
pub(crate) const NO_CONSUMER_GROUPS: &str =
    "only the classic group protocol is served by this version";
pub(crate) const NO_JVM: &str = "Ottla has no JVM and loads no Java classes";
pub(crate) const NO_PURGATORY: &str = "Ottla has no purgatory to purge";
pub(crate) const NO_QUOTAS: &str = "quotas are not enforced by this version";
pub(crate) const NO_SECURITY: &str = "TLS, SASL and ACLs are not served by this version";
pub(crate) const NO_SHARE: &str = "share groups are not served by this version";
pub(crate) const NO_STREAMS: &str = "streams groups are not served by this version";
pub(crate) const NO_TELEMETRY: &str = "clients are not asked for metrics by this version";
pub(crate) const NO_TIERS: &str = "tiered storage is not served by this version";
pub(crate) const NO_TRANSACTIONS: &str = "transactions are not served by this version";
pub(crate) const DIR_FAILURE: &str = "a folder that fails is told to the controller until it knows";
pub(crate) const NO_CORDONS: &str = "no folder is closed to new replicas by this version";
pub(crate) const ONE_MOVER: &str = "one task moves replicas between folders";
pub(crate) const OPERATING_SYSTEM: &str = "Ottla leaves this to the operating system";
pub(crate) const OWN_METRICS: &str = "Ottla measures in its own way";
pub(crate) const OWN_THREADS: &str = "Ottla sizes its threads by the processors it has";
pub(crate) const OWN_THROTTLE: &str = "Ottla's throttle is a bucket that fills evenly";
pub(crate) const PEER_LIMITS: &str = "connections between nodes have limits of their own";
pub(crate) const RECOVERY: &str = "recovery is bounded by the write-ahead log and needs no threads";
pub(crate) const STABLE: &str = "unstable versions are never served";
pub(crate) const TWO_SNAPSHOTS: &str =
    "the last two snapshots are kept, and the metadata log from the older one on";
pub(crate) const UNCOMPRESSED: &str = "committed offsets are small and are stored as they are";
