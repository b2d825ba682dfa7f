//! Replicas held against each other, byte for byte, as they lie in the segments of stopped nodes.
//!
//! Segments may begin at different offsets on different nodes; the batches in them may not differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::admin::PartitionState;

/// Length of what stands before a batch's length field, with it.
const LOG_OVERHEAD: usize = 12;
/// Differences told.
const TOLD_MAX: usize = 10;

/// Batches of a replica by base offset.
type Batches = BTreeMap<i64, Vec<u8>>;

/// What was compared, and what differs.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) partitions: usize,
    pub(crate) batches: usize,
    pub(crate) bytes: u64,
    pub(crate) differences: Vec<String>,
}

/// Compares the replicas of each of `partitions`, and the metadata log of all nodes. `whole` are the
/// topics whose replicas must also end at the same offset: nothing is written to them any more.
pub(crate) fn compare(
    nodes: &[(u16, PathBuf)],
    partitions: &[PartitionState],
    whole: &[&str],
) -> Result<Comparison, String> {
    let mut found = Comparison::default();
    for state in partitions {
        let name = format!("{}-{}", state.topic, state.partition);
        let has = |id: u16| state.replicas.contains(&i32::from(id));
        let replicas: Vec<_> = nodes.iter().filter(|(id, _)| has(*id)).collect();
        one(&name, &replicas, whole.contains(&state.topic.as_str()), &mut found)?;
    }
    one("__cluster_metadata-0", &nodes.iter().collect::<Vec<_>>(), false, &mut found)?;
    found.differences.truncate(TOLD_MAX);
    Ok(found)
}

/// Compares the replicas of one partition.
fn one(
    name: &str,
    nodes: &[&(u16, PathBuf)],
    whole: bool,
    found: &mut Comparison,
) -> Result<(), String> {
    let mut replicas = Vec::new();
    for (id, data) in nodes {
        let folder = data.join(name);
        if folder.is_dir() {
            if replicas.iter().any(|(other, _)| other == id) {
                found.differences.push(format!("{name}: node {id} has it in two directories"));
                continue;
            }
            replicas.push((*id, read(&folder).map_err(|error| format!("node {id}: {error}"))?));
        }
    }
    if replicas.len() < 2 {
        return Ok(());
    }
    found.partitions += 1;
    found.batches += replicas[0].1.len();
    found.bytes += replicas[0].1.values().map(|bytes| bytes.len() as u64).sum::<u64>();
    if !whole {
        while let Some(index) = uncommitted(&replicas) {
            replicas.remove(index);
        }
    }
    let told = differ(&replicas, whole).into_iter().map(|text| format!("{name}: {text}"));
    found.differences.extend(told);
    Ok(())
}

