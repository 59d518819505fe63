//! One example of every encoding, whole and cut off anywhere; what is refused; and templates, which need examples as well.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::msgpack::{Skipped, Skipper};
use crate::vector::Template;

fn bin(bytes: &[u8]) -> Vec<u8> {
    [&[0xc4, bytes.len() as u8], bytes].concat()
}

/// Bytes in a str, as files from before 2013 have them.
fn raw(bytes: &[u8]) -> Vec<u8> {
    [&[0xd9, bytes.len() as u8], bytes].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&[0xa0 + text.len() as u8], text.as_bytes()].concat()
}

fn ext(code: u8, inside: &[u8]) -> Vec<u8> {
    [&[0xc7, inside.len() as u8, code], inside].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [vec![0x90 + items.len() as u8], items.concat()].concat()
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    map_with(string, pairs)
}

fn map_with(key: fn(&str) -> Vec<u8>, pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| [key(name), value.clone()].concat()).collect();
    [vec![0x80 + pairs.len() as u8], pairs.concat()].concat()
}

fn shape(dims: &[u8]) -> Vec<u8> {
    [&[0x90 + dims.len() as u8], dims].concat()
}

fn yes() -> Vec<u8> {
    vec![0xc3]
}

fn little(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn big(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// MessagePack's float32, one after another.
fn singles(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| [vec![0xca], number.to_be_bytes().into()].concat()).collect()
}

fn doubles(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|&number| [vec![0xcb], f64::from(number).to_be_bytes().into()].concat()).collect()
}

fn packed<'a>(raw: &str, bytes: Vec<u8>) -> Elements<'a> {
    Elements::new(Format::Packed(raw.parse().unwrap()), bytes)
}

fn vector<'a>(encoding: Encoding, dim: usize, elements: Elements<'a>) -> Encoded<'a> {
    Encoded { encoding, elements, rows: 1, outer: Vec::new(), dim, is_scalar: false }
}

fn matrix<'a>(encoding: Encoding, elements: Elements<'a>) -> Encoded<'a> {
    Encoded { rows: 2, outer: vec![2], ..vector(encoding, 3, elements) }
}

fn single_number<'a>(encoding: Encoding, elements: Elements<'a>) -> Encoded<'a> {
    Encoded { is_scalar: true, ..vector(encoding, 1, elements) }
}

/// msgpack-numpy's map, but for its keys and what holds its data.
fn msgpack_numpy(dtype: &str, dims: &[u8], data: Vec<u8>) -> [(&'static str, Vec<u8>); 5] {
    [("nd", yes()), ("type", string(dtype)), ("kind", bin(b"")), ("shape", shape(dims)), ("data", data)]
}

fn flax(dims: &[u8], dtype: &str, data: &[u8]) -> Vec<u8> {
    ext(1, &array(&[shape(dims), string(dtype), bin(data)]))
}

fn blit(code: u8, is_little: u8, data: &[u8]) -> Vec<u8> {
    ext(code, &[&[data.len() as u8, is_little], data].concat())
}

/// A `.npy` file, as a version of its format has it.
fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes(), data].concat()
}

