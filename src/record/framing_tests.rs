//! Every rule of framing, how many bytes are enough to tell, and that fewer never tell otherwise.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::vector::RawDtype;

/// A vector, a map, an array that is no vector, and a number.
const VECTOR: &[u8] = &[0xc4, 4, 0, 0, 0x80, 0x3f];
const MAP: &[u8] = &[0x81, 0xa1, b'a', 1];
const ARRAY: &[u8] = &[0x92, 1, 0xc0];
const NUMBER: &[u8] = &[7];

fn array(items: &[&[u8]]) -> Vec<u8> {
    [&[0xdc, 0, items.len() as u8], &items.concat()[..]].concat()
}

/// A map with these values, each under the key 1.
fn map(values: &[&[u8]]) -> Vec<u8> {
    let pairs: Vec<u8> = values.iter().flat_map(|value| [&[1], *value].concat()).collect();
    [vec![0xde, 0, values.len() as u8], pairs].concat()
}

fn detected(bytes: &[u8], ended: bool) -> Result<Framing, Broken> {
    let end = if ended { End::OfInput } else { End::Open };
    detect(bytes, end, RawDtype::default().into()).map(|(framing, _)| framing)
}

/// The framing of an input of `bytes`, of which `enough` tell.
fn check(what: &str, bytes: &[u8], enough: usize, framing: Framing) {
    for length in 0..=bytes.len() {
        let found = detected(&bytes[..length], false);
        if length >= enough {
            assert_eq!(found, Ok(framing), "{what}: {length} of {enough} bytes");
        } else {
            let is_right = matches!(found, Err(Broken::Short(needed)) if (length + 1..=enough).contains(&(needed as usize)));
            assert!(is_right, "{what}: {length} of {enough} bytes: {found:?}");
        }
    }
    assert_eq!(detected(bytes, true), Ok(framing), "{what}, and no more");
}

/// The same where only the end of the input tells.
fn check_whole(what: &str, bytes: &[u8], framing: Framing) {
    for length in 0..=bytes.len() {
        let found = detected(&bytes[..length], false);
        let is_right = matches!(found, Err(Broken::Short(needed)) if (length + 1..=bytes.len() + 1).contains(&(needed as usize)));
        assert!(is_right, "{what}: {length} bytes: {found:?}");
    }
    assert_eq!(detected(bytes, true), Ok(framing), "{what}");
}

#[test]
fn what_is_neither_array_nor_map_or_a_vector_is_in_a_sequence() {
    use Framing::Sequence;
    check("bytes", VECTOR, 2, Sequence);
    check("a number", NUMBER, 1, Sequence);
    check("nil", &[0xc0], 1, Sequence);
    check("numbers", &[0x92, 0xca, 0, 0, 0, 0, 0xca, 0, 0, 0, 0], 6, Sequence);
    check("vLLM", &[0x93, 0xa2, b'f', b'4', 0x91, 1, 0xc7, 4, 3, 0, 0, 0, 0], 4, Sequence);
    let numpy: Vec<u8> =
        [b"\x84\xa2nd\xc3\xa4type\xa2f4\xa5shape\x91\x01\xa4data".as_slice(), VECTOR].concat();
    check("msgpack-numpy", &[&numpy[..], &numpy].concat(), numpy.len(), Sequence);
    let pickle = b"\x84\xa2nd\xc3\xa4type\xa2|O\xa5shape\x91\x01\xa4data\xc4\x01.";
    check("a vector that is refused", pickle, pickle.len(), Sequence);
}

#[test]
fn an_array_of_maps_or_of_arrays_holds_records() {
    for item in [MAP, ARRAY] {
        let few = array(&[item; 3]);
        check("few", &[&few[..], &few].concat(), few.len(), Framing::Array);
        check("one", &array(&[item]), 3 + item.len(), Framing::Array);
        let many = array(&[item; 40]);
        check("many", &many, 3 + 17 * item.len(), Framing::Array);
    }
}

#[test]
fn an_array_of_vectors_holds_records_if_they_are_many_or_nothing_like_it_follows() {
    let few = array(&[VECTOR; 16]);
    let after = |next: &[u8]| [&few[..], next].concat();
    check(
        "many",
        &[array(&[VECTOR; 17]), array(&[VECTOR; 17])].concat(),
        3 + 17 * VECTOR.len(),
        Framing::Array,
    );
    check("very many", &array(&[VECTOR; 200]), 3 + 17 * VECTOR.len(), Framing::Array);
    check("few, and as many", &after(&few), few.len() + 3, Framing::Sequence);
    check("few, and fewer", &after(&array(&[VECTOR; 15])), few.len() + 3, Framing::Array);
    check("few, and a number", &after(NUMBER), few.len() + 1, Framing::Array);
    check("few, and no MessagePack", &after(&[0xc1]), few.len() + 1, Framing::Array);
    check_whole("few", &few, Framing::Array);
    check_whole("one", &array(&[VECTOR]), Framing::Array);
    check_whole("few, and the start of a head", &after(&[0xdc, 0]), Framing::Array);
    let one = array(&[VECTOR]);
    check("one, and one", &one.repeat(2), one.len() + 3, Framing::Array);
}

#[test]
fn a_map_of_vectors_or_of_maps_holds_records_if_they_are_many_or_nothing_follows() {
    for value in [VECTOR, MAP] {
        let few = map(&[value; 16]);
        let followed = [&few[..], NUMBER].concat();
        check("many", &map(&[value; 17]).repeat(2), 3 + 17 * (1 + value.len()), Framing::Map);
        check("very many", &map(&[value; 100]), 3 + 17 * (1 + value.len()), Framing::Map);
        check("few, and more", &followed, few.len() + 1, Framing::Sequence);
        check_whole("few", &few, Framing::Map);
        check_whole("two", &map(&[value; 2]), Framing::Map);
        check_whole("few, and the start of a head", &[&few[..], &[0xcb]].concat(), Framing::Sequence);
        check("one", &map(&[value]), 4 + value.len(), Framing::Sequence);
    }
    check("of arrays", &map(&[ARRAY; 20]), 3 + 17 * (1 + ARRAY.len()), Framing::Sequence);
}

