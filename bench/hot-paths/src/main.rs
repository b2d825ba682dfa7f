//! Runs one hot path so many times, for callgrind to count: `cargo xtask instructions`.
//!
//! The broker is the real one, on a machine made from a fixed seed and on one thread, so the same
//! code costs the same instructions. What the simulated network and disk cost is in the figures; it
//! does not change unless they do.

mod codec;
mod served;

use std::process::ExitCode;

/// A path and what runs it so many times.
type Path = (&'static str, fn(u32));

const PATHS: [Path; 7] = [
    ("decode_produce", codec::decode_produce),
    ("decode_fetch", codec::decode_fetch),
    ("encode_fetch", codec::encode_fetch),
    ("produce_1k", served::produce_1k),
    ("produce_100x1k", served::produce_100x1k),
    ("fetch_64k", served::fetch_64k),
    ("metadata_1000", served::metadata_1000),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|word| word == "list") {
        PATHS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let path = args.first().and_then(|name| PATHS.iter().find(|path| path.0 == name));
    let count = args.get(1).and_then(|word| word.parse().ok());
    if let (Some((_, run)), Some(count)) = (path, count) {
        run(count);
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: hot-paths list | PATH COUNT");
    ExitCode::FAILURE
}
