//! Files, names and lengths. What survives a power cut only the simulator can show.

use std::io::ErrorKind;
use std::path::PathBuf;

use ottla_env::{
    Advice, AlignedBuffer, Disk, Env, File, FileKind, LockError, OpenOptions, open_read,
};

use super::folder;

const CREATE: OpenOptions = OpenOptions::read_write_create();

pub(super) async fn a_file_reads_back_what_was_written<E: Env>(env: E, root: PathBuf) {
    let path = folder(&env, root).join("a");
    let file = env.disk().open(&path, &CREATE).unwrap();
    assert!(file.is_empty().unwrap());
    assert!(!file.is_direct());
    file.write_all_at(b"hello", 3).unwrap();
    file.write_all_at(b"J", 3).unwrap();
    assert_eq!(file.len().unwrap(), 8);
    let mut bytes = [9; 10];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 8);
    assert_eq!(&bytes, b"\0\0\0Jello\x09\x09");
    assert_eq!(file.read_at(&mut bytes, 8).unwrap(), 0);
    assert_eq!(file.read_at(&mut bytes, 1 << 40).unwrap(), 0);
    let end = file.read_exact_at(&mut bytes, 0).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    match file.try_read_at(&mut bytes, 0) {
        Ok(count) => assert_eq!((count, &bytes[..8]), (8, &b"\0\0\0Jello"[..])),
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    // Either answer is allowed at any time.
    let _ = file.is_cached(0, 8);
    file.start_writeback(0, 8).unwrap();
    file.advise(0, 0, Advice::WillNeed);
    file.advise(0, 8, Advice::DontNeed);
    file.sync_data().unwrap();
    file.sync_all().unwrap();

    // A write across many pages, at an odd place, through a handle that syncs.
    let long: Vec<u8> = (0..50_000_u32).map(|at| (at % 251) as u8).collect();
    let synced = env.disk().open(&path, &OpenOptions { dsync: true, ..CREATE }).unwrap();
    synced.write_all_at(&long, 4097).unwrap();
    let mut bytes = vec![0; long.len()];
    file.read_exact_at(&mut bytes, 4097).unwrap();
    assert_eq!(bytes, long);
    assert_eq!(env.disk().read_file(&path, 60_000).unwrap().len(), 54_097);
    let error = env.disk().read_file(&path, 54_096).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

pub(super) async fn opening_answers_as_posix_does<E: Env>(env: E, root: PathBuf) {
    let folder = folder(&env, root);
    let (disk, path) = (env.disk(), folder.join("a"));
    let kind =
        |options: &OpenOptions, path: &PathBuf| disk.open(path, options).err().map(|e| e.kind());
    assert_eq!(kind(&OpenOptions::read_only(), &path), Some(ErrorKind::NotFound));
    assert_eq!(kind(&OpenOptions::read_write(), &path), Some(ErrorKind::NotFound));
    assert_eq!(kind(&CREATE, &folder.join("none/a")), Some(ErrorKind::NotFound));
    assert_eq!(disk.metadata(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let fresh = OpenOptions { create_new: true, ..CREATE };
    disk.open(&path, &fresh).unwrap().write_all_at(b"abc", 0).unwrap();
    assert_eq!(kind(&fresh, &path), Some(ErrorKind::AlreadyExists));
    assert_eq!(kind(&CREATE, &path), None);
    assert_eq!(disk.metadata(&path).unwrap().len, 3);
    assert!(open_read(disk, &path).unwrap().write_all_at(b"x", 0).is_err());
    assert_eq!(kind(&OpenOptions { truncate: true, ..CREATE }, &path), None);
    assert_eq!(disk.metadata(&path).unwrap().len, 0);
    assert_eq!(kind(&CREATE, &path.join("below-a-file")), Some(ErrorKind::NotADirectory));
    assert_eq!(kind(&CREATE, &folder), Some(ErrorKind::IsADirectory));
}

pub(super) async fn names_move_and_go<E: Env>(env: E, root: PathBuf) {
    let (disk, root) = (env.disk(), folder(&env, root));
    let deep = root.join("x/y");
    disk.create_dir_all(&deep).unwrap();
    disk.create_dir_all(&deep).unwrap();
    for name in ["b", "a", "c"] {
        disk.open(&deep.join(name), &CREATE).unwrap().write_all_at(name.as_bytes(), 0).unwrap();
    }
    let names = |folder: &PathBuf| -> Vec<String> {
        disk.read_dir(folder).unwrap().into_iter().map(|entry| entry.name).collect()
    };
    assert_eq!(names(&deep), ["a", "b", "c"]);
    disk.rename(&deep.join("a"), &deep.join("b")).unwrap();
    assert_eq!(names(&deep), ["b", "c"]);
    assert_eq!(disk.read_file(&deep.join("b"), 10).unwrap(), b"a");
    disk.sync_dir(&deep).unwrap();

    let missing = disk.rename(&deep.join("nothing"), &deep.join("z")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    disk.remove_file(&deep.join("c")).unwrap();
    assert_eq!(disk.remove_file(&deep.join("c")).unwrap_err().kind(), ErrorKind::NotFound);

    // A folder moves with what is in it.
    disk.rename(&root.join("x"), &root.join("w")).unwrap();
    assert!(!disk.exists(&deep));
    assert_eq!(disk.read_file(&root.join("w/y/b"), 10).unwrap(), b"a");
    let entries = disk.read_dir(&root).unwrap();
    assert_eq!((entries.len(), entries[0].kind), (1, FileKind::Dir));
    assert_eq!(disk.metadata(&root.join("w")).unwrap().kind, FileKind::Dir);
    disk.remove_dir_all(&root.join("w")).unwrap();
    assert!(names(&root).is_empty());
    let gone = disk.remove_dir_all(&root.join("w")).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(disk.read_dir(&deep).unwrap_err().kind(), ErrorKind::NotFound);
    let (free, total) = disk.space(&root).unwrap();
    assert!(0 < free && free <= total);
}

pub(super) async fn lengths_grow_with_zeroes_and_shrink<E: Env>(env: E, root: PathBuf) {
    let path = folder(&env, root).join("a");
    let file = env.disk().open(&path, &CREATE).unwrap();
    file.write_all_at(&[7; 10_000], 0).unwrap();
    file.set_len(5_000).unwrap();
    assert_eq!(file.len().unwrap(), 5_000);
    file.set_len(9_000).unwrap();
    let mut bytes = vec![1; 9_000];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes[..5_000].iter().all(|byte| *byte == 7));
    assert!(bytes[5_000..].iter().all(|byte| *byte == 0));
}

pub(super) async fn an_allocated_file_is_zeroes<E: Env>(env: E, root: PathBuf) {
    let path = folder(&env, root).join("a");
    let file = env.disk().open(&path, &CREATE).unwrap();
    file.write_all_at(&[7; 100], 0).unwrap();
    file.allocate(3 << 20).unwrap();
    assert_eq!(file.len().unwrap(), 3 << 20);
    let bytes = env.disk().read_file(&path, 3 << 20).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
    file.allocate(4096).unwrap();
    assert_eq!(file.len().unwrap(), 3 << 20, "allocating never shrinks");
}

pub(super) async fn vectored_writes_are_one_after_the_other<E: Env>(env: E, root: PathBuf) {
    let path = folder(&env, root).join("a");
    let file = env.disk().open(&path, &CREATE).unwrap();
    let pieces: Vec<Vec<u8>> = (0..3_000_usize).map(|at| vec![at as u8; at % 7]).collect();
    let slices: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    file.write_all_vectored_at(&slices, 11).unwrap();
    file.write_all_vectored_at(&[], 0).unwrap();
    file.write_all_vectored_at(&[b"", b""], 1 << 30).unwrap();
    let bytes = env.disk().read_file(&path, 1 << 20).unwrap();
    assert_eq!(bytes[..11], [0; 11]);
    assert_eq!(bytes[11..], pieces.concat());
}

pub(super) async fn direct_files_take_aligned_buffers<E: Env>(env: E, root: PathBuf) {
    let path = folder(&env, root).join("a");
    let options = OpenOptions { direct: true, dsync: true, create_new: true, ..CREATE };
    let file = env.disk().open(&path, &options).unwrap();
    file.allocate(64 * 1024).unwrap();
    let mut buffer = AlignedBuffer::zeroed(8192);
    buffer.fill(5);
    file.write_all_at(&buffer, 4096).unwrap();
    file.write_all_vectored_at(&[&buffer[..4096], &buffer[4096..]], 16_384).unwrap();
    buffer.fill(0);
    file.read_exact_at(&mut buffer, 4096).unwrap();
    assert!(buffer.iter().all(|byte| *byte == 5));
    assert_eq!(file.len().unwrap(), 64 * 1024);
}

pub(super) async fn a_lock_is_held_by_one<E: Env>(env: E, root: PathBuf) {
    let path = folder(&env, root).join(".lock");
    let lock = env.disk().lock(&path).unwrap();
    assert!(matches!(env.disk().lock(&path), Err(LockError::Held)));
    drop(lock);
    drop(env.disk().lock(&path).unwrap());
    let nowhere = path.join("below");
    assert!(matches!(env.disk().lock(&nowhere), Err(LockError::Io(_))));
}

pub(super) async fn a_replaced_file_is_whole<E: Env>(env: E, root: PathBuf) {
    let folder = folder(&env, root);
    let path = folder.join("meta.properties");
    for text in ["first, and longer than the second", "second"] {
        env.disk().replace_file(&path, text.as_bytes()).unwrap();
        assert_eq!(env.disk().read_file(&path, 100).unwrap(), text.as_bytes());
    }
    assert_eq!(env.disk().read_dir(&folder).unwrap().len(), 1);
}

pub(super) async fn an_open_file_outlives_its_name<E: Env>(env: E, root: PathBuf) {
    let path = folder(&env, root).join("a");
    let file = env.disk().open(&path, &CREATE).unwrap();
    file.write_all_at(b"old", 0).unwrap();
    env.disk().remove_file(&path).unwrap();
    env.disk().open(&path, &CREATE).unwrap().write_all_at(b"new", 0).unwrap();
    let mut bytes = [0; 3];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"old");
}
