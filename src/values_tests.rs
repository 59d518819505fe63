//! Columns of every type against rows that are kept as text.

#![allow(clippy::unwrap_used)]

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrowPrimitiveType, types};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType as D;
use arrow_schema::{Field, TimeUnit};
use proptest::prelude::*;

use super::*;

type Bytes = Vec<u8>;

fn integer(number: i128) -> Bytes {
    match u64::try_from(number) {
        Ok(number) => [vec![0xcf], number.to_be_bytes().into()].concat(),
        Err(_) => [vec![0xd3], i64::try_from(number).unwrap().to_be_bytes().into()].concat(),
    }
}

fn single(number: f32) -> Bytes {
    [vec![0xca], number.to_be_bytes().into()].concat()
}

fn double(number: f64) -> Bytes {
    [vec![0xcb], number.to_be_bytes().into()].concat()
}

fn string(bytes: impl AsRef<[u8]>) -> Bytes {
    [&[0xd9, bytes.as_ref().len() as u8], bytes.as_ref()].concat()
}

fn bin(bytes: &[u8]) -> Bytes {
    [&[0xc4, bytes.len() as u8], bytes].concat()
}

fn ext(code: i8, inside: &[u8]) -> Bytes {
    [&[0xc7, inside.len() as u8, code as u8], inside].concat()
}

fn array(items: &[Bytes]) -> Bytes {
    [vec![0x90 + items.len() as u8], items.concat()].concat()
}

fn map(pairs: &[(&str, Bytes)]) -> Bytes {
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| [string(key), value.clone()].concat()).collect();
    [vec![0x80 + pairs.len() as u8], pairs.concat()].concat()
}

fn numpy_scalar(dtype: &str, data: &[u8]) -> Bytes {
    map(&[("nd", vec![0xc2]), ("type", string(dtype)), ("data", bin(data))])
}

fn numpy_array(dtype: &str, dims: &[u8], data: &[u8]) -> Bytes {
    let shape = [&[0x90 + dims.len() as u8], dims].concat();
    map(&[("nd", vec![0xc3]), ("type", string(dtype)), ("shape", shape), ("data", bin(data))])
}

/// Seconds alone in 4 bytes.
fn time_32(seconds: u32) -> Bytes {
    ext(-1, &seconds.to_be_bytes())
}

fn time_64(seconds: u64, nanoseconds: u64) -> Bytes {
    ext(-1, &(nanoseconds << 34 | seconds).to_be_bytes())
}

fn time_96(seconds: i64, nanoseconds: u32) -> Bytes {
    ext(-1, &[&nanoseconds.to_be_bytes()[..], &seconds.to_be_bytes()].concat())
}

const NIL: [u8; 1] = [0xc0];
const TRUE: [u8; 1] = [0xc3];
/// What msgpackr writes for `undefined`.
const UNDEFINED: [u8; 3] = [0xd4, 0, 0];

fn list(item: D, nullable: bool) -> D {
    D::List(Arc::new(Field::new("item", item, nullable)))
}

fn structs(fields: Vec<(&str, D, bool)>) -> D {
    D::Struct(
        fields.into_iter().map(|(name, data_type, nullable)| Field::new(name, data_type, nullable)).collect(),
    )
}

