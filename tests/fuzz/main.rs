//! The fuzz targets without a fuzzer: over what is kept in `corpus`, over seeds, and over changes to both, the same every time.
//!
//! `FUZZ_CHANGES` sets how many changed inputs each target gets. `make fuzz` searches with libFuzzer, from the same seeds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, unreachable_pub)]

#[allow(dead_code)]
#[path = "../naive/mod.rs"]
mod naive;
mod seeds;
#[path = "../support/mod.rs"]
mod support;
mod targets;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use fastrand::Rng;

use self::targets::choices::CHOICES;
use self::targets::memory::Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// One target at a time: they share the counters of the allocator and the files they write.
static TURN: Mutex<()> = Mutex::new(());

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 5] = [
    ("decode", targets::decode::run),
    ("agree", targets::agree::run),
    ("records", targets::records::run),
    ("parquet", targets::parquet::run),
    ("compressed", targets::compressed::run),
];

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

/// Shows the input of a panic, as text that can be made a file of the corpus again.
struct Shown<'a>(&'a str, &'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.1.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("{} fails on {hex}", self.0);
        }
    }
}

fn run(name: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, target) = TARGETS.into_iter().find(|(other, _)| *other == name).unwrap();
    let kept: Vec<_> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
    let pool: Vec<_> = kept.into_iter().chain(seeds::seeds(name)).collect();
    assert!(pool.len() > 50, "{} seeds", pool.len());
    for bytes in &pool {
        let _shown = Shown(name, bytes);
        target(bytes);
    }
    let changes = env::var("FUZZ_CHANGES").ok().and_then(|changes| changes.parse().ok()).unwrap_or(1000);
    let mut random = Rng::with_seed(1);
    for _ in 0..changes {
        let bytes = changed(&pool, &mut random);
        let _shown = Shown(name, &bytes);
        target(&bytes);
    }
}

/// One of the inputs with a few changes.
fn changed(pool: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut bytes = pool[random.usize(..pool.len())].clone();
    bytes.resize(bytes.len().max(CHOICES + 1), 0);
    for _ in 0..random.usize(1..5) {
        // Every other change is one of the choices.
        let end = if random.bool() { CHOICES } else { bytes.len() };
        let at = random.usize(..end);
        match random.u8(0..7) {
            0 => bytes[at] = random.u8(..),
            1 => bytes[at] ^= 1 << random.u8(0..8),
            2 => {
                bytes[at] =
                    *random.choice(&[0, 1, 0x7f, 0x80, 0x90, 0xc0, 0xc1, 0xc4, 0xc6, 0xdd, 0xff]).unwrap()
            }
            3 => bytes.insert(at.max(CHOICES).min(bytes.len()), random.u8(..)),
            4 if bytes.len() > CHOICES + 1 => drop(bytes.remove(at.max(CHOICES).min(bytes.len() - 1))),
            5 if bytes.len() > CHOICES + 1 => bytes.truncate(random.usize(CHOICES + 1..bytes.len())),
            _ => {
                let other = pool[random.usize(..pool.len())].get(CHOICES..).unwrap_or_default();
                let length = other.len().min(64);
                bytes.extend(&other[..length]);
            }
        }
    }
    bytes
}

#[test]
fn decode() {
    run("decode");
}

#[test]
fn agree() {
    run("agree");
}

#[test]
fn records() {
    run("records");
}

#[test]
fn parquet() {
    run("parquet");
}

#[test]
fn compressed() {
    run("compressed");
}

#[test]
fn every_folder_of_the_corpus_has_a_target_and_every_target_a_folder() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut folders: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    assert_eq!(folders, names);
    for name in names {
        assert!(corpus(&name).iter().all(|(path, bytes)| !bytes.is_empty() && path.extension().is_none()));
    }
}

/// Writes the seeds where libFuzzer looks for them: `make fuzz`.
#[test]
#[ignore = "writes files for libFuzzer"]
fn write_seeds() {
    let directory = PathBuf::from(env::var_os("FUZZ_SEEDS").expect("FUZZ_SEEDS names a directory"));
    for (name, _) in TARGETS {
        fs::create_dir_all(directory.join(name)).unwrap();
        for (number, bytes) in seeds::seeds(name).into_iter().enumerate() {
            fs::write(directory.join(name).join(format!("seed-{number:04}")), bytes).unwrap();
        }
    }
}
