//! Names of element types: what the input holds (`raw_dtype`) and what the column will hold (`dtype`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Element type of a vector column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE 754 binary32.
    #[default]
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// IEEE 754 binary16.
    Float16,
    /// Signed bytes.
    Int8,
    /// Unsigned bytes.
    UInt8,
}

impl Dtype {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Float32, Self::Float64, Self::Float16, Self::Int8, Self::UInt8];

    /// The same type among those of the input.
    pub(super) fn number(self) -> Number {
        match self {
            Self::Float32 => Number::F32,
            Self::Float64 => Number::F64,
            Self::Float16 => Number::F16,
            Self::Int8 => Number::I8,
            Self::UInt8 => Number::U8,
        }
    }

    /// The name that options use.
    pub fn as_str(self) -> &'static str {
        self.number().facts().name
    }

    /// Bytes an element.
    pub fn size(self) -> usize {
        self.number().size()
    }

    /// The type whose elements have this Arrow type.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| &dtype.data_type() == data_type)
    }

    /// The Arrow type of an element.
    pub fn data_type(self) -> DataType {
        self.number().facts().data_type.clone()
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|dtype| dtype.as_str() == name).ok_or_else(|| {
            Error::option(format!(
                "option `dtype`: `{name}` is not known: use float32, float64, float16, int8 or uint8"
            ))
        })
    }
}

/// How a number of a vector stored as untyped bytes is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Number {
    F16,
    BF16,
    F32,
    F64,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    /// NumPy's booleans: bytes of 0 and 1.
    Bool,
}

/// A type of numbers, as NumPy and Arrow know it.
struct Facts {
    number: Number,
    /// NumPy's code and name.
    code: &'static str,
    name: &'static str,
    size: usize,
    /// Bits of the exponent; 0 of integers, which have none.
    exponent_bits: u32,
    /// The Arrow type of an element that is kept as it is.
    data_type: DataType,
}

const fn facts(
    number: Number,
    code: &'static str,
    name: &'static str,
    size: usize,
    exponent_bits: u32,
    data_type: DataType,
) -> Facts {
    Facts { number, code, name, size, exponent_bits, data_type }
}

/// In the order of [`Number`].
static NUMBERS: [Facts; 13] = [
    facts(Number::F16, "f2", "float16", 2, 5, DataType::Float16),
    facts(Number::BF16, "bf16", "bfloat16", 2, 8, DataType::Float32),
    facts(Number::F32, "f4", "float32", 4, 8, DataType::Float32),
    facts(Number::F64, "f8", "float64", 8, 11, DataType::Float64),
    facts(Number::I8, "i1", "int8", 1, 0, DataType::Int8),
    facts(Number::U8, "u1", "uint8", 1, 0, DataType::UInt8),
    facts(Number::I16, "i2", "int16", 2, 0, DataType::Int16),
    facts(Number::U16, "u2", "uint16", 2, 0, DataType::UInt16),
    facts(Number::I32, "i4", "int32", 4, 0, DataType::Int32),
    facts(Number::U32, "u4", "uint32", 4, 0, DataType::UInt32),
    facts(Number::I64, "i8", "int64", 8, 0, DataType::Int64),
    facts(Number::U64, "u8", "uint64", 8, 0, DataType::UInt64),
    facts(Number::Bool, "b1", "bool", 1, 0, DataType::Boolean),
];

impl Number {
    fn facts(self) -> &'static Facts {
        &NUMBERS[self as usize]
    }

    pub(crate) fn size(self) -> usize {
        self.facts().size
    }
}

/// How to read vectors stored as untyped bytes, in NumPy's notation: `<f4`, `>f4`, `<f2`, `<f8`, `|i1`, `|u1`, `bf16`, ...
///
/// ```
/// # use vecpack::RawDtype;
/// let raw: RawDtype = ">f4".parse()?;
/// assert_eq!((raw.size(), raw.to_string().as_str()), (4, ">f4"));
/// assert_eq!("float32".parse::<RawDtype>()?, RawDtype::default());
/// # Ok::<(), vecpack::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RawDtype {
    pub(crate) number: Number,
    pub(crate) big_endian: bool,
}

impl Default for RawDtype {
    fn default() -> Self {
        Self { number: Number::F32, big_endian: false }
    }
}

impl fmt::Display for RawDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match (self.number, self.big_endian) {
            (Number::BF16, false) => "",
            (Number::I8 | Number::U8 | Number::Bool, _) => "|",
            (_, true) => ">",
            (_, false) => "<",
        };
        write!(f, "{order}{}", self.number.facts().code)
    }
}