/// A type, values with what the column shows for them, and values that do not fit.
struct Case {
    data_type: D,
    good: Vec<(Bytes, &'static str)>,
    bad: Vec<Bytes>,
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case { data_type: D::Null, good: vec![], bad: vec![integer(0), TRUE.into(), array(&[])] },
        Case {
            data_type: D::Boolean,
            good: vec![
                (TRUE.into(), "true"),
                (vec![0xc2], "false"),
                (numpy_scalar("|b1", &[1]), "true"),
                (numpy_scalar("|b1", &[0]), "false"),
            ],
            bad: vec![integer(1), string("true"), numpy_scalar("|u1", &[1])],
        },
    ];
    for data_type in [D::Int8, D::Int16, D::Int32, D::Int64, D::UInt8, D::UInt16, D::UInt32, D::UInt64] {
        cases.push(Case {
            data_type,
            good: vec![
                (integer(7), "7"),
                (vec![0xd0, 8], "8"),
                (double(-0.0), "0"),
                (single(100.0), "100"),
                (numpy_scalar("<i8", &5i64.to_le_bytes()), "5"),
            ],
            bad: vec![
                double(0.5),
                double(f64::NAN),
                double(f64::INFINITY),
                string("7"),
                TRUE.into(),
                array(&[]),
            ],
        });
    }
    for (data_type, minus_three, too_large) in [
        (D::Float16, "-3", vec![double(65520.0), integer(2049)]),
        (D::Float32, "-3.0", vec![double(1e39), integer((1 << 24) + 1)]),
        (D::Float64, "-3.0", vec![integer((1 << 53) + 1), integer(-(1 << 53) - 1), integer(u64::MAX.into())]),
    ] {
        cases.push(Case {
            data_type,
            good: vec![
                (single(1.5), "1.5"),
                (double(-0.25), "-0.25"),
                (integer(-3), minus_three),
                (double(f64::NAN), "NaN"),
                (numpy_scalar("<f2", &[0, 0x3e]), "1.5"),
                (numpy_scalar(">f8", &2.5f64.to_be_bytes()), "2.5"),
            ],
            bad: [too_large, vec![string("1.5"), TRUE.into(), time_32(0), map(&[])]].concat(),
        });
    }
    for (unit, too_fine) in [
        (TimeUnit::Second, time_64(0, 100_000_000)),
        (TimeUnit::Millisecond, time_64(0, 100_000)),
        (TimeUnit::Microsecond, time_64(0, 100)),
        // 2262 is the last year of which there are nanoseconds.
        (TimeUnit::Nanosecond, time_64((1 << 34) - 1, 0)),
    ] {
        cases.push(Case {
            data_type: D::Timestamp(unit, Some("+00:00".into())),
            good: vec![
                (time_32(u32::MAX), "2106-02-07T06:28:15Z"),
                (time_64(1 << 32, 0), "2106-02-07T06:28:16Z"),
                (time_96(-1, 0), "1969-12-31T23:59:59Z"),
            ],
            bad: vec![
                too_fine,
                time_64(0, 1_000_000_000),
                time_96(i64::MAX, 999_999_999),
                ext(-1, &[0; 7]),
                ext(-2, &[0; 4]),
                integer(0),
            ],
        });
    }
    for data_type in [D::Utf8, D::LargeUtf8] {
        cases.push(Case {
            data_type,
            good: vec![(string("naïve"), "naïve"), (vec![0xa0], "")],
            bad: vec![string([b'a', 0xff]), bin(b"bytes"), integer(1), numpy_array("<f4", &[1], &[0; 4])],
        });
    }
    for data_type in [D::Binary, D::LargeBinary] {
        cases.push(Case {
            data_type,
            good: vec![
                (bin(&[1, 0xff]), "01ff"),
                (string([0xff]), "ff"),
                (bin(&[]), ""),
                (ext(5, &[7]), "07"),
            ],
            bad: vec![integer(1), array(&[]), TRUE.into()],
        });
    }
    let small = Arc::new(Field::new("item", D::Int16, true));
    for data_type in [D::List(small.clone()), D::LargeList(small)] {
        cases.push(Case {
            data_type,
            good: vec![
                (array(&[]), "[]"),
                (array(&[integer(1), NIL.into(), integer(-2)]), "[1, null, -2]"),
                (array(&[integer(1), UNDEFINED.into()]), "[1, null]"),
                (numpy_array("<i2", &[3], &[1, 0, 2, 0, 0xff, 0xff]), "[1, 2, -1]"),
                (ext(0x74, &[7, 0, 0, 0x40, 0x40]), "[3]"),
            ],
            bad: vec![
                integer(1),
                array(&[integer(1), string("2")]),
                array(&[integer(1), integer(40_000)]),
                numpy_array("<i4", &[2], &[1, 0, 0, 0, 0, 0, 1, 0]),
                numpy_array("<i2", &[2, 1], &[0; 4]),
                numpy_array("|O", &[1], &[0; 4]),
                // A float32 and a byte.
                ext(0x74, &[7, 0, 0, 0x40, 0x40, 0]),
            ],
        });
    }
    cases.extend([
        Case {
            data_type: list(list(D::Utf8, true), false),
            good: vec![
                (array(&[array(&[string("a"), NIL.into()]), array(&[])]), "[[a, null], []]"),
                (array(&[]), "[]"),
            ],
            bad: vec![array(&[array(&[]), NIL.into()]), array(&[array(&[string("a"), integer(1)])])],
        },
        Case {
            data_type: structs(vec![
                ("a", D::Int32, false),
                ("b", list(D::Utf8, true), true),
                ("c", structs(vec![("d", D::Boolean, false)]), true),
            ]),
            good: vec![
                (map(&[("a", integer(1))]), "{a: 1, b: null, c: null}"),
                (
                    map(&[("c", map(&[("d", TRUE.into())])), ("x", array(&[])), ("a", integer(2))]),
                    "{a: 2, b: null, c: {d: true}}",
                ),
                (
                    [vec![0x82], bin(b"b"), array(&[string("t")]), bin(b"a"), integer(3)].concat(),
                    "{a: 3, b: [t], c: null}",
                ),
            ],
            bad: vec![
                map(&[]),
                map(&[("b", array(&[]))]),
                map(&[("a", NIL.into())]),
                map(&[("a", UNDEFINED.into())]),
                map(&[("a", integer(1)), ("a", integer(1))]),
                map(&[("a", integer(1)), ("b", array(&[string("t"), integer(1)]))]),
                map(&[("a", integer(1)), ("c", map(&[("d", integer(1))]))]),
                array(&[integer(1)]),
            ],
        },
        Case {
            data_type: structs(vec![]),
            good: vec![(map(&[("a", integer(1))]), "{}")],
            bad: vec![integer(1)],
        },
    ]);
    cases
}

