//! Message sets of magic 0 and 1. The first message's CRC is put right, so that damage gets past it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ottla_protocol::records::{BatchOptions, crc32, legacy, verify_crc};

fuzz_target!(|data: &[u8]| {
    let mut set = data.to_vec();
    if let Some(size) = set.get(8..12) {
        let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
        if let Some(body) = set.get(16..12usize.saturating_add(size)) {
            let crc = crc32(body);
            set[12..16].copy_from_slice(&crc.to_be_bytes());
        }
    }
    let set = Bytes::from(set);
    if let Ok(Some(batch)) = legacy::to_batch(&set, BatchOptions::default(), ottla_fuzz::OUTPUT_MAX) {
        assert_eq!(verify_crc(&batch), Ok(()));
    }
});
