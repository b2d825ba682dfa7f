use std::io;

use bytes::Bytes;
use ottla_env::sim::{SimDisk, SimFile};
use ottla_env::{Disk, File, OpenOptions};
use proptest::prelude::*;

use super::{Next, Outgoing};
use crate::api::answer::Part;
use crate::log::FileRange;

/// A range of a file with nothing but this byte in it.
fn in_file(byte: u8, size: usize) -> Part<SimFile> {
    let file = SimDisk::new(1).open("/a".as_ref(), &OpenOptions::read_write_create()).unwrap();
    file.write_all_at(&vec![byte; size + 9], 0).unwrap();
    Part::File(FileRange::of(file, 5, size))
}

proptest! {
    /// Goal: whatever the chunks and however slow the socket, the bytes come out in order and
    /// framed. Method: a socket that takes at most `step` bytes a call and refuses every third
    /// one; compare with plain concatenation.
    #[test]
    fn bytes_come_out_in_order(
        answers in proptest::collection::vec(
            proptest::collection::vec((0_usize..5000, any::<bool>()), 0..5), 1..10),
        step in 1_usize..4000,
    ) {
        let mut outgoing = Outgoing::default();
        let mut expected = Vec::new();
        for (index, sizes) in answers.iter().enumerate() {
            let length: usize = sizes.iter().map(|(size, _)| size).sum();
            expected.extend_from_slice(&(length as i32).to_be_bytes());
            expected.resize(expected.len() + length, index as u8);
            let parts = sizes.iter().map(|(size, is_file)| match is_file {
                true if *size > 0 => in_file(index as u8, *size),
                _ => Part::Bytes(Bytes::from(vec![index as u8; *size])),
            });
            outgoing.push_parts(parts, length);
        }
        prop_assert_eq!(outgoing.bytes(), expected.len());
        let (mut taken, mut calls, mut written) = (Vec::new(), 0, 0);
        while !outgoing.is_empty() {
            written += outgoing
                .flush(|next| {
                    calls += 1;
                    if calls % 3 == 0 {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let all: Vec<u8> = match next {
                        Next::Slices(slices, _) => {
                            slices.iter().flat_map(|slice| slice.to_vec()).collect()
                        }
                        Next::File(range) => range.read().unwrap(),
                    };
                    let count = all.len().min(step);
                    taken.extend_from_slice(&all[..count]);
                    Ok(count)
                })
                .unwrap();
        }
        prop_assert_eq!(written, expected.len());
        prop_assert_eq!(taken, expected);
    }
}