fn push(builder: &mut ValueBuilder, value: &[u8]) -> Result<(), Failure> {
    let mut cursor = Cursor::new(value);
    builder.push(&mut cursor)?;
    assert_eq!(cursor.at(), value.len(), "{value:02x?}");
    Ok(())
}

/// A column of these values.
fn column(data_type: &D, values: &[Bytes]) -> ArrayRef {
    let mut builder = ValueBuilder::new(data_type).unwrap();
    values.iter().for_each(|value| push(&mut builder, value).unwrap());
    builder.finish().unwrap()
}

fn shown(column: &ArrayRef) -> Vec<Option<String>> {
    let options = FormatOptions::new().with_null("null");
    let formatter = ArrayFormatter::try_new(column, &options).unwrap();
    let nulls = column.logical_nulls();
    let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    (0..column.len()).map(|row| (!is_null(row)).then(|| formatter.value(row).to_string())).collect()
}

/// Pushes a value that does not fit, and gives why.
fn unfit(builder: &mut ValueBuilder, value: &[u8]) -> Fault {
    match push(builder, value) {
        Err(Failure::Unfit(unfit)) => *unfit,
        other => unreachable!("{value:02x?} into {}: {other:?}", builder.data_type),
    }
}

#[test]
fn good_values_are_shown_and_bad_ones_leave_nothing_behind() {
    for Case { data_type, good, bad } in cases() {
        let mut builder = ValueBuilder::new(&data_type).unwrap();
        for bad in &bad {
            unfit(&mut builder, bad);
            builder.truncate(0);
        }
        for (value, _) in &good {
            push(&mut builder, value).unwrap();
        }
        let column = builder.finish().unwrap();
        let expected: Vec<_> = good.iter().map(|(_, shown)| Some((*shown).to_owned())).collect();
        assert_eq!((column.data_type(), shown(&column)), (&data_type, expected));
        assert_eq!((builder.rows(), builder.finish().unwrap().len()), (0, 0), "{data_type}");
    }
}