fn read(folder: &Path) -> Result<Batches, String> {
    let listed = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    let mut batches = Batches::new();
    for path in files {
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        split(&bytes, &mut batches).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(batches)
}

/// Takes the batches of a segment out of its bytes.
fn split(mut bytes: &[u8], into: &mut Batches) -> Result<(), String> {
    while bytes.len() >= LOG_OVERHEAD {
        let base = i64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
        let length = i32::from_be_bytes(bytes[8..12].try_into().expect("four bytes"));
        // What a node keeps in store at the end of a file is zeroes.
        if length == 0 && bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(LOG_OVERHEAD);
        let batch = bytes.get(..end).ok_or_else(|| format!("a torn batch at offset {base}"))?;
        if into.insert(base, batch.to_vec()).is_some() {
            return Err(format!("offset {base} twice"));
        }
        bytes = &bytes[end..];
    }
    Ok(())
}

/// The epoch of the leader that wrote a batch.
fn epoch_of(batch: &[u8]) -> i32 {
    let bytes = batch.get(LOG_OVERHEAD..LOG_OVERHEAD + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(-1, i32::from_be_bytes)
}

/// Which replica ends in what was never committed: it stopped as a leader, and where its last batches stand
/// a majority holds those of a later one. It would cut them off at its next start.
fn uncommitted(replicas: &[(u16, Batches)]) -> Option<usize> {
    let start = replicas.iter().filter_map(|(_, b)| b.keys().next()).max().copied()?;
    let offsets: BTreeSet<i64> =
        replicas.iter().flat_map(|(_, b)| b.range(start..).map(|(offset, _)| *offset)).collect();
    let at = |offset: i64, index: usize| replicas[index].1.get(&offset);
    let all = || 0..replicas.len();
    let apart =
        offsets.into_iter().find(|offset| all().any(|i| at(*offset, i) != at(*offset, 0)))?;
    let held_by = |batch: &Vec<u8>| all().filter(|i| at(apart, *i) == Some(batch)).count();
    let usual = all().filter_map(|i| at(apart, i)).find(|b| held_by(b) * 2 > replicas.len())?;
    all().find(|i| at(apart, *i).is_some_and(|own| own != usual && epoch_of(own) < epoch_of(usual)))
}

/// What differs between replicas of one partition.
fn differ(replicas: &[(u16, Batches)], whole: bool) -> Vec<String> {
    let starts = replicas.iter().filter_map(|(_, batches)| batches.keys().next());
    let start = starts.max().copied().unwrap_or(0);
    let ends = replicas.iter().map(|(_, batches)| batches.keys().next_back().copied());
    let (first, last) = (ends.clone().min().flatten(), ends.max().flatten());
    let mut told = Vec::new();
    if whole && first != last {
        let ends: Vec<_> =
            replicas.iter().map(|(id, batches)| (id, batches.keys().next_back())).collect();
        told.push(format!("(node, last batch at): {ends:?}"));
    }
    let end = first.unwrap_or(-1);
    let (id, model) = &replicas[0];
    for (other_id, other) in &replicas[1..] {
        let offsets: BTreeSet<i64> =
            [model, other].iter().flat_map(|b| b.keys()).copied().collect();
        let wrong = offsets.iter().find(|offset| {
            (start..=end).contains(*offset) && model.get(offset) != other.get(offset)
        });
        if let Some(offset) = wrong {
            let length = |b: &Batches| b.get(offset).map(Vec::len);
            told.push(format!(
                "offset {offset} is not the same on nodes {id} and {other_id} ({:?} and {:?} bytes)",
                length(model),
                length(other)
            ));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::{Batches, differ, split, uncommitted};

    fn batch(base: i64, body: &[u8]) -> Vec<u8> {
        let mut bytes = base.to_be_bytes().to_vec();
        bytes.extend_from_slice(&(body.len() as i32).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn replica(batches: &[(i64, &[u8])]) -> Batches {
        let bytes: Vec<u8> = batches.iter().flat_map(|(base, body)| batch(*base, body)).collect();
        let mut found = Batches::new();
        split(&bytes, &mut found).expect("whole batches");
        found
    }

    #[test]
    fn one_byte_is_a_difference_and_another_beginning_is_none() {
        let whole = replica(&[(0, b"a"), (1, b"bb"), (5, b"c")]);
        let later = replica(&[(1, b"bb"), (5, b"c")]);
        assert_eq!(differ(&[(1, whole.clone()), (2, later)], true), [""; 0]);
        let other = replica(&[(0, b"a"), (1, b"bX"), (5, b"c")]);
        assert_eq!(differ(&[(1, whole.clone()), (2, other)], true).len(), 1);
        let longer = replica(&[(0, b"a"), (1, b"b"), (2, b"b"), (5, b"c")]);
        assert_eq!(differ(&[(1, whole.clone()), (2, longer)], true).len(), 1);
        let shorter = replica(&[(0, b"a"), (1, b"bb")]);
        assert_eq!(differ(&[(1, whole.clone()), (2, shorter.clone())], true).len(), 1);
        assert_eq!(differ(&[(1, whole), (2, shorter)], false), [""; 0]);
    }

    #[test]
    fn what_one_leader_alone_has_was_not_committed() {
        let old: &[u8] = &[0, 0, 0, 4, 1];
        let new: &[u8] = &[0, 0, 0, 5, 2];
        let kept = replica(&[(0, old), (1, new), (2, new)]);
        let left = replica(&[(0, old), (1, old)]);
        let all = |first: &Batches, other: &Batches| {
            [(1, first.clone()), (2, other.clone()), (3, kept.clone())]
        };
        assert_eq!(uncommitted(&all(&left, &kept)), Some(0));
        assert_eq!(uncommitted(&all(&kept, &left)), Some(1));
        assert_eq!(uncommitted(&all(&left, &left)), None, "a majority has it");
        assert_eq!(uncommitted(&all(&kept, &kept)), None);
        let later = replica(&[(0, old), (1, &[0, 0, 0, 6, 3])]);
        assert_eq!(uncommitted(&all(&later, &kept)), None, "of a later leader");
    }

    #[test]
    fn torn_batches_and_doubled_offsets_are_said() {
        let mut found = Batches::new();
        assert!(split(&batch(3, b"abc")[..13], &mut found).is_err());
        let twice = [batch(3, b"a"), batch(3, b"a")].concat();
        assert!(split(&twice, &mut Batches::new()).is_err());
    }
}
