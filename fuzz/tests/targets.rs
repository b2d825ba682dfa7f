//! The targets on a stable compiler, without libFuzzer: seeds, and seeds that were mutated by a
//! generator of fixed seed, each within its bound of memory.

use ottla_fuzz::{TARGETS, bound};

/// Mutations of each seed.
const MUTATIONS: usize = 400;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len());
        match chance.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), chance.next() as u8),
            2 => bytes.extend_from_within(at.min(bytes.len())..),
            3 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
            4 if !bytes.is_empty() => bytes[at] = [0, 0x7f, 0x80, 0xff][chance.below(4)],
            _ if !bytes.is_empty() => bytes[at] = chance.next() as u8,
            _ => bytes.push(chance.next() as u8),
        }
        bytes.truncate(4096);
    }
}

#[test]
fn nothing_panics_and_every_bound_holds() {
    for target in TARGETS {
        let mut chance = Chance(1);
        let mut seeds = (target.seeds)();
        seeds.push(Vec::new());
        seeds.push(vec![0; 200]);
        for seed in seeds {
            target.execute(&seed);
            for _ in 0..MUTATIONS {
                let mut bytes = seed.clone();
                mutate(&mut bytes, &mut chance);
                target.execute(&bytes);
            }
        }
    }
}

#[test]
fn every_target_is_a_program_of_libfuzzer() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz_targets");
    let mut programs: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_string))
        .collect();
    programs.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    assert_eq!(programs, names);
}

/// The control: a length that decides an allocation is seen.
#[test]
fn an_allocation_beyond_the_bound_ends_the_process() {
    const CHILD: &str = "FUZZ_ALLOCATES";
    if std::env::var_os(CHILD).is_some() {
        bound::within(10, 1000, || {
            std::hint::black_box(Vec::<u8>::with_capacity(1041));
        });
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(program)
        .args(["--exact", "an_allocation_beyond_the_bound_ends_the_process", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it can be started");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("ALLOCATION: 1041 bytes asked for"), "{said}");
    let mut held = 0;
    bound::within(10, 1000, || held = std::hint::black_box(Vec::<u8>::with_capacity(900)).capacity());
    assert_eq!(held, 900);
}
