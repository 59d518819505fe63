//! Writes vectors the ways that producers do.

use vecpack::Dtype;

/// How a vector is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Bin8,
    Bin16,
    Bin32,
    Str8,
    Str32,
    Floats,
    Doubles,
    Integers,
    Mixed,
    MsgpackNumpy,
    NumpyMap,
    Flax,
    TypedArray,
    BlitLittle,
    BlitBig,
    Aligned,
    Tuple,
    RustNdarray,
    Numcodecs,
}

impl Way {
    pub const ALL: [Self; 19] = [
        Self::Bin8,
        Self::Bin16,
        Self::Bin32,
        Self::Str8,
        Self::Str32,
        Self::Floats,
        Self::Doubles,
        Self::Integers,
        Self::Mixed,
        Self::MsgpackNumpy,
        Self::NumpyMap,
        Self::Flax,
        Self::TypedArray,
        Self::BlitLittle,
        Self::BlitBig,
        Self::Aligned,
        Self::Tuple,
        Self::RustNdarray,
        Self::Numcodecs,
    ];

    /// Whether it holds any float32: the others hold integers of one byte.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::Doubles | Self::Integers | Self::Mixed)
    }

    /// The object.
    pub fn write(self, vector: &[f32]) -> Vec<u8> {
        let data: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        let shape = array(&[unsigned(vector.len())]);
        let floats = || array(&vector.iter().map(|&x| float(x)).collect::<Vec<_>>());
        match self {
            Self::Bin8 => [vec![0xc4, data.len() as u8], data].concat(),
            Self::Bin16 => [vec![0xc5], (data.len() as u16).to_be_bytes().to_vec(), data].concat(),
            Self::Bin32 => [vec![0xc6], (data.len() as u32).to_be_bytes().to_vec(), data].concat(),
            Self::Str8 => [vec![0xd9, data.len() as u8], data].concat(),
            Self::Str32 => [vec![0xdb], (data.len() as u32).to_be_bytes().to_vec(), data].concat(),
            Self::Floats => floats(),
            Self::Doubles => array(&vector.iter().map(|&x| double(x)).collect::<Vec<_>>()),
            Self::Integers => array(&vector.iter().map(|&x| integer(x as i64)).collect::<Vec<_>>()),
            Self::Mixed => {
                let mixed = |(at, &x): (usize, &f32)| match at % 3 {
                    0 => double(x),
                    1 => integer(x as i64),
                    _ => float(x),
                };
                array(&vector.iter().enumerate().map(mixed).collect::<Vec<_>>())
            }
            Self::MsgpackNumpy => map(&[
                (bin(b"nd"), vec![0xc3]),
                (bin(b"type"), text("<f4")),
                (bin(b"kind"), bin(b"")),
                (bin(b"shape"), shape),
                (bin(b"data"), bin(&data)),
            ]),
            Self::NumpyMap => map(&[
                (text("__ndarray__"), vec![0xc3]),
                (text("data"), bin(&data)),
                (text("dtype"), text("float32")),
                (text("shape"), shape),
            ]),
            Self::Flax => ext(1, &array(&[shape, text("float32"), bin(&data)])),
            Self::TypedArray => ext(b't', &[&[7], &data[..]].concat()),
            Self::BlitLittle => ext(38, &[unsigned(data.len()), vec![0xc3], data].concat()),
            Self::BlitBig => {
                let big = vector.iter().flat_map(|x| x.to_be_bytes()).collect();
                ext(38, &[unsigned(data.len()), vec![0xc2], big].concat())
            }
            Self::Aligned => ext(0, &[&[3, 0, 0], &data[..]].concat()),
            Self::Tuple => array(&[text("float32"), shape, bin(&data)]),
            Self::RustNdarray => array(&[vec![1], shape, floats()]),
            Self::Numcodecs => {
                let mut items: Vec<_> = vector.iter().map(|&x| float(x)).collect();
                items.extend([text("<f4"), shape]);
                array(&items)
            }
        }
    }
}

pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    let head = match items.len() {
        length @ 0..16 => vec![0x90 | length as u8],
        length => [vec![0xdc], (length as u16).to_be_bytes().to_vec()].concat(),
    };
    [head, items.concat()].concat()
}

pub fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| [&key[..], value].concat()).collect();
    [vec![0xde], (pairs.len() as u16).to_be_bytes().to_vec(), pairs.concat()].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    [&[0xd9, text.len() as u8], text.as_bytes()].concat()
}

pub fn bin(bytes: &[u8]) -> Vec<u8> {
    [&[0xc5], &(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

pub fn ext(code: u8, bytes: &[u8]) -> Vec<u8> {
    [&[0xc8], &(bytes.len() as u16).to_be_bytes()[..], &[code], bytes].concat()
}

pub fn unsigned(number: usize) -> Vec<u8> {
    [&[0xcd], &(number as u16).to_be_bytes()[..]].concat()
}

pub fn integer(number: i64) -> Vec<u8> {
    [&[0xd3], &number.to_be_bytes()[..]].concat()
}

fn float(x: f32) -> Vec<u8> {
    [&[0xca], &x.to_be_bytes()[..]].concat()
}

fn double(x: f32) -> Vec<u8> {
    [&[0xcb], &f64::from(x).to_be_bytes()[..]].concat()
}

/// The bytes of a row of a column of `dtype`, which all of the numbers fit.
pub fn row(vector: &[f32], dtype: Dtype) -> Vec<u8> {
    let element = |&x: &f32| match dtype {
        Dtype::Float64 => f64::from(x).to_ne_bytes().to_vec(),
        Dtype::Int8 => vec![x as i8 as u8],
        _ => x.to_ne_bytes().to_vec(),
    };
    vector.iter().flat_map(element).collect()
}
