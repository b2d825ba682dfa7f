//! Buffers: alignment, publication, views that outlive the writer.

use proptest::prelude::*;

use super::*;

#[test]
fn memory_is_aligned_zeroed_and_rounded_up() {
    for len in [0, 1, 4095, 4096, 4097, 1 << 20] {
        let buffer = AlignedBuffer::zeroed(len);
        assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
        assert_eq!(buffer.len() % ALIGNMENT, 0);
        assert!(buffer.len() >= len.max(1));
        assert!(buffer.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_full_buffer_refuses_and_stays_whole() {
    let (mut writer, reader) = SharedBuffer::new(ALIGNMENT);
    assert_eq!(writer.append(&[7; 4000]), Ok(0));
    assert_eq!(writer.append(&[8; 97]), Err(BufferFull));
    assert_eq!(writer.append(&[8; 96]), Ok(4000));
    assert_eq!(writer.remaining(), 0);
    assert_eq!(reader.as_written(3999..4001), &[7, 8]);
}

#[test]
fn recycling_waits_for_the_last_view() {
    let (mut writer, reader) = SharedBuffer::new(ALIGNMENT);
    writer.append(b"kept").unwrap();
    let view = reader.slice(0..4);
    drop(reader);
    assert!(writer.recycle().is_none());
    assert_eq!(&view[..], b"kept");

    let (mut writer, reader) = SharedBuffer::new(ALIGNMENT);
    writer.append(b"gone").unwrap();
    drop(reader);
    let writer = writer.recycle().unwrap();
    assert_eq!(writer.published(), 0);
}

#[test]
#[should_panic(expected = "only what is written")]
fn what_is_not_written_cannot_be_read() {
    let (_writer, reader) = SharedBuffer::new(ALIGNMENT);
    let _ = reader.slice(0..1);
}

#[test]
fn a_hole_is_filled_once_and_read_then() {
    let (mut writer, reader) = SharedBuffer::new(ALIGNMENT);
    writer.append(b"before").unwrap();
    let hole = writer.reserve().unwrap();
    let after = writer.append(b"after").unwrap();
    assert_eq!(after, 6 + HOLE_BYTES);
    assert_eq!(&reader.slice(0..6)[..], b"before");
    assert_eq!(reader.as_written(after..after + 5), b"after");
    writer.fill(hole, &[9; HOLE_BYTES]);
    assert_eq!(reader.as_written(5..after + 1)[..2], [b'e', 9]);
    let _next = writer.reserve().unwrap();
}

#[test]
#[should_panic(expected = "a hole is read only when it is filled")]
fn an_open_hole_cannot_be_read() {
    let (mut writer, reader) = SharedBuffer::new(ALIGNMENT);
    let _hole = writer.reserve().unwrap();
    writer.append(b"after").unwrap();
    let _ = reader.slice(HOLE_BYTES - 1..HOLE_BYTES + 1);
}

#[test]
fn readers_on_other_threads_see_whole_appends() {
    let (mut writer, reader) = SharedBuffer::new(1 << 20);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let reader = reader.clone();
            scope.spawn(move || {
                loop {
                    let published = reader.published();
                    let bytes = reader.as_written(0..published);
                    assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == (at / 1024) as u8));
                    if published == 1 << 20 {
                        break;
                    }
                }
            });
        }
        for step in 0..1024 {
            writer.append(&[step as u8; 1024]).unwrap();
        }
    });
}

proptest! {
    #[test]
    fn views_equal_what_was_appended(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..40),
    ) {
        let (mut writer, reader) = SharedBuffer::new(16 * 1024);
        let mut views = Vec::new();
        for piece in &pieces {
            let position = writer.append(piece).unwrap();
            views.push(reader.slice(position..position + piece.len()));
        }
        drop((writer, reader));
        for (piece, view) in pieces.iter().zip(&views) {
            prop_assert_eq!(&piece[..], &view[..]);
        }
    }
}
