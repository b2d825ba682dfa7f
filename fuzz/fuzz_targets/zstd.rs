//! The zstd codec.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_protocol::records::Compression;

fuzz_target!(|data: &[u8]| ottla_fuzz::codec(Compression::Zstd, data));