/// Records with six numbers, or some of them, and what is to be seen in them.
fn examples(numbers: [f32; 6]) -> Vec<(&'static str, Vec<u8>, Encoded<'static>)> {
    use Encoding as E;
    let (f4, f4_big) = (little(&numbers), big(&numbers));
    let le = |encoding| vector(encoding, 6, packed("<f4", f4.clone()));
    let halves = [f4[..12].to_vec(), f4[12..].to_vec()];
    let marked = |encoding| vector(encoding, 6, Elements::new(Format::Float32, singles(&numbers)));
    let mixed: &'static [u8] =
        [singles(&numbers[..1]), vec![7, 0xff, 0xcd, 1, 0], doubles(&numbers[1..2]), singles(&numbers[2..3])]
            .concat()
            .leak();
    let whole: &'static [u8] = [&[1], &singles(&numbers[..1])[..], &[2, 3, 0xfe, 5]].concat().leak();
    vec![
        ("bytes", bin(&f4), le(E::Bytes)),
        ("raw", raw(&f4), le(E::Raw)),
        ("float32 array", [vec![0x96], singles(&numbers)].concat(), marked(E::Numbers)),
        (
            "float64 array",
            [vec![0xdc, 0, 6], doubles(&numbers)].concat(),
            vector(E::Numbers, 6, Elements::new(Format::Float64, doubles(&numbers))),
        ),
        (
            "mixed array",
            [&[0x96], mixed].concat(),
            vector(E::Numbers, 6, Elements::new(Format::Numbers, mixed)),
        ),
        (
            "small integers around a float",
            [&[0x96], whole].concat(),
            vector(E::Numbers, 6, Elements::new(Format::Numbers, whole)),
        ),
        ("no elements", vec![0x90], vector(E::Numbers, 0, Elements::new(Format::Numbers, &[][..]))),
        (
            "msgpack-numpy, keys of bytes",
            map_with(|key| bin(key.as_bytes()), &msgpack_numpy("<f4", &[6], bin(&f4))),
            le(E::MsgpackNumpy),
        ),
        (
            "msgpack-numpy, keys of text",
            map(&msgpack_numpy(">f4", &[6], raw(&f4_big))),
            vector(E::MsgpackNumpy, 6, packed(">f4", f4_big.clone())),
        ),
        (
            "msgpack-numpy without kind",
            map(&[("nd", yes()), ("type", string("<f4")), ("shape", shape(&[6])), ("data", raw(&f4))]),
            le(E::MsgpackNumpy),
        ),
        (
            "msgpack-numpy, a matrix",
            map(&msgpack_numpy("<f4", &[2, 3], bin(&f4))),
            matrix(E::MsgpackNumpy, packed("<f4", f4.clone())),
        ),
        (
            "msgpack-numpy, a matrix of one row",
            map(&msgpack_numpy("<f4", &[1, 1, 6], bin(&f4))),
            le(E::MsgpackNumpy),
        ),
        (
            "msgpack-numpy, a number",
            map(&[("nd", vec![0xc2]), ("type", string("<f4")), ("data", bin(&f4[..4]))]),
            single_number(E::MsgpackNumpy, packed("<f4", f4[..4].to_vec())),
        ),
        (
            "__ndarray__, its data first",
            map(&[
                ("__ndarray__", yes()),
                ("data", bin(&f4)),
                ("dtype", string("<f4")),
                ("shape", shape(&[6])),
            ]),
            le(E::Ndarray),
        ),
        (
            "__npgeneric__",
            map(&[("__npgeneric__", yes()), ("data", doubles(&numbers[..1])), ("dtype", string("<f8"))]),
            single_number(E::Ndarray, packed("<f8", f64::from(numbers[0]).to_le_bytes().to_vec())),
        ),
        ("flax", flax(&[6], "float32", &f4), le(E::Flax)),
        (
            "flax, a matrix",
            flax(&[2, 3], "bfloat16", &f4[..12]),
            matrix(E::Flax, packed("bf16", f4[..12].to_vec())),
        ),
        (
            "flax, a number",
            ext(3, &array(&[shape(&[]), string("float32"), bin(&f4[..4])])),
            single_number(E::Flax, packed("<f4", f4[..4].to_vec())),
        ),
        (
            "extension 1 with a map",
            ext(1, &map(&[("data", bin(&f4)), ("dtype", string("<f4")), ("shape", shape(&[6]))])),
            le(E::Ndarray),
        ),
        (
            "flax in chunks",
            map(&[
                ("__msgpack_chunked_array__", yes()),
                ("shape", map(&[("0", vec![2]), ("1", vec![3])])),
                (
                    "chunks",
                    map(&[
                        ("0", flax(&[3], "float32", &halves[0])),
                        ("1", flax(&[3], "float32", &halves[1])),
                    ]),
                ),
            ]),
            matrix(E::Flax, packed("<f4", f4.clone())),
        ),
        ("typed array", ext(0x74, &[&[7], &f4[..]].concat()), le(E::TypedArray)),
        ("blit of int32", blit(37, 0xc3, &f4), vector(E::Blit, 6, packed("<i4", f4.clone()))),
        ("blit of float32", blit(38, 0xc3, &f4), le(E::Blit)),
        (
            "blit of float32, big-endian",
            blit(38, 0xc2, &f4_big),
            vector(E::Blit, 6, packed(">f4", f4_big.clone())),
        ),
        ("blit of float64", blit(39, 0xc3, &f4), vector(E::Blit, 3, packed("<f8", f4.clone()))),
        ("blit of float64, big-endian", blit(39, 0xc2, &f4), vector(E::Blit, 3, packed(">f8", f4.clone()))),
        ("aligned", ext(0, &[&[3, 0, 0], &f4[..]].concat()), le(E::Aligned)),
        ("vLLM", array(&[string("<f4"), shape(&[6]), ext(3, &f4)]), le(E::Tuple)),
        (
            "vLLM, a matrix",
            array(&[string("torch.float32"), shape(&[2, 3]), bin(&f4)]),
            matrix(E::Tuple, packed("<f4", f4.clone())),
        ),
        (
            "Rust ndarray",
            array(&[vec![1], shape(&[6]), [vec![0x96], singles(&numbers)].concat()]),
            marked(E::RustNdarray),
        ),
        (
            "Rust ndarray, a matrix",
            array(&[vec![1], shape(&[2, 3]), [&[0x96], mixed].concat()]),
            matrix(E::RustNdarray, Elements::new(Format::Numbers, mixed)),
        ),
        (
            "numcodecs",
            [vec![0x98], singles(&numbers), string("<f4"), shape(&[6])].concat(),
            marked(E::Numcodecs),
        ),
        (
            ".npy",
            bin(&npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }     \n", &f4)),
            le(E::Npy),
        ),
        (
            ".npy of Python 2, in raw",
            raw(&npy(2, "{'shape': (1L, 6L), 'fortran_order': True, 'descr': '>f4'}", &f4_big)),
            vector(E::Npy, 6, packed(">f4", f4_big.clone())),
        ),
        (
            ".npy of a matrix, in quotes of another kind",
            bin(&npy(3, r#"{"descr":"<i2","fortran_order":False,"shape":(2,3)}"#, &f4[..12])),
            matrix(E::Npy, packed("<i2", f4[..12].to_vec())),
        ),
        (
            ".npy of a number",
            bin(&npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", &f4[..4])),
            single_number(E::Npy, packed("<f4", f4[..4].to_vec())),
        ),
    ]
}

const NUMBERS: [f32; 6] = [1.5, -2.0, 0.25, 3e8, -0.0, 1e-40];

/// Reads `record` with one object before it and `behind` after it; gives what was seen, and the bytes stepped over.
fn read_between(record: &[u8], behind: &[u8]) -> (Result<Seen<'static>, Broken>, usize) {
    let bytes: &'static [u8] = [&[0xc0], record, behind].concat().leak();
    let mut cursor = Cursor::new(bytes);
    cursor.head().unwrap();
    let seen = read(&mut cursor, RawDtype::default().into());
    (seen, cursor.at() - 1)
}

#[test]
fn every_encoding_is_seen_and_stepped_over() {
    for (name, record, expected) in examples(NUMBERS) {
        for behind in [&[][..], &[0xc1, 0xdf], &record] {
            let (seen, taken) = read_between(&record, behind);
            assert_eq!(seen, Ok(Seen::Vector(expected.clone())), "{name}");
            assert_eq!(taken, record.len(), "{name}");
        }
        assert!(expected.is_whole(), "{name}");
    }
}

#[test]
fn of_a_record_that_is_cut_off_more_is_wanted_and_never_too_much() {
    for (name, record, _) in examples(NUMBERS) {
        for cut in 0..record.len() {
            let (seen, taken) = read_between(&record[..cut], &[]);
            let (have, whole) = (1 + cut as u64, 1 + record.len() as u64);
            let is_right = matches!(seen, Err(Broken::Short(needed)) if have < needed && needed <= whole);
            assert!(is_right, "{name} cut at {cut} of {}: {seen:?}", record.len());
            assert_eq!(taken, 0, "{name} cut at {cut}");
        }
    }
}

#[test]
fn every_kind_of_typed_array_is_read() {
    let codes = ["|i1", "|u1", "|u1", "<i2", "<u2", "<i4", "<u4", "<f4", "<f8", "<i8", "<u8"];
    for (code, raw) in (0..).zip(codes) {
        let dim = 16 / raw.parse::<RawDtype>().unwrap().size();
        let (seen, _) = read_between(&ext(0x74, &[&[code], &[1; 16][..]].concat()), &[]);
        let expected = vector(Encoding::TypedArray, dim, packed(raw, vec![1; 16]));
        assert_eq!(seen, Ok(Seen::Vector(expected)), "{code}");
    }
    let (unknown, _) = read_between(&ext(0x74, &[11, 0, 0, 0, 0]), &[]);
    assert_eq!(unknown, Ok(Seen::Other(Head::Ext(0x74, 5))));
}

#[test]
fn bytes_are_what_they_are_told_to_be_and_those_over_show() {
    let record = bin(&[0; 15]);
    for (raw, dim, is_whole) in [("<f4", 3, false), (">f8", 1, false), ("|i1", 15, true)] {
        let raw: RawDtype = raw.parse().unwrap();
        let Ok(Seen::Vector(encoded)) = read(&mut Cursor::new(&record), raw.into()) else {
            unreachable!("bytes")
        };
        assert_eq!((encoded.dim, encoded.is_whole()), (dim, is_whole), "{raw}");
        assert_eq!(encoded.elements.format, Format::Packed(raw));
        assert_eq!(encoded.describe(), "15 bytes");
    }
}

#[test]
fn numbers_that_are_bytes_are_seen_as_such() {
    let bytes = |record: &[u8]| match read_between(record, &[]).0 {
        Ok(Seen::Vector(encoded)) => encoded.as_byte_values(),
        _ => None,
    };
    assert_eq!(bytes(&[0x94, 0, 0x7f, 0xcc, 0xff, 0xd1, 0, 0x80]), Some(vec![0, 127, 255, 128]));
    assert_eq!(bytes(&[0x92, 0, 0xff]), None); // -1
    assert_eq!(bytes(&[0x92, 0, 0xcd, 1, 0]), None); // 256
    assert_eq!(bytes(&[vec![0x92, 0], singles(&[1.0])].concat()), None);
}

#[test]
fn rows_of_a_matrix_follow_one_another() {
    for (name, _, encoded) in examples(NUMBERS).into_iter().filter(|(.., encoded)| encoded.rows == 2) {
        let rows: Vec<_> = encoded.rows_from(0, 1).collect();
        assert_eq!(rows.len(), 2, "{name}");
        let bytes: Vec<_> =
            rows.iter().map(|row| Encoded { elements: row.clone(), ..encoded.clone() }).collect();
        assert_eq!([bytes[0].bytes(), bytes[1].bytes()].concat(), encoded.bytes(), "{name}");
        match rows[0].format.size() {
            Some(size) => assert_eq!(rows[0].bytes.len(), 3 * size, "{name}"),
            None => assert_eq!(rows[0].bytes, [&singles(&NUMBERS[..1])[..], &[7, 0xff]].concat(), "{name}"),
        }
        assert_eq!(encoded.rows_from(1, 1).collect::<Vec<_>>(), rows[1..], "{name}");
        assert_eq!(encoded.rows_from(2, 1).count(), 0, "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_called_by_its_name() {
    let f4 = little(&NUMBERS);
    let numpy = |kind: &str, dtype: Vec<u8>| {
        map(&[
            ("nd", yes()),
            ("type", dtype),
            ("kind", bin(kind.as_bytes())),
            ("shape", shape(&[1])),
            ("data", bin(b"")),
        ])
    };
    let fields = array(&[array(&[string("x"), string("<f4")])]);
    let shaped = |dims: &[u8]| map(&msgpack_numpy("<f4", dims, bin(&f4)));
    let chunks = |dims: Vec<u8>, chunks: &[(&str, Vec<u8>)]| {
        map(&[("__msgpack_chunked_array__", yes()), ("shape", dims), ("chunks", map(chunks))])
    };
    let dims = map(&[("0", vec![6])]);
    let (first, second) = (flax(&[3], "float32", &f4[..12]), flax(&[3], "int32", &f4[12..]));
    let refused = [
        (numpy("O", string("|O")), "pickle"),
        (numpy("", string("object")), "pickle"),
        (
            map(&[
                ("__ndarray__", yes()),
                ("data", bin(b"")),
                ("dtype", string("|O")),
                ("shape", shape(&[1])),
            ]),
            "pickle",
        ),
        (map(&[("complex", yes()), ("data", string("(1+2j)"))]), "complex numbers"),
        (numpy("", string("<c8")), "complex numbers"),
        (ext(2, &[0x92, 1, 2]), "complex numbers"),
        (flax(&[1], "complex64", &f4[..8]), "complex numbers"),
        (array(&[string("<c16"), shape(&[1]), ext(3, &[0; 16])]), "complex numbers"),
        (numpy("V", fields.clone()), "structured"),
        (numpy("", fields), "structured"),
        (numpy("", string("<M8[ns]")), "`<M8[ns]`"),
        (shaped(&[5]), "24 bytes of data for an array of (5,) <f4"),
        (shaped(&[0, 6]), "an array of shape (0, 6)"),
        (array(&[string("<f4"), shape(&[6]), vec![5]]), "another buffer"),
        (
            [vec![0x98], singles(&NUMBERS), string("<f4"), shape(&[2, 3])].concat(),
            "numcodecs array of shape (2, 3)",
        ),
        ([vec![0x98], singles(&NUMBERS), string("|O"), shape(&[6])].concat(), "pickle"),
        (ext(99, &[0xd2, 0, 0, 0, 9, 0x10]), "LZ4"),
        (array(&[ext(98, &[0xd2, 0, 0, 0, 9]), bin(b"block")]), "LZ4"),
        (vec![0xd4, b'r', 0x40], "useRecords: false"),
        (vec![0xd6, b'b', 0, 0, 0, 9], "bundleStrings: false"),
        (blit(30, 0xc3, &[0; 12]), "Unity structs (extension 30)"),
        (ext(38, &[5, 0xc3, 0, 0, 0, 0]), "4 bytes of data where 5 are announced"),
        (chunks(dims.clone(), &[("0", first.clone())]), "12 bytes of data"),
        (chunks(dims.clone(), &[("0", first.clone()), ("1", second)]), "chunks"),
        (chunks(dims.clone(), &[("0", yes())]), "chunks"),
        (chunks(dims.clone(), &[]), "chunks"),
        (chunks(vec![6], &[("0", first.clone())]), "chunks"),
        (chunks(map(&[("0", yes())]), &[("0", first)]), "chunks"),
        (bin(b"\x93NUMPY"), "header"),
        (bin(&npy(4, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", &f4)), "header"),
        (bin(&npy(1, "", &f4)), "header"),
        (bin(&npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,-1)}", &f4)), "header"),
        (bin(&npy(1, "{'descr': '<f4', 'fortran_order': False}", &f4)), "header"),
        (bin(&npy(1, "{'descr': '<f4, 'fortran_order': False, 'shape': (6,)}", &f4)), "`<f4, `"),
        (bin(&npy(1, "{'descr': '\u{fc}', 'fortran_order': False, 'shape': (6,)}", &f4)), "`\u{fc}`"),
        (bin(&npy(1, "{'descr': \u{fc}", &f4)), "header"),
        (bin(&[&npy(2, "{}", &[])[..8], &[0xff; 4]].concat()), "header"),
        (bin(&npy(1, "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"pickle")), "pickle"),
        (
            bin(&npy(1, "{'descr': [('shape', '<f4')], 'fortran_order': False, 'shape': (6,), }", &f4)),
            "structured",
        ),
        (bin(&npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", &f4)), "Fortran"),
        (
            bin(&npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", &f4)),
            "24 bytes of data for an array of (5,) <f4",
        ),
    ];
    // These are no rows, and columns of tensors take them.
    for (dims, outer) in [([1u8, 2, 3], [1usize, 2]), ([2, 3, 1], [2, 3])] {
        let record = shaped(&dims);
        let Ok(Seen::Vector(encoded)) = read_between(&record, &[0xc0]).0 else { unreachable!("an array") };
        assert_eq!((&encoded.outer[..], encoded.dim), (&outer[..], usize::from(dims[2])));
        assert_eq!(encoded.describe(), format!("an array of shape ({}, {}, {})", dims[0], dims[1], dims[2]));
        let parts: Vec<_> = encoded.parts().map(|part| part.bytes().to_vec()).collect();
        assert_eq!((parts.len(), parts.concat()), (outer[0], f4.clone()));
    }
    for (record, words) in refused {
        let (seen, taken) = read_between(&record, &[0xc0]);
        let is_named = matches!(&seen, Ok(Seen::Refused(what)) if what.contains(words));
        assert!(is_named, "{record:02x?}: {seen:?} and not {words}");
        assert_eq!(taken, 0, "{words}");
    }
}

#[test]
fn what_is_no_vector_stays_unread() {
    let f4 = little(&NUMBERS);
    let dtype = string("<f4");
    let others = [
        vec![0xc0],
        vec![0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![0x80],
        map(&[("nd", yes())]),
        map(&[("id", vec![1]), ("vector", bin(&f4))]),
        map(&[("type", dtype.clone()), ("data", bin(&f4))]),
        map(&[("type", string("cat")), ("shape", shape(&[6])), ("data", bin(&f4))]),
        map(&[("nd", string("north")), ("type", dtype.clone()), ("data", bin(&f4))]),
        map(&[("nd", vec![0xc2]), ("type", dtype.clone()), ("shape", shape(&[6])), ("data", bin(&f4))]),
        map(&[("complex", yes()), ("simple", yes())]),
        // What is inside of an extension is all there is of it.
        ext(1, &flax(&[6], "float32", &f4)[3..20]),
        ext(1, &[0x93, 0xc1]),
        ext(1, &[]),
        ext(2, &[0xc0]),
        ext(0, &[]),
        ext(0, &[0, 1, 2]),
        ext(0, &[9, 0, 0]),
        ext(38, &[0xc3]),
        ext(0x74, &[]),
        ext(99, &[1]),
        ext(5, &f4),
        vec![0xd6, 0xff, 0, 0, 0, 0],
    ];
    for record in others {
        let head = Head::read(&record).unwrap().0;
        assert_eq!(read_between(&record, &[0xc0]), (Ok(Seen::Other(head)), 0), "{record:02x?}");
    }
    let not_numbers = [
        (array(&[vec![1], vec![2], string("x")]), 2, Head::Str(1)),
        (array(&[string("f4"), vec![2], vec![3]]), 0, Head::Str(2)),
        (array(&[string("hello"), shape(&[1]), bin(&f4)]), 0, Head::Str(5)),
        (array(&[vec![2], shape(&[6]), bin(&f4)]), 1, Head::Array(1)),
        (array(&[vec![1], shape(&[6]), array(&[vec![1]])]), 1, Head::Array(1)),
        ([vec![0x92], singles(&NUMBERS[..1]), vec![0xc0]].concat(), 1, Head::Nil),
        ([vec![0x93], singles(&NUMBERS[..2]), string("<f4")].concat(), 2, Head::Str(3)),
    ];
    for (record, index, head) in not_numbers {
        let seen = Ok(Seen::NotNumbers { index, head });
        assert_eq!(read_between(&record, &[0xc0]), (seen, 0), "{record:02x?}");
    }
}

#[test]
fn lengths_are_claims_and_nothing_is_allocated_for_them() {
    let chunked = [vec![0x83], string("__msgpack_chunked_array__"), yes(), string("chunks")].concat();
    let most = u64::from(u32::MAX);
    for (claim, behind) in [
        (vec![0xdd, 0xff, 0xff, 0xff, 0xff], most),
        (vec![0xc6, 0xff, 0xff, 0xff, 0xff], most),
        (vec![0xc9, 0xff, 0xff, 0xff, 0xff, 1], most),
        (
            [vec![0x93, 1, 0x91, 0xce, 0xff, 0xff, 0xff, 0xff], vec![0xdd, 0xff, 0xff, 0xff, 0xff]].concat(),
            most,
        ),
        ([chunked, vec![0xdf, 0xff, 0xff, 0xff, 0xff]].concat(), 2 * most),
    ] {
        let needed = Broken::Short(1 + claim.len() as u64 + behind);
        assert_eq!(read_between(&claim, &[]).0, Err(needed), "{claim:02x?}");
    }
    // Rows times elements times bytes is more than 64 bits count.
    let huge = [&[0x92], &[0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &[0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0]].concat();
    let (seen, _) = read_between(&array(&[string("<f4"), huge, bin(&[])]), &[]);
    assert!(matches!(seen, Ok(Seen::Refused(_))), "{seen:?}");
}

#[test]
fn chunks_in_chunks_take_no_stack() {
    let level =
        [vec![0x82], string("__msgpack_chunked_array__"), yes(), string("chunks"), vec![0x81, 0xa0]].concat();
    let read = move || {
        read(&mut Cursor::new(&level.repeat(100_000)), RawDtype::default().into())
            .map(|seen| matches!(seen, Seen::Refused(_)))
    };
    let read = std::thread::Builder::new().stack_size(256 << 10).spawn(read).unwrap().join().unwrap();
    assert_eq!(read, Ok(true));
}

/// An example, or bytes at random, with some bytes put in, and some behind.
fn almost_a_vector() -> impl Strategy<Value = Vec<u8>> {
    let example = any::<prop::sample::Index>().prop_map(|index| index.get(&examples(NUMBERS)).1.clone());
    let random = proptest::collection::vec(any::<u8>(), 1..60);
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop_oneof![4 => example, 1 => random], changes, any::<[u8; 2]>()).prop_map(
        |(mut bytes, changes, behind)| {
            for (index, byte) in changes {
                *index.get_mut(&mut bytes) = byte;
            }
            bytes.extend(behind);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_bytes_a_vector_is_one_object_and_nothing_else_is_stepped_over(bytes in almost_a_vector()) {
        let mut cursor = Cursor::new(&bytes);
        let seen = read(&mut cursor, RawDtype::default().into());
        match (&seen, Skipper::new().skip(&bytes)) {
            (Ok(Seen::Vector(_)), Skipped::Done(end)) => prop_assert_eq!(cursor.at(), end),
            (Ok(Seen::Vector(_)), open) => prop_assert!(false, "a vector that is not all there: {:?}", open),
            (Err(_), Skipped::Done(end)) => prop_assert!(false, "{:?} of an object of {}", seen, end),
            (Err(Broken::Short(needed)), _) => prop_assert!(*needed > bytes.len() as u64),
            _ => {}
        }
        prop_assert!(matches!(seen, Ok(Seen::Vector(_))) || cursor.at() == 0);
    }
}

#[test]
fn a_template_of_bytes_takes_no_file_for_elements() {
    let file = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", &little(&NUMBERS));
    let bytes = vec![1; file.len() - file.len() % 4];
    for wrap in [bin, raw] {
        let record = wrap(&bytes);
        let Ok(Seen::Vector(encoded)) = read(&mut Cursor::new(&record), RawDtype::default().into()) else {
            unreachable!("bytes are a vector")
        };
        let template = Template::of(&record, &encoded).unwrap();
        assert_eq!(template.elements_of(&record), Some(&bytes[..]));
        assert_eq!(template.elements_of(&wrap(&file[..bytes.len()])), None);
    }
}

#[test]
fn a_template_is_what_stands_around_the_elements() {
    for ((name, record, encoded), (_, next, expected)) in
        examples(NUMBERS).into_iter().zip(examples([9.0; 6]))
    {
        let Ok(Seen::Vector(lying)) = read(&mut Cursor::new(&record), RawDtype::default().into()) else {
            unreachable!("{name} is a vector")
        };
        let Some(template) = Template::of(&record, &lying) else {
            let is_in_pieces = matches!(name, "__npgeneric__" | "flax in chunks");
            assert!(encoded.rows > 1 || encoded.elements.format == Format::Numbers || is_in_pieces, "{name}");
            continue;
        };
        assert_eq!((template.stride(), template.format), (record.len(), encoded.elements.format), "{name}");
        assert_eq!(template.elements_of(&record), Some(encoded.bytes()), "{name}");
        assert_eq!(template.elements_of(&next), Some(expected.bytes()), "{name}");
        let start = record.windows(encoded.bytes().len()).position(|bytes| bytes == encoded.bytes()).unwrap();
        for at in (0..start).chain(start + encoded.bytes().len()..next.len()) {
            let mut other = next.clone();
            other[at] ^= 0x10;
            assert_eq!(template.elements_of(&other), None, "{name}, byte {at}");
        }
    }
}
