//! Everything a disk holds. Cheap to clone: pages, files and folders are shared until written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::effect::{Effect, Inode, NameChange};
use super::file::FileState;
use super::loss::LossPlan;
use super::tree::{ROOT, Tree};

/// A disk's content: what is seen, and what is durable.
///
/// `durable` with all of `changes` applied is `tree`.
#[derive(Debug, Clone)]
pub(super) struct DiskState {
    pub(super) tree: Tree,
    durable: Tree,
    /// Changes to names since the durable ones, in order.
    changes: Vec<NameChange>,
    files: BTreeMap<Inode, Arc<FileState>>,
    next_inode: u64,
}

impl DiskState {
    pub(super) fn new() -> DiskState {
        DiskState {
            tree: Tree::new(),
            durable: Tree::new(),
            changes: Vec::new(),
            files: BTreeMap::new(),
            next_inode: ROOT.0 + 1,
        }
    }

    /// A number no file or folder has had.
    pub(super) fn next_inode(&self) -> Inode {
        Inode(self.next_inode)
    }

    pub(super) fn file(&self, inode: Inode) -> Option<&FileState> {
        self.files.get(&inode).map(|file| &**file)
    }

    pub(super) fn file_mut(&mut self, inode: Inode) -> Option<&mut FileState> {
        self.files.get_mut(&inode).map(Arc::make_mut)
    }

    /// Bytes taken by all files.
    pub(super) fn usage(&self) -> u64 {
        self.files.values().map(|file| file.usage()).sum()
    }

    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Write { inode, position, bytes, dsync, at_ms } => {
                self.write(*inode, (*position, bytes), *dsync, *at_ms);
            }
            Effect::Sync { inode } => {
                // A clean file is not copied for nothing.
                if self.file(*inode).is_some_and(|file| !file.is_clean())
                    && let Some(file) = self.file_mut(*inode)
                {
                    file.sync();
                }
            }
            Effect::SyncDir { folder } => self.sync_names(*folder),
            Effect::SetLen { .. }
            | Effect::Allocate { .. }
            | Effect::Name(_)
            | Effect::Forsake { .. } => {
                self.apply_volatile(effect);
            }
        }
    }

    /// What an effect of that kind does, of bytes that stay whose they are.
    pub(super) fn write(
        &mut self,
        inode: Inode,
        (position, bytes): (u64, &[u8]),
        dsync: bool,
        at_ms: i64,
    ) {
        let Some(file) = self.file_mut(inode) else { return };
        file.write(bytes, position);
        file.modified_ms = at_ms;
        if dsync {
            file.sync_range(position, bytes.len());
        }
    }

    /// The effect as far as the page cache goes: nothing becomes durable by it.
    pub(super) fn apply_volatile(&mut self, effect: &Effect) {
        match effect {
            Effect::Write { inode, position, bytes, at_ms, .. } => {
                self.write(*inode, (*position, bytes), false, *at_ms);
            }
            Effect::SetLen { inode, len, at_ms } => {
                if let Some(file) = self.file_mut(*inode) {
                    file.set_len(*len);
                    file.modified_ms = *at_ms;
                }
            }
            Effect::Allocate { inode, len, at_ms } => {
                if let Some(file) = self.file_mut(*inode) {
                    file.allocate(*len);
                    file.modified_ms = *at_ms;
                }
            }
            Effect::Name(change) => {
                if let NameChange::Link { inode, is_folder, .. } = change {
                    self.next_inode = self.next_inode.max(inode.0 + 1);
                    if !is_folder {
                        self.files.insert(*inode, Arc::default());
                    }
                }
                self.tree.apply(change);
                self.changes.push(change.clone());
            }
            Effect::Forsake { inode } => {
                if let Some(file) = self.file_mut(*inode) {
                    file.forsake();
                }
            }
            Effect::Sync { .. } | Effect::SyncDir { .. } => {}
        }
    }

    /// What is left when the power goes (or the process dies) with `in_flight` being carried out.
    pub(super) fn survivor(&self, in_flight: Option<&Effect>, plan: &LossPlan) -> DiskState {
        if let Some(effect) = in_flight {
            let mut begun = self.clone();
            begun.apply_volatile(effect);
            return begun.survivor(None, plan);
        }
        if plan.keeps_all() {
            return self.clone();
        }
        let mut chance = plan.dice();
        let mut tree = self.durable.clone();
        for change in &self.changes[..chance.pick_names(self.changes.len())] {
            tree.apply(change);
        }
        let mut files = BTreeMap::new();
        for inode in tree.files().collect::<BTreeSet<_>>() {
            if let Some(file) = self.files.get(&inode) {
                let left = if file.is_clean() {
                    file.clone()
                } else {
                    Arc::new(file.survivor(&mut chance))
                };
                files.insert(inode, left);
            }
        }
        let durable = tree.clone();
        DiskState { tree, durable, changes: Vec::new(), files, next_inode: self.next_inode }
    }

    /// Forgets files without a name, seen or durable, that nobody has open.
    pub(super) fn forget_unnamed(&mut self, open: &BTreeMap<Inode, usize>) {
        let mut kept: BTreeSet<Inode> = self.tree.files().chain(self.durable.files()).collect();
        kept.extend(self.changes.iter().filter_map(|change| match change {
            NameChange::Link { inode, .. } => Some(*inode),
            NameChange::Unlink { .. } | NameChange::Rename { .. } => None,
        }));
        self.files.retain(|inode, _| kept.contains(inode) || open.contains_key(inode));
    }

    /// A journal commits in order: all changes up to the last that concerns the folder.
    fn sync_names(&mut self, folder: Inode) {
        let last = self.changes.iter().rposition(|change| change.concerns(folder));
        if let Some(last) = last {
            for change in self.changes.drain(..=last) {
                self.durable.apply(&change);
            }
        }
    }
}
