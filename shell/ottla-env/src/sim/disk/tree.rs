//! Names: folders of entries. It knows no bytes and checks nothing: whoever makes a change has
//! checked it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effect::{Inode, NameChange};

/// The folder all paths start from.
pub(super) const ROOT: Inode = Inode(1);

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) inode: Inode,
    pub(super) is_folder: bool,
}

pub(super) type Folder = BTreeMap<Arc<str>, Link>;

/// All folders of a disk.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    folders: BTreeMap<Inode, Arc<Folder>>,
}

impl Tree {
    pub(super) fn new() -> Tree {
        Tree { folders: BTreeMap::from([(ROOT, Arc::new(Folder::new()))]) }
    }

    pub(super) fn folder(&self, inode: Inode) -> Option<&Folder> {
        self.folders.get(&inode).map(|folder| &**folder)
    }

    pub(super) fn link(&self, folder: Inode, name: &str) -> Option<Link> {
        self.folder(folder)?.get(name).copied()
    }

    /// Every file that has a name.
    pub(super) fn files(&self) -> impl Iterator<Item = Inode> + '_ {
        self.folders
            .values()
            .flat_map(|folder| folder.values())
            .filter(|link| !link.is_folder)
            .map(|link| link.inode)
    }

    pub(super) fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Link { folder, name, inode, is_folder } => {
                if *is_folder {
                    self.folders.insert(*inode, Arc::new(Folder::new()));
                }
                let link = Link { inode: *inode, is_folder: *is_folder };
                self.put(*folder, name, link);
            }
            NameChange::Unlink { folder, name } => {
                if let Some(link) = self.take(*folder, name)
                    && link.is_folder
                {
                    self.folders.remove(&link.inode);
                }
            }
            NameChange::Rename { from, to } => {
                if let Some(link) = self.take(from.0, &from.1) {
                    self.put(to.0, &to.1, link);
                }
            }
        }
    }

    fn put(&mut self, folder: Inode, name: &Arc<str>, link: Link) {
        let Some(names) = self.folders.get_mut(&folder) else { return };
        let replaced = Arc::make_mut(names).insert(name.clone(), link);
        if let Some(replaced) = replaced
            && replaced.is_folder
            && replaced.inode != link.inode
        {
            self.folders.remove(&replaced.inode);
        }
    }

    fn take(&mut self, folder: Inode, name: &str) -> Option<Link> {
        Arc::make_mut(self.folders.get_mut(&folder)?).remove(name)
    }
}
