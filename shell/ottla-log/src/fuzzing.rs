//! Entry points for the fuzz targets: what recovery reads, given bytes that nobody wrote.
//!
//! Checksums are put right first, so that damage gets past them to what stands behind. Nothing here
//! is called by a broker.

use std::path::Path;

use bytes::Bytes;
use ottla_env::Disk;
use ottla_env::sim::SimDisk;
use ottla_protocol::Uuid;

use crate::checkpoint::{self, Builder, Checkpoint, encode_name};
use crate::recovery::{Plan, plan, survey};
use crate::wal::{
    Checksum, EntryKind, EpochFile, GroupHeader, PAGE_BYTES, Session, crc32c, entries, file_name,
    groups,
};

/// Whose groups the targets make.
const SESSION: Session = Session { directory: Uuid([5; 16]), epoch: 9 };
/// Bytes of a group's and of a checkpoint's header.
const GROUP_HEADER: usize = 64;
const CHECKPOINT_HEADER: usize = 80;

/// Reads a checkpoint; what could be read can be written, and is then read as the same.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(found) = Checkpoint::decode(&sealed_checkpoint(bytes)) else { return };
    let written = encode(&found);
    let again = Checkpoint::decode(&written).expect("what was written can be read");
    assert_eq!(found, again);
    assert_eq!(encode(&again), written);
    for partition in &found.partitions {
        let name = encode_name(&partition.id, partition.segment_bytes);
        let read = checkpoint::decode_name(&name).expect("a name that was written");
        assert_eq!(read, (partition.id.clone(), partition.segment_bytes));
    }
}

/// Reads a write-ahead file: as it is, and as groups with good checksums around pieces of it.
pub fn write_ahead(bytes: &[u8]) {
    for file in [Bytes::copy_from_slice(bytes), Bytes::from(sealed_groups(bytes))] {
        let mut least = 0;
        for found in groups(&SESSION, &file, 0, 0) {
            assert!(found.header.start_lsn >= least, "groups come in order");
            least = found.header.end_lsn();
            read_entries(&found.payload(&file), found.header.start_lsn);
        }
    }
    if let Ok(epoch) = EpochFile::decode(&sealed_epoch(bytes)) {
        assert_eq!(EpochFile::decode(&epoch.encode()), Ok(epoch));
    }
}

/// Surveys a data directory made of pieces of `bytes` and plans its repair.
///
/// One byte for the epoch, one for the files, two for the length of the checkpoint, then the
/// checkpoint and the write-ahead files.
pub fn recovery(bytes: &[u8]) {
    let [epoch, files, high, low, rest @ ..] = bytes else { return };
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (checkpoint, wal) = rest.split_at(length);
    let disk = SimDisk::new(1);
    let folder = Path::new("/data");
    let put = |path: &Path, bytes: &[u8]| disk.replace_file(path, bytes).expect("a healthy disk");
    disk.create_dir_all(&folder.join("wal")).expect("a healthy disk");
    if epoch & 1 == 0 {
        put(&folder.join(checkpoint::FILE_NAME), &sealed_checkpoint(checkpoint));
    }
    if epoch & 2 == 0 {
        let file = EpochFile { epoch: SESSION.epoch, start_lsn: u64::from(*epoch >> 2) };
        put(&folder.join("wal/epoch"), &file.encode());
    }
    let count = usize::from(files % 4);
    for (index, piece) in wal.chunks(wal.len() / count.max(1) + 1).take(count).enumerate() {
        let path = folder.join("wal").join(file_name((index * 64) as u64));
        put(&path, &sealed_groups(piece));
    }
    let Ok(facts) = survey(&disk, folder, SESSION.directory) else { return };
    match plan(&facts) {
        Plan::Go { groups, lost_groups, .. } => {
            assert!(groups + lost_groups <= facts.groups.len(), "no group is taken twice");
        }
        Plan::Refuse { why, .. } => assert!(!why.is_empty(), "a refusal says why"),
    }
}

fn read_entries(payload: &Bytes, start_lsn: u64) {
    let Ok(found) = entries(payload, start_lsn) else { return };
    let mut written = Vec::with_capacity(payload.len());
    for entry in &found {
        let at = written.len();
        written.resize(at + 32, 0);
        entry.head.encode(entry.payload.len(), &mut written[at..]);
        written.extend_from_slice(&entry.payload);
        if entry.head.kind == EntryKind::Create {
            let _ = checkpoint::decode_name(&entry.payload);
        }
    }
    // The three bytes after the kind are reserved; all else comes back as it was.
    assert_eq!(written.len(), payload.len());
}

fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut builder = Builder::new();
    checkpoint.partitions.iter().for_each(|partition| builder.push(partition));
    builder.finish(&checkpoint.header)
}

/// Puts what every checkpoint begins with, its length and its checksum right.
fn sealed_checkpoint(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    if sealed.len() < CHECKPOINT_HEADER {
        return sealed;
    }
    let empty = Builder::new().finish(&checkpoint::CheckpointHeader {
        directory: SESSION.directory,
        epoch: SESSION.epoch,
        wal_start_lsn: 0,
        next_number: 0,
        clean: false,
    });
    sealed[..6].copy_from_slice(&empty[..6]);
    sealed[6] = 0;
    let body = (sealed.len() - CHECKPOINT_HEADER) as u64;
    sealed[16..24].copy_from_slice(&body.to_be_bytes());
    sealed[24..40].copy_from_slice(&SESSION.directory.0);
    let crc = crc32c(&sealed[12..]) ^ u32::from(sealed[7]);
    sealed[8..12].copy_from_slice(&crc.to_be_bytes());
    sealed
}

fn sealed_epoch(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.get(..32).unwrap_or(bytes).to_vec();
    if sealed.len() == 32 {
        let empty = EpochFile { epoch: 0, start_lsn: 0 }.encode();
        sealed[..6].copy_from_slice(&empty[..6]);
        let crc = crc32c(&sealed[..24]);
        sealed[24..28].copy_from_slice(&crc.to_be_bytes());
    }
    sealed
}

/// A file of groups: each piece is two bytes of length, one of flags, one of distance, payload.
fn sealed_groups(mut bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut lsn = 0u64;
    while let [high, low, flags, distance, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]) & 0x3ff).min(rest.len());
        let (payload, next) = rest.split_at(length);
        bytes = next;
        let at = file.len();
        let end = at + GROUP_HEADER + length;
        let alignment = if flags & 1 == 0 { GROUP_HEADER } else { PAGE_BYTES };
        file.extend_from_slice(&[0; GROUP_HEADER]);
        file.extend_from_slice(payload);
        file.resize(end.next_multiple_of(alignment), 0);
        // High bits of the distance: a hole, or a step back into what was written before.
        lsn = match flags >> 6 {
            0 | 1 => lsn,
            2 => lsn.saturating_add(u64::from(*distance)),
            _ => lsn.saturating_sub(u64::from(*distance)),
        };
        let header = GroupHeader {
            start_lsn: lsn,
            durable_lsn: lsn.saturating_sub(u64::from(flags & 0x3e)),
            payload_bytes: u32::try_from(length).expect("fewer than a thousand"),
            padded_bytes: u32::try_from(file.len() - at).expect("a few pages"),
        };
        let mut checksum = Checksum::default();
        checksum.update(payload);
        let head = header.encode(&SESSION, checksum);
        file[at..at + GROUP_HEADER].copy_from_slice(&head);
        lsn = header.end_lsn();
        // A machine may have stopped inside a group.
        if flags & 0x3e == 0x3e {
            file.truncate(end.saturating_sub(usize::from(*distance)).max(at));
        }
    }
    file
}

/// Inputs worth beginning with.
pub fn checkpoint_seeds() -> Vec<Vec<u8>> {
    let directory = SESSION.directory;
    let empty = checkpoint::CheckpointHeader {
        directory,
        epoch: SESSION.epoch,
        wal_start_lsn: 0,
        next_number: 2,
        clean: false,
    };
    let mut one = Builder::new();
    let name = |topic: &str| crate::TopicPartition {
        topic: ottla_protocol::Str::copy_from(topic),
        topic_id: directory,
        partition: 1,
    };
    for (number, topic) in ["a", "orders"].into_iter().enumerate() {
        one.push(&checkpoint::PartitionRecord {
            number: number as u64,
            id: name(topic),
            applied_lsn: 7,
            log_start: 1,
            high_watermark: 5,
            log_end: 9,
            segment_bytes: 4096,
            has_folder: true,
            index_saved: false,
            replicated: false,
            copying: checkpoint::Copying { is_copy: number == 1, moves: 3 },
            segments: vec![
                checkpoint::SegmentRecord::empty(0, 3),
                checkpoint::SegmentRecord::empty(4, 3),
            ],
            epochs: vec![crate::epochs::EpochEntry { epoch: 1, start_offset: 0 }],
            producers: crate::producers::Producers::new(),
            aborted: Vec::new(),
        });
    }
    vec![Builder::new().finish(&empty), one.finish(&empty)]
}
