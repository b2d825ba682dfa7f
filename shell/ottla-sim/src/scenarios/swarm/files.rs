//! What the nodes' segment files hold when all have stopped in order: read from the disks themselves, past
//! every broker.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use ottla_env::sim::SimDisk;
use ottla_env::{Disk, Entry, FileKind};
use ottla_judge::watch::{Files, Stored};
use ottla_protocol::records::batches;

use super::replicas::hash;

/// No segment of a run is larger.
pub(super) const SEGMENT_MAX: u64 = 1 << 30;

/// Every partition's files on one disk, by the folder's name.
pub(super) fn read(disk: &SimDisk, root: &Path) -> Result<BTreeMap<String, Files>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", root.display());
    let folders = disk.read_dir(root).map_err(failed)?;
    let mut found = BTreeMap::new();
    for Entry { name, .. } in folders.into_iter().filter(is_partition) {
        let files = read_partition(disk, &root.join(&name)).map_err(failed)?;
        found.insert(name, files);
    }
    Ok(found)
}

/// What is on its way out has a suffix.
fn is_partition(entry: &Entry) -> bool {
    let number = entry.name.rsplit_once('-').map_or("", |(_, number)| number);
    entry.kind == FileKind::Dir && number.parse::<i32>().is_ok()
}

fn read_partition(disk: &SimDisk, folder: &Path) -> std::io::Result<Files> {
    let mut found = Files::default();
    // A name is its base offset in digits: sorted, they are in order.
    for Entry { name, .. } in disk.read_dir(folder)? {
        if !name.ends_with(".log") {
            continue;
        }
        let bytes = Bytes::from(disk.read_file(&folder.join(name), SEGMENT_MAX)?);
        let mut taken = 0;
        for batch in batches(&bytes) {
            let Ok((header, batch)) = batch else { break };
            if header.verify_crc(&batch).is_err() {
                break;
            }
            taken += batch.len();
            found.batches.push(Stored {
                base_offset: header.base_offset,
                last_offset: header.last_offset(),
                hash: hash(&batch),
            });
        }
        found.trailing += bytes.len() - taken;
    }
    Ok(found)
}
