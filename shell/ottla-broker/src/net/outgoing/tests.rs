use std::io;

use bytes::Bytes;
use proptest::prelude::*;

use super::Outgoing;

proptest! {
    /// Goal: whatever the chunks and however slow the socket, the bytes come out in order and
    /// framed. Method: a socket that takes at most `step` bytes a call and refuses every third
    /// one; compare with plain concatenation.
    #[test]
    fn bytes_come_out_in_order(
        answers in proptest::collection::vec(
            proptest::collection::vec(0_usize..5000, 0..5), 1..10),
        step in 1_usize..4000,
    ) {
        let mut outgoing = Outgoing::default();
        let mut expected = Vec::new();
        for (index, sizes) in answers.iter().enumerate() {
            let chunks: Vec<Bytes> =
                sizes.iter().map(|size| Bytes::from(vec![index as u8; *size])).collect();
            let length: usize = sizes.iter().sum();
            expected.extend_from_slice(&(length as i32).to_be_bytes());
            chunks.iter().for_each(|chunk| expected.extend_from_slice(chunk));
            outgoing.push(chunks, length);
        }
        prop_assert_eq!(outgoing.bytes(), expected.len());
        let (mut taken, mut calls, mut written) = (Vec::new(), 0, 0);
        while !outgoing.is_empty() {
            written += outgoing
                .flush(|slices| {
                    calls += 1;
                    if calls % 3 == 0 {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
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
