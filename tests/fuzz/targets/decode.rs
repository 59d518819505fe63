//! Anything is read with any options: no panic, no array that is not what it says, and no more memory than the input backs.

use vecpack::{Decoder, Input, ReadOptions, Source, Watch, inspect, write_arrow_stream};

use super::choices::Choices;
use super::memory::peak;
use super::reading::{Kind, options, scan, text};

/// What an input of `length` bytes may have allocated at the most: steps, batches under way and what a scan keeps anyway, and
/// so many bytes for each of its own. A byte can become a reject with its words, or a null in each of some columns.
const fn allowance(length: usize) -> usize {
    (8 << 20) + 2048 * length
}

pub fn run(data: &[u8]) {
    let (mut choices, file) = Choices::split(data);
    let options = options(&mut choices);
    let kind = choices.one(&Kind::ALL);
    let inputs = match choices.byte() {
        0..128 => vec![kind.input(file)],
        at => {
            let (first, second) = file.split_at(usize::from(at) % (file.len() + 1));
            vec![kind.input(first), Kind::Bytes.input(second)]
        }
    };
    let (bytes, ()) = peak(|| read(inputs, &options));
    let (decoder_bytes, ()) = peak(|| feed(file, &options));
    let bytes = bytes.max(decoder_bytes);
    assert!(bytes <= allowance(file.len()), "{bytes} bytes for {} with {options:?}", file.len());
}

fn read(inputs: Vec<Input>, options: &ReadOptions) {
    if let Err(error) = inspect(inputs.clone(), options.clone(), true, Watch::default()) {
        text(&error);
    }
    let source = match Source::new(inputs, options.clone()) {
        Ok(source) => source,
        Err(error) => {
            text(&error);
            return;
        }
    };
    let all = scan(&source);
    match source.count_rows() {
        Ok(rows) => assert_eq!((rows, None), (all.rows.num_rows() as u64, all.error)),
        Err(error) => assert_eq!(Some(text(&error)), all.error.clone()),
    }
    let mut ipc = Vec::new();
    if let Err(error) = write_arrow_stream(&source, &mut ipc, Watch::default()) {
        text(&error);
    }
}

/// A push decoder that is given more and more.
fn feed(file: &[u8], options: &ReadOptions) {
    let Ok(mut decoder) = Decoder::new(options.dim.unwrap_or(2), options) else { return };
    let (mut done, mut given) = (0, 0);
    loop {
        given = (given + 7).min(file.len());
        let Ok(taken) = decoder.decode(&file[done..given]) else { return };
        assert!(taken <= given - done);
        done += taken;
        if decoder.is_full() {
            decoder.flush().expect("a batch");
        } else if decoder.is_invalid() || given == file.len() && taken == 0 {
            break;
        }
    }
    if decoder.finish((file.len() - done) as u64).is_ok() {
        decoder.flush().expect("a batch");
    }
}