#[test]
fn many_records_of_which_the_first_are_there_are_many() {
    for (items, framing) in [(VECTOR, Framing::Array), (MAP, Framing::Array), (ARRAY, Framing::Array)] {
        let many = array(&[items; 17]);
        for length in 3 + items.len()..many.len() {
            assert_eq!(detected(&many[..length], true), Ok(framing), "{length} bytes of {items:?}");
        }
    }
    let few = array(&[VECTOR; 16]);
    assert!(matches!(detected(&few[..3 + 2 * VECTOR.len()], true), Err(Broken::Short(_))));
}

#[test]
fn what_holds_several_kinds_is_a_record() {
    use Framing::Sequence;
    check("an id and a vector", &array(&[NUMBER, VECTOR]), 5, Sequence);
    check("a vector and an id", &array(&[VECTOR, NUMBER]), 5 + VECTOR.len() - 1, Sequence);
    check("a map and a vector", &array(&[MAP, VECTOR]), 3 + MAP.len() + VECTOR.len(), Sequence);
    check("an id and a vector by name", &map(&[NUMBER, VECTOR]), 7, Sequence);
    check("a vector and a map by name", &map(&[VECTOR, MAP]), 5 + VECTOR.len() + MAP.len(), Sequence);
    check("text", &array(&[&b"\xa4text"[..]; 3]), 8, Sequence);
    let raw = array(&[&b"\xa4\xff\xff\xff\xff"[..]; 20]);
    check("bytes that are no text", &raw, 3 + 17 * 5, Framing::Array);
    let first_kinds = array(&[&[MAP; 17][..], &[NUMBER; 3]].concat());
    check("another kind behind the first few", &first_kinds, 3 + 17 * MAP.len(), Framing::Array);
    let second_kinds = array(&[&[MAP; 16][..], &[NUMBER; 3]].concat());
    check("another kind among them", &second_kinds, 4 + 16 * MAP.len(), Sequence);
}

#[test]
fn an_empty_array_alone_holds_no_records() {
    check_whole("an empty array", &[0x90], Framing::Array);
    check_whole("an empty map", &[0x80], Framing::Sequence);
    check_whole("empty arrays", &[0x90, 0x90], Framing::Array);
    check("many empty arrays", &[0x90; 20], 18, Framing::Sequence);
    check_whole("empty maps", &[0x80, 0x80], Framing::Sequence);
    check("an empty array, and a record", &[&[0x90][..], MAP].concat(), 5, Framing::Sequence);
    check("an array of empty ones", &array(&[&[0x90][..]; 3]), 6, Framing::Sequence);
}

#[test]
fn where_no_more_is_looked_at_the_first_items_tell() {
    let detected =
        |bytes: &[u8]| detect(bytes, End::OfLooking, RawDtype::default().into()).map(|(framing, _)| framing);
    let (few, map) = (array(&[VECTOR; 3]), map(&[VECTOR; 3]));
    for length in 3 + VECTOR.len()..=few.len() {
        assert_eq!(detected(&few[..length]), Ok(Framing::Array), "{length}");
    }
    assert_eq!(detected(&few[..2 + VECTOR.len()]), Err(Broken::Short(3 + VECTOR.len() as u64)));
    for length in 4 + VECTOR.len()..=map.len() {
        assert_eq!(detected(&map[..length]), Ok(Framing::Map), "{length}");
    }
}

#[test]
fn lengths_are_claims() {
    for head in [0xdd, 0xdf] {
        let claim = [head, 0xff, 0xff, 0xff, 0xff];
        let items = if head == 0xdd { 17 } else { 34 };
        assert_eq!(detected(&claim, true), Err(Broken::Short(5 + items)));
    }
    assert_eq!(detected(&[], true), Err(Broken::Short(1)));
    assert_eq!(detected(&[0xc1], true), Err(Broken::Reserved(0)));
    assert_eq!(detected(&[0x92, 0xc1, 0], true), Err(Broken::Reserved(1)));
}

fn object() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![Just(VECTOR), Just(NUMBER), Just(&[0xc0][..]), Just(&[0xca, 0, 0, 0, 0][..])];
    leaf.prop_map(<[u8]>::to_vec).prop_recursive(3, 60, 20, |inner| {
        let items = || {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20),
                (inner.clone(), 0..20usize).prop_map(|(item, count)| vec![item; count]),
            ]
        };
        let slices = |items: &[Vec<u8>], of: fn(&[&[u8]]) -> Vec<u8>| {
            of(&items.iter().map(|item| &item[..]).collect::<Vec<_>>())
        };
        prop_oneof![
            items().prop_map(move |items| slices(&items, array)),
            items().prop_map(move |items| slices(&items, map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_some_bytes_tell_more_bytes_tell_as_well(first in object(), second in object(), cut in any::<prop::sample::Index>()) {
        let bytes = [first, second].concat();
        let whole = detected(&bytes, true);
        prop_assert!(whole.is_ok());
        let length = cut.index(bytes.len());
        match detected(&bytes[..length], false) {
            Err(Broken::Short(needed)) => prop_assert!((length + 1..=bytes.len()).contains(&(needed as usize))),
            found => prop_assert_eq!(found, whole),
        }
    }
}
