//! Inputs to begin with: every marker, what producers write, whole and cut, and any choices.

use std::fs;
use std::path::Path;

use fastrand::Rng;

use super::targets::choices::CHOICES;
use super::targets::compressed::Codec;
use super::targets::writing::Way;

/// Seeds for the target of this name.
pub(super) fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(1);
    let mut seeds = Vec::new();
    if name == "records" || name == "parquet" {
        // What is in the files is made of the choices.
        for number in 0..300 {
            let values: Vec<u8> = (0..64).map(|_| random.u8(..)).collect();
            let mut seed = choices(&mut random, 200);
            if number % 3 == 0 {
                seed[..12].fill(0);
                seed[number / 3 % 12] = number as u8;
            }
            seeds.push([seed, values].concat());
        }
        return seeds;
    }
    for (number, file) in files().into_iter().enumerate() {
        let share = [0, 60, 200][number % 3];
        seeds.push([choices(&mut random, share), file].concat());
    }
    if name == "compressed" {
        let plain: Vec<u8> = (0..20).flat_map(|_| Way::Bin8.write(&[1.0, 2.0])).collect();
        for codec in [Codec::Zstd, Codec::Gzip, Codec::Lz4] {
            let mut file = vec![0; CHOICES];
            codec.compress(&plain, &mut file);
            codec.compress(&plain, &mut file);
            seeds.push(file);
        }
        for which in 1..4 {
            for _ in 0..20 {
                let mut seed = choices(&mut random, 60);
                seed[0] = which;
                seeds.push([seed, plain.clone()].concat());
            }
        }
    }
    seeds
}

/// Choices of which so many of 256 are any, and the others the first.
fn choices(random: &mut Rng, share: u8) -> Vec<u8> {
    let choice = |_| if random.u8(..) < share { random.u8(..) } else { 0 };
    (0..CHOICES).map(choice).collect()
}

/// Small files.
fn files() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = Vec::new();
    // Every marker alone, with what it needs, with all that it can claim, and in an array behind a good vector.
    for marker in 0..=255u8 {
        files.push(vec![marker]);
        files.push([vec![marker], vec![0; 20]].concat());
        files.push([vec![marker], vec![0xff; 9]].concat());
        files.push([&[0x92, 0xc4, 4, 0, 0, 0x80, 0x3f, marker][..], &[1; 18]].concat());
    }
    for way in Way::ALL {
        let records = [way.write(&[1.0, -2.0]), way.write(&[3.0, 0.0]), way.write(&[4.0])].concat();
        for end in (0..=records.len()).step_by(7).chain([records.len()]) {
            files.push(records[..end].to_vec());
        }
    }
    let producers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/producers");
    let mut paths: Vec<_> = fs::read_dir(producers).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "msgpack")) {
        let bytes = fs::read(path).unwrap();
        if bytes.len() <= 4096 {
            files.push(bytes[..bytes.len() * 2 / 3].to_vec());
            files.push(bytes);
        }
    }
    files
}