/// What is done to a column; numbers choose one of what there is.
#[derive(Debug, Clone)]
enum Step {
    Good(usize),
    Bad(usize),
    /// A good value that is cut off.
    Cut(usize, usize),
    Null,
    Truncate(usize),
    Finish,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<usize>().prop_map(Step::Good),
        2 => any::<usize>().prop_map(Step::Bad),
        2 => any::<(usize, usize)>().prop_map(|(value, at)| Step::Cut(value, at)),
        2 => Just(Step::Null),
        1 => any::<usize>().prop_map(Step::Truncate),
        1 => Just(Step::Finish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_column_is_the_rows_that_were_not_taken_back(steps in proptest::collection::vec(step(), 0..40)) {
        for Case { data_type, good, bad } in cases() {
            let mut builder = ValueBuilder::new(&data_type).unwrap();
            let mut rows: Vec<Option<String>> = Vec::new();
            for step in steps.iter().cloned().chain([Step::Finish]) {
                match step {
                    Step::Good(_) | Step::Cut(..) if good.is_empty() => {}
                    Step::Good(index) => {
                        let (value, shown) = &good[index % good.len()];
                        push(&mut builder, value).unwrap();
                        rows.push(Some((*shown).to_owned()));
                    }
                    Step::Bad(index) => {
                        unfit(&mut builder, &bad[index % bad.len()]);
                        builder.truncate(rows.len());
                    }
                    Step::Cut(index, at) => {
                        let value = &good[index % good.len()].0;
                        let cut = at % value.len();
                        let failure = push(&mut builder, &value[..cut]);
                        let is_right = matches!(failure, Err(Failure::Broken(Broken::Short(needed)))
                            if (cut + 1..=value.len()).contains(&(needed as usize)));
                        prop_assert!(is_right, "{} of {:02x?}: {:?}", cut, value, failure);
                        builder.truncate(rows.len());
                    }
                    Step::Null => {
                        builder.push_null();
                        rows.push(None);
                    }
                    Step::Truncate(length) => {
                        rows.truncate(length % (rows.len() + 1));
                        builder.truncate(rows.len());
                    }
                    Step::Finish => {
                        let column = builder.finish().unwrap();
                        prop_assert_eq!((column.data_type(), shown(&column)), (&data_type, std::mem::take(&mut rows)));
                    }
                }
                prop_assert_eq!(builder.rows(), rows.len(), "{}", data_type);
            }
        }
    }
}

#[test]
fn nil_and_undefined_are_null_in_every_column() {
    for Case { data_type, .. } in cases() {
        let column = column(&data_type, &[NIL.into(), UNDEFINED.into(), ext(0, &[0])]);
        assert_eq!(shown(&column), [None, None, None], "{data_type}");
    }
    let mut builder = ValueBuilder::new(&D::Int8).unwrap();
    assert_eq!(unfit(&mut builder, &[0xd4, 0, 1]).kind, RejectKind::Type);
}

/// An integer as it is, or where MessagePack has none so large as a float.
fn number(number: i128) -> Bytes {
    let is_integer = (i128::from(i64::MIN)..=u64::MAX.into()).contains(&number);
    if is_integer { integer(number) } else { double(number as f64) }
}

fn check_ends<T: ArrowPrimitiveType<Native: Into<i128>>>(range: RangeInclusive<T::Native>) {
    let (least, most) = (*range.start(), *range.end());
    let mut builder = ValueBuilder::new(&T::DATA_TYPE).unwrap();
    push(&mut builder, &integer(least.into())).unwrap();
    // The next floats outside of 64 bits are further away.
    let step = if size_of::<T::Native>() == 8 { 4096 } else { 1 };
    for outside in [most.into() + 1, least.into() - if least.into() == 0 { 1 } else { step }] {
        let Fault { kind, expected, .. } = unfit(&mut builder, &number(outside));
        assert_eq!(kind, RejectKind::Value, "{outside}");
        let expected = expected.unwrap().to_string();
        assert!(expected.ends_with(&T::DATA_TYPE.to_string().to_lowercase()), "{expected}");
        builder.truncate(1);
    }
    push(&mut builder, &integer(most.into())).unwrap();
    let column = builder.finish().unwrap();
    assert_eq!(column.as_primitive::<T>().values()[..], [least, most]);
}

#[test]
fn integers_fit_up_to_the_ends_of_their_type() {
    check_ends::<types::Int8Type>(i8::MIN..=i8::MAX);
    check_ends::<types::Int16Type>(i16::MIN..=i16::MAX);
    check_ends::<types::Int32Type>(i32::MIN..=i32::MAX);
    check_ends::<types::Int64Type>(i64::MIN..=i64::MAX);
    check_ends::<types::UInt8Type>(u8::MIN..=u8::MAX);
    check_ends::<types::UInt16Type>(u16::MIN..=u16::MAX);
    check_ends::<types::UInt32Type>(u32::MIN..=u32::MAX);
    check_ends::<types::UInt64Type>(u64::MIN..=u64::MAX);
}

#[test]
fn integers_become_floats_where_they_are_exact() {
    let exact = [1 << 53, -(1 << 53), (1 << 53) + 2, 1 << 63, i64::MIN.into()];
    let column = column(&D::Float64, &exact.map(integer));
    assert_eq!(column.as_primitive::<types::Float64Type>().values()[..], exact.map(|number| number as f64));
}

#[test]
fn timestamps_are_read_in_each_of_their_sizes() {
    let nanoseconds = |values: &[Bytes]| {
        let column = column(&D::Timestamp(TimeUnit::Nanosecond, None), values);
        column.as_primitive::<types::TimestampNanosecondType>().values().to_vec()
    };
    assert_eq!(nanoseconds(&[time_32(1), vec![0xd6, 0xff, 0, 0, 0, 2]]), [1_000_000_000, 2_000_000_000]);
    assert_eq!(
        nanoseconds(&[time_64(1, 999_999_999), time_64(1 << 33, 1)]),
        [1_999_999_999, (1 << 33) * 1_000_000_000 + 1]
    );
    assert_eq!(nanoseconds(&[time_96(-1, 1), time_96(0, 5)]), [-999_999_999, 5]);
    // The ends of what 64 bits count.
    let ends = [time_96(9_223_372_036, 854_775_807), time_96(-9_223_372_037, 145_224_192)];
    assert_eq!(nanoseconds(&ends), [i64::MAX, i64::MIN]);
    let mut builder = ValueBuilder::new(&D::Timestamp(TimeUnit::Nanosecond, None)).unwrap();
    for outside in [time_96(9_223_372_036, 854_775_808), time_96(-9_223_372_037, 145_224_191)] {
        assert_eq!(unfit(&mut builder, &outside).kind, RejectKind::Value);
    }
}

#[test]
fn what_does_not_fit_is_told_with_the_way_to_it() {
    let data_type = list(structs(vec![("a", list(D::Int8, false), false), ("t", D::Utf8, true)]), true);
    let mut builder = ValueBuilder::new(&data_type).unwrap();
    let mut told = |items: &[Bytes]| {
        let Fault { kind, path, expected, found, .. } = unfit(&mut builder, &array(items));
        builder.truncate(0);
        format!("{} {path}: {}, not {found}", kind.as_str(), expected.unwrap())
    };
    let item = |a: Bytes| map(&[("a", a)]);
    assert_eq!(
        told(&[NIL.into(), item(integer(1))]),
        "type [1].a: a list with items that are a number that fits int8, not the integer 1"
    );
    assert_eq!(
        told(&[item(array(&[integer(1), integer(128)]))]),
        "value [0].a[1]: a number that fits int8, not the integer 128"
    );
    assert_eq!(told(&[item(array(&[NIL.into()]))]), "type [0].a[0]: a number that fits int8, not nil");
    assert_eq!(
        told(&[map(&[])]),
        "type [0].a: a list with items that are a number that fits int8, not no such key"
    );
    assert_eq!(
        told(&[item(numpy_array("<i2", &[2], &[1, 0, 0, 1]))]),
        "value [0].a[1]: a number that fits int8, not 256"
    );
    assert_eq!(
        told(&[map(&[("t", string([b'o', b'k', 0xff]))])]),
        "value [0].t: text in UTF-8, not a string of 3 bytes that is not UTF-8 at its byte 2"
    );
    assert_eq!(
        told(&[map(&[("t", NIL.into()), ("t", string("t"))])]),
        "type [0].t: every key once, not a key that comes twice"
    );
    assert!(told(&[item(numpy_array("|O", &[1], &[0]))]).starts_with("unsupported [0].a: a list"));
}

#[test]
fn what_is_held_is_counted_and_no_longer_once_it_is_taken_back() {
    for Case { data_type, good, .. } in cases() {
        let is_nested = data_type.is_nested();
        let mut builder = ValueBuilder::new(&list(data_type, true)).unwrap();
        let before = builder.size();
        for (value, _) in &good {
            push(&mut builder, &array(std::slice::from_ref(value))).unwrap();
            assert!(is_nested || builder.size() > before + 8 * builder.rows(), "{}", builder.data_type);
        }
        builder.truncate(0);
        assert_eq!(builder.size(), before, "{}", builder.data_type);
    }
}

#[test]
fn types_that_nothing_is_read_into_are_refused() {
    for data_type in
        [D::Date32, D::Duration(TimeUnit::Second), D::Utf8View, D::new_fixed_size_list(D::Int8, 2, true)]
    {
        for data_type in
            [list(data_type.clone(), true), structs(vec![("a", data_type.clone(), true)]), data_type]
        {
            let error = ValueBuilder::new(&data_type).err().unwrap().to_string();
            assert!(error.contains("is no type that records are read into"), "{error}");
        }
    }
}

#[test]
fn keys_are_found_in_any_order_and_numbers_among_them() {
    let names = ["a", "b", "18446744073709551615", "-9223372036854775808"];
    let keys = Keys::new(names.iter().map(|name| name.as_bytes()));
    let record = [
        string("b"),
        integer(u64::MAX.into()),
        integer(i64::MIN.into()),
        bin(b"a"),
        string("c"),
        array(&[string("a")]),
        string("a"),
    ];
    let record = record.concat();
    let (mut cursor, mut next) = (Cursor::new(&record), 0);
    let found: Vec<_> = (0..7).map(|_| keys.read(&mut cursor, &mut next).unwrap()).collect();
    assert_eq!(found, [Some(1), Some(2), Some(3), Some(0), None, None, Some(0)]);
    assert!(cursor.rest().is_empty());
}
