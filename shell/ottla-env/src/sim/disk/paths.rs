//! From a path to the folder and name it means, with POSIX's answers to the impossible ones.

use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

use super::effect::Inode;
use super::tree::{Link, ROOT, Tree};

/// Where a path leads: the root, or a name (taken or free) in a folder that exists.
pub(super) enum Place {
    Root,
    Named { folder: Inode, name: Arc<str>, link: Option<Link> },
}

/// The names along a path. Relative paths start at the root, too: a disk has one working folder.
pub(super) fn names(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                names.push(name.to_str().ok_or_else(|| error(ErrorKind::InvalidInput, path))?);
            }
            Component::ParentDir | Component::Prefix(_) => {
                return Err(error(ErrorKind::InvalidInput, path));
            }
        }
    }
    Ok(names)
}

/// Finds the place of a path.
pub(super) fn find(tree: &Tree, path: &Path) -> io::Result<Place> {
    let names = names(path)?;
    let Some((last, above)) = names.split_last() else { return Ok(Place::Root) };
    let mut folder = ROOT;
    for name in above {
        let link = tree.link(folder, name).ok_or_else(|| error(ErrorKind::NotFound, path))?;
        if !link.is_folder {
            return Err(error(ErrorKind::NotADirectory, path));
        }
        folder = link.inode;
    }
    let link = tree.link(folder, last);
    Ok(Place::Named { folder, name: Arc::from(*last), link })
}

/// The folder a path names.
pub(super) fn find_folder(tree: &Tree, path: &Path) -> io::Result<Inode> {
    match find(tree, path)? {
        Place::Root => Ok(ROOT),
        Place::Named { link: Some(link), .. } if link.is_folder => Ok(link.inode),
        Place::Named { link: Some(_), .. } => Err(error(ErrorKind::NotADirectory, path)),
        Place::Named { link: None, .. } => Err(error(ErrorKind::NotFound, path)),
    }
}

/// An error that names the path, as the caller's log will want it.
pub(super) fn error(kind: ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{kind}: {}", path.display()))
}
