//! What leaders and followers ask of a log: parts, durable ends, appends of another log's batches, cuts,
//! and what of it a killed process leaves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::os::OsEnv;
use ottla_log::{
    AppendError, AppendOptions, DataDir, LogError, Offsets, Origin, Partition, Progress,
    ProgressListener, ReadOptions, TopicPartition,
};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use parking_lot::Mutex;

use crate::world::{batch, config, id, small};

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ottla-replica-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// Runs a scenario in a folder of its own.
fn scenario<F: Future<Output = ()>>(name: &str, run: impl FnOnce(OsEnv, PathBuf) -> F) {
    let path = folder(name);
    let kept = path.clone();
    ottla_env::os::run(Some(1), async move |env| run(env, path).await).unwrap();
    let _ = std::fs::remove_dir_all(kept);
}

fn open(env: &OsEnv, path: &Path) -> DataDir<OsEnv> {
    DataDir::open(env.clone(), small(path)).unwrap().0
}

fn partition(dir: &DataDir<OsEnv>) -> Arc<Partition<OsEnv>> {
    dir.create_partition(&id("t", 1, 0), config()).unwrap()
}

fn replica(leader_epoch: i32) -> AppendOptions {
    let client = AppendOptions::client(leader_epoch, 0);
    AppendOptions { origin: Origin::Replica, defer_write: true, ..client }
}

