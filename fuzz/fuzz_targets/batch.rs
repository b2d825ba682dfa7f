//! Record batches: header, codec, records, headers, control records.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ottla_protocol::records::{batches, control, records, verify_crc};

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    for item in batches(&bytes) {
        let Ok((header, batch)) = item else { return };
        let _ = verify_crc(&batch);
        let _ = control::first_of(&header, &batch);
        assert_eq!(&header.to_bytes()[..], &batch[..61]);
        let Ok(found) = records(&header, &batch, ottla_fuzz::OUTPUT_MAX) else { continue };
        for record in found {
            let _ = record.map(|record| control::ControlRecord::parse(&record));
        }
    }
});
