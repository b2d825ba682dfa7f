//! Bugs planted on purpose, one at a time, so that the simulator can show that it finds them.
//!
//! Each stands in the real code, where the real bug would sit, as `if planted(Plant::X)`. Without the
//! feature `planted` that is `if false` and compiled away; the binary never has the feature.

#[cfg(feature = "planted")]
mod active;

#[cfg(feature = "planted")]
pub use active::{activate, planted};

/// Whether the bug is in the code: never, in this build.
#[cfg(not(feature = "planted"))]
#[must_use]
#[inline(always)]
pub const fn planted(_plant: Plant) -> bool {
    false
}

macro_rules! plants {
    ($($(#[doc = $doc:literal])+ $name:ident: $lesson:literal,)+) => {
        /// A bug: what is wrong, and the history it repeats.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Plant {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Plant {
            /// All of them.
            pub const ALL: &[Plant] = &[$(Plant::$name),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Plant::$name => stringify!($name)),+ }
            }

            /// Where it happened before.
            #[must_use]
            pub const fn lesson(self) -> &'static str {
                match self { $(Plant::$name => $lesson),+ }
            }

            /// What is wrong, in a sentence.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Plant::$name => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

plants! {
    /// An acknowledgement does not wait for its group to be written.
    AckBeforeDurable: "KIP-966: no fsync before the acknowledgement",
    /// Write-ahead files are opened without O_DSYNC: a group is acknowledged from the page cache.
    WalNotSynced: "KIP-966: no fsync before the acknowledgement",
    /// The write-ahead folder is not synced: the name of a new file vanishes.
    WalFolderNotSynced: "KAFKA-3968: parent directory not synced",
    /// Segments are not synced before a checkpoint stands on them.
    SegmentNotSynced: "KAFKA-9892, KAFKA-16541: checkpoint ahead of what it stands on",
    /// The checkpoint is replaced in place, without a sync.
    CheckpointNotSynced: "KAFKA-16541: checkpoint not synced",
    /// The checkpoint claims what was staged while it was being made.
    CheckpointAhead: "KAFKA-6683: snapshot ahead of the log",
    /// The checkpoint has the sizes of segments from before the flush.
    SegmentSizeStale: "stale end of a segment after a restart",
    /// Write-ahead files are used again once flushed, before any checkpoint stands on the segments.
    WalRecycledEarly: "KAFKA-5413 and kin: the source removed before its copy is safe",
    /// Recovery leaves out the last group of the write-ahead log.
    RecoveryDropsLastGroup: "crash points of recovery: one record too many cut",
    /// A torn group is taken for whole: its checksum is not looked at.
    TornGroupAccepted: "KAFKA-18723: corrupted batch appended",
    /// A new session does not replace the epoch file: its groups are not looked for.
    SessionNotBegun: "start is not idempotent under crashes",
    /// Replay takes in again what the checkpoint covers.
    ReplayedTwice: "KAFKA-7866: the same offset twice",
    /// A failed write is taken for a good one.
    WriteErrorSwallowed: "KAFKA-10778: append accepted after an I/O error",
    /// A failed sync before a checkpoint is ignored.
    SyncErrorSwallowed: "KAFKA-10778: append accepted after an I/O error",
    /// The high watermark follows the log end, not what is durable.
    HighWatermarkAtAppend: "KAFKA-9835, KAFKA-14704: read of what is not committed",
    /// A fetch reads to the log end.
    ReadAboveHighWatermark: "KAFKA-9835: read at the log end races with append",
    /// An append that fails has taken its offsets.
    OffsetsOfFailedAppend: "KAFKA-7866: failed append moves the log end",
    /// The producer's state takes in a batch before it is staged.
    ProducerBeforeAppend: "KAFKA-6683 and kin: producer state mutated before the append",
    /// Only the last batch of a producer is known again.
    OneBatchRemembered: "deduplication of the last batch only",
    /// Producers are forgotten by a restart.
    ProducersForgotten: "KAFKA-9892: producer snapshot lost",
    /// Sequences are not looked at.
    SequenceUnchecked: "KIP-98: a gap in a producer's sequence is accepted",
    /// A repeated batch is answered before the first copy is durable.
    DuplicateAnsweredEarly: "answered at local append",
    /// A read that a batch does not fit goes on in the next segment.
    FetchSkipsRestOfSegment: "fetch bounded by partition_max_bytes skips the rest of a segment",
    /// The checksum of a batch from disk is not looked at.
    BitFlipServed: "KAFKA-19012, KAFKA-18723: checksum not verified",
    /// The replay of a moved log start is forgotten.
    TrimForgotten: "DeleteRecords lost by a restart",
    /// DeleteRecords may go beyond the high watermark.
    LogStartPastHighWatermark: "KAFKA-5634: log start past the high watermark",
    /// Retention by size takes one segment more than is over.
    RetentionTakesTooMuch: "KAFKA-5634 and kin: retention deletes what is to stay",
    /// A lookup by time begins at the last entry of the index.
    TimeLookupOvershoots: "KAFKA-12981 and kin: sparse time index",
    /// The replay of a deletion is forgotten.
    DeletedTopicReturns: "KAFKA-12257, KAFKA-19154: ghost of a deleted topic",
    /// A decision of the controller is not written.
    MetadataNotLogged: "state known to memory alone",
    /// A decision of the controller is answered before it is durable.
    MetadataAnsweredEarly: "answered at local append",
    /// The group coordinator answers before its records are durable.
    GroupAnsweredEarly: "coordinator answered at local append",
    /// The last record of the offsets topic is not replayed.
    GroupReplayDropsLast: "KAFKA-19862: coordinator load loses a record",
    /// Offsets expire although the group has members.
    OffsetsExpireWhileActive: "KIP-211, KAFKA-4682: expiry while the group is active",
    /// Offsets of a deleted topic stay.
    OffsetsOfDeletedTopicStay: "KAFKA-19154: old offsets under a new topic",
    /// A new generation bears the number of the old.
    GenerationNotAdvanced: "KIP-848 models: two owners of a partition",
    /// SyncGroup of an old generation is accepted.
    OldGenerationAccepted: "KIP-848 models: two owners of a partition",
    /// A static member that was replaced stays a member.
    FencingForgotten: "KAFKA-14422: static and former member",
    /// A member whose session ended stays a member.
    DeadMemberStays: "KAFKA-9752: rebalance waits for the dead",
    /// A fenced broker is let into an ISR.
    FencedReplicaAdmitted: "KAFKA-13916, KIP-841: a fenced broker rejoins the ISR",
    /// The epoch of a broker that is to join an ISR is not looked at.
    FormerLifeAdmitted: "KIP-903: a broker returns with an empty disk under the same id",
    /// A broker that registers anew stays in the ISRs of its former life.
    FormerLifeStaysInSync: "KIP-903, KIP-966: a new life counts for the old",
    /// A broker that did not stop in order stays eligible.
    EligibleAfterUncleanStop: "KIP-966: last replica standing",
    /// A new controller does not look for what the old one left undone.
    FailoverForgotten: "failover was an edge: missed once, never done",
    /// The last member leaves the ISR.
    LastReplicaDropped: "the ISR loses the only one that has what was acknowledged",
    /// An unclean leader does not say that it recovers.
    UncleanLeaderUnmarked: "KIP-704: recovery after an unclean election",
    /// Old replicas leave when one of the new ones is in sync.
    ReassignedTooEarly: "KIP-455: replicas removed before the others have caught up",
    /// A vote is given and not written down.
    VoteNotPersisted: "Raft figure 2: votes survive a restart",
    /// A voter votes for everybody who asks.
    VotesTwice: "Raft figure 2: one vote an epoch",
    /// A vote is given to a replica whose log lacks what the voter has.
    IncompleteLogElected: "KIP-595, Raft 5.4.1: lost after an election",
    /// A leader counts records of an earlier epoch as committed before one of its own is.
    OldEpochCommitted: "Raft 5.4.2, figure 8: committed and overwritten",
    /// A leader counts itself up to its log's end, synced or not.
    LeaderCountsUnsynced: "KIP-966: power loss of those that had it in memory",
    /// A voter fetches from its log's end, synced or not.
    FollowerCountsUnsynced: "KIP-966: power loss of those that had it in memory",
    /// A follower raises its high watermark by an answer that asks for a cut.
    CommittedBeforeCut: "KAFKA-14704: high watermark from a response that demands truncation",
    /// The answer to a fetch of an earlier epoch is taken in.
    OldAnswerTaken: "KAFKA-18991: fetch response of an older epoch applied",
    /// A new follower cuts its log to the high watermark it knows.
    CutToHighWatermark: "KIP-101: truncation by high watermark",
    /// A leader serves a fetch although the logs part before it.
    DivergenceOverlooked: "KIP-279, KAFKA-6361: logs diverge after fast failovers",
    /// A leader cuts its own log where a follower's parts from it.
    LeaderCutsItself: "raft leader truncated its own log answering a diverging fetch",
    /// A leader that was restarted goes on leading in its old epoch.
    LeaderAgainInItsEpoch: "KIP-595: a restarted leader resigns",
    /// A leader that nobody follows goes on leading.
    CheckQuorumForgotten: "KIP-595 check-quorum: a cut-off leader goes on",
    /// A leader does not wait for those whom it has asked the controller to let in.
    PendingIsrIgnored: "KIP-497: maximal ISR",
    /// A follower is taken for in sync before it has what is committed.
    JoinsBehind: "KAFKA-13916 and kin: a replica in the ISR that lacks committed records",
    /// Nobody is ever let into the ISR again.
    IsrNeverGrows: "an ISR that never grew again: liveness",
    /// A leader of a partition counts itself up to its log's end, synced or not.
    PartitionCountsUnsynced: "KIP-966: the last replica standing",
    /// A follower of a partition fetches from its log's end, synced or not.
    FollowerTellsUnsynced: "KIP-966: the last replica standing",
    /// Records are committed by fewer than min.insync.replicas.
    MinInsyncForgotten: "KIP-966: high watermark below min ISR",
    /// A follower appends what it was sent for another place, or in another epoch.
    OldRecordsTaken: "KAFKA-18991: fetch response of an older epoch applied",
    /// A follower whose log diverges cuts it to its high watermark.
    ReplicaCutToHighWatermark: "KIP-101: truncation by high watermark",
    /// A refusal ends the wait for a replica that an earlier question may still let in.
    RefusalBelieved: "found by the simulator: a question that lay on the way was decided late",
    /// A follower refuses a batch that begins before its leader's log start.
    BatchBeforeStartRefused: "found by the simulator: a follower left behind by DeleteRecords",
    /// A follower does not learn of producers from what it appends.
    FollowerForgetsProducers: "a new leader without producer state: duplicates",
    /// A truncation leaves producers as they were.
    TruncationKeepsProducers: "truncation rolled back the log and not what is derived from it",
    /// A follower does not look at the checksum of what it was sent.
    CorruptBatchFollowed: "KAFKA-18723: corrupted batch appended by a follower",
    /// The latest offset is the log's end, committed or not.
    LatestIsLogEnd: "ListOffsets LATEST gave the log end",
    /// A new leader tells its high watermark before it knows what its predecessor had committed.
    LatestTooEarly: "KIP-207: high watermark of a new leader below the old one's",
    /// Changes of an ISR reach only a controller that is a broker, too.
    DedicatedControllerMissed: "AlterPartition sent to the broker listener: role-split clusters",
    /// An observer of the quorum stays before a batch of several records.
    ObserverLeftBehind: "multi-record metadata batch left observers behind for ever",
    /// Whoever says it is a replica is taken for one, in whichever life.
    StrangerFollows: "KIP-903, CVE-2018-1288: a spoofed follower moves the high watermark",
    /// A replica's log is deleted before the copy that takes its place is known to be durable.
    MovedLogGoesEarly: "KIP-113, KAFKA-5413 and kin: the source removed before its copy is safe",
    /// A copy takes the place of its replica without what was appended meanwhile.
    CopyTakesOverBehind: "KIP-113: swapped before the future replica has caught up",
    /// A copy goes on by offsets alone: what was cut off its replica stays in it.
    CopyKeepsWhatWasCut: "KIP-113, KIP-101: the future replica truncates with the current one",
    /// An empty log takes the place of one on a disk that is missing at a start.
    EmptyForMissing: "KIP-858, KIP-112: a replica in a missing directory made anew elsewhere",
}
