//! Streams of bytes between two sockets of one node.

use std::io::{self, ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ottla_env::{Disk, Env, File, Listener, OpenOptions, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::folder;

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A connected pair: who connected, who accepted.
async fn pair<E: Env>(env: &E) -> (E::Stream, E::Stream) {
    let listener = env.listen(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(env.connect(address), listener.accept());
    let (near, (far, peer)) = (near.unwrap(), far.unwrap());
    assert_eq!(near.local_addr().unwrap(), peer);
    assert_eq!(near.peer_addr().unwrap(), address);
    assert_eq!(far.local_addr().unwrap(), address);
    assert_eq!(far.peer_addr().unwrap(), peer);
    (near, far)
}

pub(super) async fn bytes_arrive_in_order_both_ways<E: Env>(env: E, _root: PathBuf) {
    let (near, far) = pair(&env).await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    let (mut reader, mut writer) = far.split();
    let echo = env.spawn("test-echo", async move {
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let (mut reader, mut writer) = near.split();
    let mut received = vec![0; sent.len()];
    let write = async {
        writer.write_all(&sent).await.unwrap();
        writer.flush().await.unwrap();
    };
    let read = async { reader.read_exact(&mut received).await.unwrap() };
    tokio::join!(write, read);
    assert!(received == sent);
    drop(writer);
    assert_eq!(reader.read(&mut received).await.unwrap(), 0);
    echo.await.unwrap();
}

pub(super) async fn a_closed_port_refuses<E: Env>(env: E, _root: PathBuf) {
    let listener = env.listen(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert_ne!(address.port(), 0);
    drop(listener);
    let error = env.connect(address).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

pub(super) async fn a_taken_port_is_in_use<E: Env>(env: E, _root: PathBuf) {
    let listener = env.listen(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = env.listen(address).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(listener);
    env.listen(address).await.unwrap();
}

pub(super) async fn a_slow_reader_holds_the_writer_back<E: Env>(env: E, _root: PathBuf) {
    let (mut near, mut far) = pair(&env).await;
    let total = 64 << 20;
    let write = async { near.write_all(&vec![1; total]).await.unwrap() };
    let early = env.timeout(Duration::from_millis(200), write).await;
    assert!(early.is_err(), "64 MiB fit no buffer");
    drop(near);
    let mut count = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match far.read(&mut buffer).await.unwrap() {
            0 => break,
            read => count += read,
        }
    }
    assert!(0 < count && count < total);
}

pub(super) async fn the_end_of_one_direction_leaves_the_other<E: Env>(env: E, _root: PathBuf) {
    let (near, far) = pair(&env).await;
    let (mut near_reader, mut near_writer) = near.split();
    let (mut far_reader, mut far_writer) = far.split();
    near_writer.write_all(b"ask").await.unwrap();
    near_writer.shutdown().await.unwrap();
    let mut asked = Vec::new();
    far_reader.read_to_end(&mut asked).await.unwrap();
    assert_eq!(asked, b"ask");
    far_writer.write_all(b"answer").await.unwrap();
    drop((far_writer, far_reader));
    let mut answered = Vec::new();
    near_reader.read_to_end(&mut answered).await.unwrap();
    assert_eq!(answered, b"answer");
}

pub(super) async fn a_dropped_peer_ends_the_stream<E: Env>(env: E, _root: PathBuf) {
    let (mut near, far) = pair(&env).await;
    drop(far);
    assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    let write = async {
        loop {
            near.write_all(&[0; 1024]).await?;
        }
    };
    let error: io::Result<()> = write.await;
    let kind = error.unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind:?}");
}

pub(super) async fn readiness_and_tries_agree<E: Env>(env: E, _root: PathBuf) {
    let (near, far) = pair(&env).await;
    let mut buffer = [0; 64];
    assert_eq!(far.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    near.writable().await.unwrap();
    let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
    let sent = near.try_write_vectored(&slices).unwrap();
    assert!((1..=5).contains(&sent));
    let mut got = Vec::new();
    while got.len() < sent {
        far.readable().await.unwrap();
        match far.try_read(&mut buffer) {
            Ok(count) => got.extend_from_slice(&buffer[..count]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert_eq!(got, b"abcde"[..sent]);

    // Until nothing fits.
    let full = loop {
        match near.try_write_vectored(&[IoSlice::new(&[0; 65_536])]) {
            Ok(count) => assert!(count > 0),
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(full, ErrorKind::WouldBlock);
    let waiting = env.timeout(Duration::from_millis(20), near.writable()).await;
    if waiting.is_ok() {
        // The kernel may have moved bytes on meanwhile; then a write fits.
        let _ = near.try_write_vectored(&[IoSlice::new(&[0])]);
    }
    drop(near);
    let mut far = far;
    while far.read(&mut buffer).await.unwrap() > 0 {}
}

pub(super) async fn names_resolve<E: Env>(env: E, _root: PathBuf) {
    let literal = env.resolve("127.0.0.1", 9092).await.unwrap();
    assert_eq!(literal, [SocketAddr::from((Ipv4Addr::LOCALHOST, 9092))]);
    let named = env.resolve("localhost", 9092).await.unwrap();
    assert!(named.iter().all(|address| address.ip().is_loopback() && address.port() == 9092));
    assert!(!named.is_empty());
}

/// Goal: a file's range arrives as it is, beginnings that say "more follows" in front of it, and the
/// end of the file is told as such.
pub(super) async fn files_are_sent<E: Env>(env: E, root: PathBuf) {
    let (near, far) = pair(&env).await;
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let path = folder(&env, root).join("sent");
    let file = env.disk().open(&path, &OpenOptions::read_write_create()).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    let (from, len) = (1001_usize, 1_000_000_usize);
    let received = async {
        let mut far = far;
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        got
    };
    let sent = async {
        near.writable().await.unwrap();
        let mut head = 0;
        while head < 4 {
            let rest = [IoSlice::new(&b"head"[head..])];
            head += near.try_write_vectored_more(&rest).unwrap();
        }
        let mut done = 0;
        while done < len {
            match near.try_send_file(&file, (from + done) as u64, len - done) {
                Ok(count) => {
                    assert!((1..=len - done).contains(&count));
                    done += count;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    near.writable().await.unwrap();
                }
            }
        }
        near.writable().await.unwrap();
        assert_eq!(near.try_send_file(&file, bytes.len() as u64, 1).unwrap(), 0);
        drop(near);
    };
    let (got, ()) = tokio::join!(received, sent);
    assert_eq!(&got[..4], b"head");
    assert!(got[4..] == bytes[from..from + len]);
}
