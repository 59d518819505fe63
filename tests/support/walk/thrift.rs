//! Thrift's compact protocol, as far as Parquet uses it.

use std::collections::BTreeMap;

/// A value of any type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Thrift {
    Bool(bool),
    Int(i64),
    Double,
    Bytes(Vec<u8>),
    List(Vec<Thrift>),
    Struct(BTreeMap<i16, Thrift>),
}

impl Thrift {
    /// The struct at the start of `bytes`, and how many bytes it takes.
    pub(super) fn parse(bytes: &[u8]) -> (Self, usize) {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.value(12);
        (value, reader.at)
    }

    pub(super) fn fields(&self) -> &BTreeMap<i16, Thrift> {
        let Self::Struct(fields) = self else { panic!("{self:?} is no struct") };
        fields
    }

    pub(super) fn get(&self, field: i16) -> Option<&Self> {
        self.fields().get(&field)
    }

    pub(super) fn field(&self, field: i16) -> &Self {
        self.get(field).unwrap_or_else(|| panic!("no field {field} in {self:?}"))
    }

    pub(super) fn int(&self) -> i64 {
        let Self::Int(number) = self else { panic!("{self:?} is no integer") };
        *number
    }

    /// A number that is never negative.
    pub(super) fn size(&self) -> usize {
        usize::try_from(self.int()).unwrap_or_else(|_| panic!("{self:?} is negative"))
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let Self::Bytes(bytes) = self else { panic!("{self:?} is no text") };
        bytes
    }

    pub(super) fn list(&self) -> &[Self] {
        let Self::List(items) = self else { panic!("{self:?} is no list") };
        items
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    fn zigzag(&mut self) -> i64 {
        let value = self.varint();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    fn value(&mut self, kind: u8) -> Thrift {
        match kind {
            1 | 2 => Thrift::Bool(kind == 1),
            3 => Thrift::Int(i64::from(self.byte() as i8)),
            4..=6 => Thrift::Int(self.zigzag()),
            7 => {
                self.at += 8;
                Thrift::Double
            }
            8 => {
                let length = self.varint() as usize;
                self.at += length;
                Thrift::Bytes(self.bytes[self.at - length..self.at].to_vec())
            }
            9 | 10 => {
                let head = self.byte();
                let count = if head >> 4 == 15 { self.varint() } else { u64::from(head >> 4) };
                // A boolean in a list is a byte of its own.
                let item = |reader: &mut Self| match head & 15 {
                    1 | 2 => Thrift::Bool(reader.byte() == 1),
                    kind => reader.value(kind),
                };
                Thrift::List((0..count).map(|_| item(self)).collect())
            }
            12 => {
                let (mut fields, mut id) = (BTreeMap::new(), 0);
                loop {
                    let head = self.byte();
                    if head == 0 {
                        return Thrift::Struct(fields);
                    }
                    id = if head >> 4 == 0 { self.zigzag() as i16 } else { id + i16::from(head >> 4) };
                    let value = self.value(head & 15);
                    assert!(fields.insert(id, value).is_none(), "field {id} twice");
                }
            }
            kind => panic!("no type of Thrift: {kind}"),
        }
    }
}