impl FromStr for RawDtype {
    type Err = Error;

    /// Takes `<`, `>`, `|`, `=` or nothing (little-endian), then a code (`f4`) or a name (`float32`).
    fn from_str(text: &str) -> Result<Self, Error> {
        let (big_endian, name) = match text.split_at_checked(1) {
            Some((">", name)) => (true, name),
            Some(("<" | "|", name)) => (false, name),
            Some(("=", name)) => (cfg!(target_endian = "big"), name),
            _ => (false, text),
        };
        let is_named = |facts: &&Facts| name == facts.code || name == facts.name;
        let facts = NUMBERS.iter().find(is_named).ok_or_else(|| {
            Error::option(format!(
                "option `raw_dtype`: `{text}` is not known: use NumPy's notation, such as <f4, >f4, <f2, <f8, |i1, |u1, or bf16"
            ))
        })?;
        Ok(Self { number: facts.number, big_endian: big_endian && facts.size > 1 })
    }
}

impl RawDtype {
    /// Bytes an element.
    pub fn size(self) -> usize {
        self.number.size()
    }

    /// The type that a producer's `name` stands for. Beside what options take: PyTorch's names, and those of NumPy's,
    /// Arrow's and other languages' types that mean the same everywhere.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix("torch.").unwrap_or(name);
        let lower = name.to_ascii_lowercase();
        let known = match &*lower {
            "half" | "halffloat" | "fp16" | "f16" => "f2",
            "single" | "fp32" | "f32" => "f4",
            "double" | "fp64" | "f64" => "f8",
            // The case of codes tells one from another: `U4` is text, and `D` is complex.
            _ if name.len() <= "<f8".len() => match name {
                "e" => "f2",
                "f" => "f4",
                "d" => "f8",
                name => name,
            },
            lower => lower,
        };
        name.parse().or_else(|_| known.parse()).ok()
    }

    /// NumPy's name, without the byte order.
    pub(crate) fn name(self) -> &'static str {
        self.number.facts().name
    }

    /// The Arrow type of an element that is kept as it is; `None` of booleans.
    pub(crate) fn data_type(self) -> Option<DataType> {
        (self.number != Number::Bool).then(|| self.number.facts().data_type.clone())
    }

    /// Bits of the exponent; 0 of integers, which have none.
    pub(crate) fn exponent_bits(self) -> u32 {
        self.number.facts().exponent_bits
    }

    /// True for floats of 16 bits.
    pub(crate) fn is_half(self) -> bool {
        self.exponent_bits() > 0 && self.size() == 2
    }

    pub(crate) const fn of(number: Number) -> Self {
        Self { number, big_endian: false }
    }
}

impl TryFrom<String> for RawDtype {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<RawDtype> for String {
    fn from(raw: RawDtype) -> Self {
        raw.to_string()
    }
}

/// How to read vectors stored as untyped bytes: one type for all columns, or another one for some.
///
/// ```
/// # use vecpack::{RawDtype, RawDtypes};
/// let raw = RawDtypes::from(RawDtype::default()).with_column("q", "|i1".parse()?);
/// assert_eq!(raw.of("v").to_string(), "<f4");
/// assert_eq!(raw.of("q").to_string(), "|i1");
/// # Ok::<(), vecpack::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawDtypes {
    /// The type in columns that `columns` does not name. If none is given, it is what fields beside the bytes say, and else `<f4`.
    pub default: Option<RawDtype>,
    /// The types in some columns, by the name of the column.
    pub columns: BTreeMap<String, RawDtype>,
}

impl RawDtypes {
    /// Sets the type in one column.
    pub fn with_column(mut self, name: impl Into<String>, raw: RawDtype) -> Self {
        self.columns.insert(name.into(), raw);
        self
    }

    /// The type that is given for the column `name`, and `<f4` if none is: a field beside the bytes may then name another.
    pub fn of(&self, name: &str) -> RawDtype {
        self.given(name).unwrap_or_default()
    }

    /// The type that is given for the column `name`, if one is.
    pub(crate) fn given(&self, name: &str) -> Option<RawDtype> {
        self.columns.get(name).copied().or(self.default)
    }

    /// The type that is given for all other columns, and `<f4` if none is.
    pub(crate) fn of_any(&self) -> RawDtype {
        self.default.unwrap_or_default()
    }
}

impl From<RawDtype> for RawDtypes {
    fn from(default: RawDtype) -> Self {
        Self { default: Some(default), columns: BTreeMap::new() }
    }
}