fn sequenced(sequence: i32, leader_epoch: i32) -> Bytes {
    let options = BatchOptions {
        producer_id: 9,
        producer_epoch: 0,
        base_sequence: sequence,
        leader_epoch,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    builder.push(5, None, Some(&[7; 150]), &[]);
    builder.build()
}

fn code<T>(outcome: Result<T, AppendError>) -> Option<ErrorCode> {
    outcome.err().map(|error| error.kafka_code())
}

/// Goal: a follower's log is its leader's, byte for byte and with all that is derived from it, at any
/// limit of bytes a fetch; after a kill it goes on where it is. Method: leader and follower in two
/// directories, fetches of many sizes up to the log end, kills in between.
#[test]
fn a_followers_log_is_its_leaders() {
    scenario("copy", async |env, path| {
        let leaders = open(&env, &path.join("leader"));
        let leader = partition(&leaders);
        leader.set_replicated(true).unwrap();
        let (mut sequence, mut limit) = (0, 1);
        for epoch in [3, 4, 8] {
            leader.lead(epoch).unwrap();
            let followers = open(&env, &path.join("follower"));
            let follower = partition(&followers);
            follower.set_replicated(true).unwrap();
            follower.follow(epoch);
            for _ in 0..40 {
                let options =
                    AppendOptions { defer_write: true, ..AppendOptions::client(epoch, 5) };
                while let Err(AppendError::Busy) =
                    leader.append(sequenced(sequence, epoch), &options)
                {
                    leaders.commit().await;
                    leaders.room().await;
                }
                sequence += 1;
                let from = follower.offsets().log_end;
                let upper = leader.offsets().log_end;
                let options = ReadOptions { max_bytes: limit, min_one_batch: true, upper };
                let read = leader.read_blocking(from, &options).unwrap().into_bytes();
                limit = (limit * 7 + 13) % 1900;
                while let Err(AppendError::Busy) = follower.append(read.clone(), &replica(epoch)) {
                    followers.commit().await;
                    followers.room().await;
                }
                followers.commit().await;
                followers.wait_durable(followers.staged()).await.unwrap();
                let offsets = follower.offsets();
                assert_eq!(offsets.durable_end, offsets.log_end);
            }
            follower.advance_high_watermark(follower.offsets().log_end - 2);
            follower.note_high_watermark().unwrap();
            assert_same(&leader, &follower);
            followers.wait_durable(followers.staged()).await.unwrap();
            followers.abandon().await;
        }
        let followers = open(&env, &path.join("follower"));
        let follower = partition(&followers);
        assert_same(&leader, &follower);
        let offsets = follower.offsets();
        assert_eq!(offsets.high_watermark, offsets.log_end - 2, "noted, not guessed");
        leaders.close().await;
        followers.close().await;
    });
}

/// Everything below the follower's end is the same.
fn assert_same(leader: &Arc<Partition<OsEnv>>, follower: &Arc<Partition<OsEnv>>) {
    let upper = follower.offsets().log_end;
    assert!(upper > 0);
    let read = |log: &Arc<Partition<OsEnv>>| {
        let mut whole = Vec::new();
        let mut from = 0;
        while from < upper {
            let options = ReadOptions { max_bytes: 700, min_one_batch: true, upper };
            let slices = log.read_blocking(from, &options).unwrap();
            assert!(slices.next_offset > from);
            from = slices.next_offset;
            whole.extend_from_slice(&slices.into_bytes());
        }
        whole
    };
    assert_eq!(read(leader), read(follower));
    for epoch in 0..10 {
        let (known, end) = follower.end_offset_for_epoch(epoch);
        if end < upper {
            assert_eq!((known, end), leader.end_offset_for_epoch(epoch), "epoch {epoch}");
        }
    }
    if upper == leader.offsets().log_end {
        assert_eq!(leader.producers(), follower.producers());
    }
}

/// Goal: nothing is appended or cut in another part or epoch than it was begun in.
#[test]
fn each_part_takes_its_own() {
    scenario("parts", async |env, path| {
        let dir = open(&env, &path);
        let log = partition(&dir);
        let client = |epoch| AppendOptions::client(epoch, 5);
        log.lead(2).unwrap();
        log.append(batch(&[b"a"], 5), &client(2)).unwrap();
        let not_leader = Some(ErrorCode::NotLeaderOrFollower);
        assert_eq!(code(log.append(batch(&[b"b"], 5), &client(1))), not_leader);
        assert_eq!(code(log.append(sequenced(0, 2), &replica(2))), not_leader);
        assert!(log.truncate_to(0).is_err(), "a leader's log is never cut");
        assert!(log.restart_at(7).is_err());
        log.follow(3);
        assert_eq!(code(log.append(batch(&[b"b"], 5), &client(3))), not_leader);
        assert_eq!(code(log.append(sequenced(0, 3), &replica(2))), not_leader);
        assert!(matches!(log.truncate_following(2, 0), Err(LogError::Refused { .. })));
        // Of the leader's batches none is of an epoch to come, and none older than those before it.
        let at = |offset: i64, epoch: i32| {
            let mut bytes = sequenced(0, epoch).to_vec();
            ottla_protocol::records::set_base_offset(&mut bytes, offset);
            ottla_protocol::records::set_leader_epoch(&mut bytes, epoch);
            Bytes::from(bytes)
        };
        let corrupt = Some(ErrorCode::CorruptMessage);
        assert_eq!(code(log.append(at(1, 4), &replica(3))), corrupt);
        assert_eq!(code(log.append(at(1, 1), &replica(3))), corrupt);
        assert_eq!(code(log.append(at(0, 3), &replica(3))), Some(ErrorCode::OffsetOutOfRange));
        // A gap is as good as any offset: compaction leaves them.
        log.append(at(5, 3), &replica(3)).unwrap();
        assert_eq!(log.offsets().log_end, 6);
        dir.close().await;
    });
}

/// Goal: a follower that comes to a leader whose log starts in the middle of a batch takes the batch, shows
/// of it what the leader shows, and goes on so after a kill. DeleteRecords stops at no batch's border.
#[test]
fn a_follower_begins_in_the_middle_of_a_batch() {
    scenario("middle", async |env, path| {
        let leaders = open(&env, &path.join("leader"));
        let leader = partition(&leaders);
        leader.lead(2).unwrap();
        let records: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
        leader.append(batch(&records, 5), &AppendOptions::client(2, 5)).unwrap();
        leaders.commit().await;
        leaders.wait_durable(leaders.staged()).await.unwrap();
        leader.delete_records_before(2).unwrap();
        let options = ReadOptions { max_bytes: 1 << 20, min_one_batch: true, upper: 4 };
        let read = leader.read_blocking(2, &options).unwrap().into_bytes();

        let followers = open(&env, &path.join("follower"));
        let follower = partition(&followers);
        follower.set_replicated(true).unwrap();
        follower.follow(2);
        follower.restart_following(2, 2).unwrap();
        let lsn = follower.append(read.clone(), &replica(2)).unwrap().lsn;
        follower.advance_high_watermark(4);
        let shown = |log: &Arc<Partition<OsEnv>>| {
            let offsets = log.offsets();
            (offsets.log_start, offsets.log_end, log.end_offset_for_epoch(2))
        };
        assert_eq!(shown(&follower), (2, 4, (2, 4)));
        let again = code(follower.append(read.clone(), &replica(2)));
        assert_eq!(again, Some(ErrorCode::OffsetOutOfRange), "it holds something now");
        followers.commit().await;
        followers.wait_durable(lsn.max(followers.staged())).await.unwrap();
        followers.abandon().await;
        let followers = open(&env, &path.join("follower"));
        let follower = partition(&followers);
        assert_eq!(shown(&follower), (2, 4, (2, 4)));
        let whole = follower.read_blocking(2, &options).unwrap().into_bytes();
        assert_eq!(whole, read);
        followers.close().await;
        leaders.close().await;
    });
}

/// Goal: an epoch that a leader noted and wrote nothing in is forgotten by a truncation to the log end,
/// for good; otherwise it would diverge from the next leader for ever.
#[test]
fn an_epoch_without_records_is_cut_off_too() {
    scenario("epochs", async |env, path| {
        let dir = open(&env, &path);
        let log = partition(&dir);
        log.lead(2).unwrap();
        log.append(batch(&[b"a", b"b"], 5), &AppendOptions::client(2, 5)).unwrap();
        log.lead(7).unwrap();
        log.follow(8);
        assert_eq!(log.leader_epoch(), Some(7));
        let lsn = log.truncate_following(8, 2).unwrap();
        assert_eq!((log.leader_epoch(), log.offsets().log_end), (Some(2), 2));
        dir.wait_durable(lsn).await.unwrap();
        dir.abandon().await;
        let dir = open(&env, &path);
        assert_eq!(partition(&dir).leader_epoch(), Some(2));
        dir.close().await;
    });
}

/// What a listener heard, in order.
#[derive(Default)]
struct Heard(Mutex<Vec<(&'static str, i64)>>);

impl ProgressListener for Heard {
    fn on_progress(&self, _partition: &TopicPartition, offsets: Offsets, what: Progress) {
        self.0.lock().push(match what {
            Progress::HighWatermark => ("committed", offsets.high_watermark),
            Progress::LogEnd => ("appended", offsets.log_end),
        });
    }

    fn on_durable(&self, offsets: Offsets, raise: &dyn Fn(i64)) {
        self.0.lock().push(("durable", offsets.durable_end));
        raise(offsets.durable_end - 1);
    }
}

/// Goal: with followers others move the high watermark, without them the disk does; one may become the
/// other at any time, and a kill does not forget which it was. Method: what a listener hears.
#[test]
fn who_says_what_is_committed_may_change() {
    scenario("switch", async |env, path| {
        let dir = open(&env, &path);
        let log = partition(&dir);
        let heard = Arc::new(Heard::default());
        log.on_progress(Arc::clone(&heard) as Arc<dyn ProgressListener>);
        let told = || std::mem::take(&mut *heard.0.lock());
        log.lead(1).unwrap();
        let options = AppendOptions { defer_write: true, ..AppendOptions::client(1, 5) };
        let append = async |log: &Arc<Partition<OsEnv>>| {
            let lsn = log.append(batch(&[b"a"], 5), &options).unwrap().lsn;
            let offsets = log.offsets();
            assert_eq!(offsets.durable_end, offsets.log_end - 1, "it is not written yet");
            dir.commit().await;
            dir.wait_durable(lsn).await.unwrap();
        };
        append(&log).await;
        assert_eq!(told(), [("committed", 1)]);
        log.set_replicated(true).unwrap();
        append(&log).await;
        append(&log).await;
        let expected =
            [("appended", 2), ("durable", 2), ("appended", 3), ("durable", 3), ("committed", 2)];
        assert_eq!(told(), expected);
        log.set_replicated(false).unwrap();
        assert_eq!(told(), [("committed", 3)]);
        log.set_replicated(true).unwrap();
        append(&log).await;
        dir.abandon().await;
        let dir = open(&env, &path);
        let offsets = partition(&dir).offsets();
        let (high_watermark, log_end) = (offsets.high_watermark, offsets.log_end);
        assert_eq!((high_watermark, log_end), (3, 4), "what followers may lack is not committed");
        dir.close().await;
    });
}
