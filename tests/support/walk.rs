//! Walks a Parquet file page by page and compares every number in its footer and its page index
//! with the pages themselves.
//!
//! Nothing here knows the `parquet` crate: page headers and the footer are read by [`Thrift`],
//! levels and values by the loops in [`pages`](self::pages).

mod pages;
mod thrift;

use std::collections::BTreeMap;
use std::path::Path;

use self::pages::{Bounds, Codec, Page};
use self::thrift::Thrift;

/// A leaf column of the schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaf {
    pub(crate) path: Vec<String>,
    physical: i64,
    length: usize,
    max_rep: i64,
    max_def: i64,
    order: Order,
}

/// How the values of a column are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Order {
    Signed,
    Unsigned,
    /// Half floats, decimals and intervals in bytes, whose bounds are not checked.
    #[default]
    Unknown,
}

/// What a column chunk holds.
#[derive(Debug)]
pub(crate) struct WalkedChunk {
    pub(crate) column: String,
    pub(crate) has_dictionary: bool,
    /// Offset and rows of each data page.
    pub(crate) pages: Vec<(usize, usize)>,
}

const BOOLEAN: i64 = 0;
const INT32: i64 = 1;
const INT64: i64 = 2;
const FLOAT: i64 = 4;
const DOUBLE: i64 = 5;
const BYTE_ARRAY: i64 = 6;
const FIXED: i64 = 7;
const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;

/// Walks every Parquet file under `directory`: every file that begins like one.
pub(crate) fn walk_directory(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk_directory(&path),
            Ok(kind) if kind.is_file() => {
                let Ok(bytes) = std::fs::read(&path) else { continue };
                let is_temporary = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
                if bytes.starts_with(b"PAR1") && !is_temporary {
                    println!("walking {}", path.display());
                    walk(&bytes);
                }
            }
            _ => {}
        }
    }
}

/// Walks a file; panics at the first number in it that is not true. Gives its column chunks, row
/// group by row group.
pub(crate) fn walk(file: &[u8]) -> Vec<WalkedChunk> {
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"), "not a whole Parquet file");
    let end = file.len() - 8;
    let footer_start = end - u32::from_le_bytes(file[end..end + 4].try_into().unwrap()) as usize;
    let (footer, length) = Thrift::parse(&file[footer_start..end]);
    assert_eq!(footer_start + length, end, "the footer's length");
    let leaves = leaves(footer.field(2).list());
    assert_eq!(footer.get(7).map(|orders| orders.list().len()), Some(leaves.len()), "column orders");
    let mut ranges = vec![(0, 4, "magic".to_owned()), (footer_start, file.len(), "footer".to_owned())];
    let (mut rows, mut chunks) = (0, Vec::new());
    for (ordinal, group) in footer.field(4).list().iter().enumerate() {
        let columns = group.field(1).list();
        assert_eq!(columns.len(), leaves.len(), "columns of row group {ordinal}");
        let (mut total, mut compressed, mut first) = (0, 0, usize::MAX);
        for (column, leaf) in columns.iter().zip(&leaves) {
            let name = leaf.path.join(".");
            let what = format!("row group {ordinal}, column {name}");
            let chunk = Chunk { file, leaf, column, what: &what, rows: group.field(3).size() };
            let start = ranges.len();
            chunks.push(chunk.walk(&mut ranges));
            first = first.min(ranges[start].0);
            total += column.field(3).field(6).int();
            compressed += column.field(3).field(7).int();
        }
        assert_eq!(group.field(2).int(), total, "total_byte_size of row group {ordinal}");
        for (field, expected) in [(5, first as i64), (6, compressed), (7, ordinal as i64)] {
            if let Some(found) = group.get(field).filter(|_| !columns.is_empty()) {
                assert_eq!(found.int(), expected, "field {field} of row group {ordinal}");
            }
        }
        rows += group.field(3).int();
    }
    assert_eq!(footer.field(3).int(), rows, "rows of the file");
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "{:?} and {:?} overlap", pair[0], pair[1]);
    }
    chunks
}

/// The leaves of a schema, in order.
fn leaves(elements: &[Thrift]) -> Vec<Leaf> {
    fn descend(elements: &[Thrift], at: &mut usize, above: &Leaf, leaves: &mut Vec<Leaf>) {
        let element = &elements[*at];
        *at += 1;
        let mut leaf = above.clone();
        leaf.path.push(String::from_utf8(element.field(4).bytes().to_vec()).unwrap());
        let repetition = element.field(3).int();
        leaf.max_def += i64::from(repetition > 0);
        leaf.max_rep += i64::from(repetition == 2);
        match element.get(5).map_or(0, Thrift::int) {
            0 if element.get(1).is_none() => {} // a group without fields
            0 => {
                leaf.physical = element.field(1).int();
                leaf.length = element.get(2).map_or(0, Thrift::size);
                leaf.order = order(element, leaf.physical);
                leaves.push(leaf);
            }
            children => (0..children).for_each(|_| descend(elements, at, &leaf, leaves)),
        }
    }
    let (mut leaves, mut at) = (Vec::new(), 1);
    while at < elements.len() {
        descend(elements, &mut at, &Leaf::default(), &mut leaves);
    }
    leaves
}

fn order(element: &Thrift, physical: i64) -> Order {
    let logical = element.get(10).and_then(|logical| logical.fields().first_key_value());
    match (logical, physical) {
        // INTEGER { bit_width, is_signed }
        (Some((10, integer)), _) if !integer.field(2).is_true() => Order::Unsigned,
        (Some((1 | 4 | 12 | 13, _)) | None, BYTE_ARRAY | FIXED)
            if element.get(6).is_none_or(|c| c.int() < 4) =>
        {
            Order::Unsigned
        }
        (_, BYTE_ARRAY | FIXED) => Order::Unknown,
        _ => Order::Signed,
    }
}

struct Chunk<'a> {
    file: &'a [u8],
    leaf: &'a Leaf,
    column: &'a Thrift,
    what: &'a str,
    rows: usize,
}

/// What the data pages of a chunk come to.
#[derive(Default)]
struct Sums {
    values: usize,
    nulls: usize,
    uncompressed: usize,
    text_bytes: usize,
    encodings: Vec<i64>,
    /// Pages by type and encoding.
    kinds: BTreeMap<(i64, i64), i64>,
    rep: Vec<i64>,
    def: Vec<i64>,
    bounds: Bounds,
}

impl Chunk<'_> {
    fn walk(&self, ranges: &mut Vec<(usize, usize, String)>) -> WalkedChunk {
        let Self { file, leaf, what, .. } = *self;
        let metadata = self.column.field(3);
        let path: Vec<_> = metadata.field(3).list().iter().map(|name| name.bytes().to_vec()).collect();
        assert_eq!(path, leaf.path.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>(), "{what}");
        assert_eq!(metadata.field(1).int(), leaf.physical, "{what}: type");
        let dictionary_offset = metadata.get(11).map(Thrift::size);
        let data_offset = metadata.field(9).size();
        let start = dictionary_offset.unwrap_or(data_offset);
        let end = start + metadata.field(7).size();
        assert!(start >= 4 && end <= file.len(), "{what}: {start}..{end} is not in the file");
        assert!(
            metadata.get(10).is_none() && metadata.get(14).is_none(),
            "{what}: an index or a bloom filter"
        );
        ranges.push((start, end, what.to_owned()));
        let offset_index = self.index(4, ranges).unwrap_or_else(|| panic!("{what}: no offset index"));
        let locations = offset_index.field(1).list();
        let column_index = self.index(6, ranges);
        let codec = Codec(metadata.field(4).int());
        let (mut sums, mut dictionary, mut at, mut row) = (Sums::default(), None, start, 0);
        let mut walked = WalkedChunk {
            column: leaf.path.join("."),
            has_dictionary: dictionary_offset.is_some(),
            pages: vec![],
        };
        (sums.rep, sums.def) = (vec![0; leaf.max_rep as usize + 1], vec![0; leaf.max_def as usize + 1]);
        while at < end {
            let (header, length) = Thrift::parse(&file[at..end]);
            let body = at + length;
            let next = body + header.field(3).size();
            assert!(next <= end, "{what}: the page at {at} ends behind the chunk");
            let page = codec.uncompress(&file[body..next], header.field(2).size());
            sums.uncompressed += length + page.len();
            if header.field(1).int() == DICTIONARY_PAGE {
                assert_eq!((Some(at), at), (dictionary_offset, start), "{what}: the dictionary's offset");
                let (count, encoding) = (header.field(7).field(1).size(), header.field(7).field(2).int());
                *sums.kinds.entry((DICTIONARY_PAGE, encoding)).or_default() += 1;
                sums.encodings.push(encoding);
                dictionary = Some(pages::plain(leaf, &page, count));
            } else {
                assert_eq!(header.field(1).int(), DATA_PAGE, "{what}: the type of the page at {at}");
                if walked.pages.is_empty() {
                    assert_eq!(data_offset, at, "{what}: data_page_offset");
                }
                let number = walked.pages.len();
                let location =
                    locations.get(number).unwrap_or_else(|| panic!("{what}: page {number} has no location"));
                let found = [1, 2, 3].map(|field| location.field(field).size());
                assert_eq!(found, [at, next - at, row], "{what}: location of page {number}");
                let page = Page::read(leaf, header.field(5), &page, dictionary.as_deref());
                sums.add(header.field(5), &page);
                if let Some(index) = &column_index {
                    self.compare_with_index(index, number, &page);
                }
                walked.pages.push((at, page.rows));
                row += page.rows;
            }
            at = next;
        }
        assert_eq!(row, self.rows, "{what}: rows");
        assert_eq!(locations.len(), walked.pages.len(), "{what}: pages in the offset index");
        if let Some(texts) = offset_index.get(2) {
            let sum: i64 = texts.list().iter().map(Thrift::int).sum();
            assert_eq!(sum, sums.text_bytes as i64, "{what}: bytes of text in the offset index");
        }
        if let Some(index) = &column_index {
            self.check_order(index);
        }
        self.compare(metadata, sums, dictionary.is_some());
        walked
    }

    /// The page index whose offset is field `field` of the chunk.
    fn index(&self, field: i16, ranges: &mut Vec<(usize, usize, String)>) -> Option<Thrift> {
        let (start, length) = (self.column.get(field)?.size(), self.column.field(field + 1).size());
        let (index, read) = Thrift::parse(&self.file[start..start + length]);
        assert_eq!(read, length, "{}: the length of an index", self.what);
        ranges.push((start, start + length, format!("index {field} of {}", self.what)));
        Some(index)
    }

    /// Compares the footer with what the pages came to.
    fn compare(&self, metadata: &Thrift, mut sums: Sums, has_dictionary: bool) {
        let what = self.what;
        assert_eq!(metadata.get(11).is_some(), has_dictionary, "{what}: dictionary_page_offset");
        assert_eq!(metadata.field(5).size(), sums.values, "{what}: num_values");
        assert_eq!(metadata.field(6).size(), sums.uncompressed, "{what}: total_uncompressed_size");
        let mut listed: Vec<i64> = metadata.field(2).list().iter().map(Thrift::int).collect();
        listed.sort_unstable();
        sums.encodings.sort_unstable();
        sums.encodings.dedup();
        assert_eq!(listed, sums.encodings, "{what}: encodings");
        if let Some(stats) = metadata.get(13) {
            let mut listed = BTreeMap::new();
            for stat in stats.list() {
                let kind = (stat.field(1).int(), stat.field(2).int());
                *listed.entry(kind).or_default() += stat.field(3).int();
            }
            assert_eq!(listed, sums.kinds, "{what}: page encoding stats");
        }
        if let Some(statistics) = metadata.get(12) {
            if let Some(nulls) = statistics.get(3) {
                assert_eq!(nulls.size(), sums.nulls, "{what}: null_count");
            }
            let bounds = [(6, 8), (5, 7)].map(|(value, exact)| {
                (statistics.get(value).map(Thrift::bytes), statistics.get(exact).is_none_or(Thrift::is_true))
            });
            if let [(Some(min), min_exact), (Some(max), max_exact)] = bounds {
                sums.bounds.check(self.leaf, min, max, [min_exact, max_exact], what);
            }
        }
        if let Some(sizes) = metadata.get(16) {
            if let Some(bytes) = sizes.get(1) {
                assert_eq!(bytes.size(), sums.text_bytes, "{what}: unencoded bytes");
            }
            for (field, expected) in [(2, &sums.rep), (3, &sums.def)] {
                if let Some(found) = sizes.get(field) {
                    let found: Vec<i64> = found.list().iter().map(Thrift::int).collect();
                    assert_eq!(&found, expected, "{what}: histogram {field}");
                }
            }
        }
    }

    /// Bounds of pages that are said to ascend (1) or to descend (2) must do so.
    fn check_order(&self, index: &Thrift) {
        for field in [2, 3] {
            let bounds = index.field(field).list().iter().zip(index.field(1).list());
            let bounds = bounds.filter(|(_, is_null)| !is_null.is_true());
            let keys: Vec<_> = bounds.map(|(bound, _)| pages::key(self.leaf, bound.bytes())).collect();
            let is_true = match index.field(4).int() {
                1 => keys.is_sorted(),
                2 => keys.iter().rev().is_sorted(),
                _ => true,
            };
            assert!(is_true, "{}: boundary_order", self.what);
        }
    }

    fn compare_with_index(&self, index: &Thrift, number: usize, page: &Page) {
        let what = format!("{}, page {number}", self.what);
        let of_page =
            |field| index.field(field).list().get(number).unwrap_or_else(|| panic!("{what}: no index"));
        let is_null = page.nulls == page.values;
        assert_eq!(of_page(1).is_true(), is_null, "{what}: null_pages");
        if index.get(5).is_some() {
            assert_eq!(of_page(5).size(), page.nulls, "{what}: null_counts");
        }
        let (min, max) = (of_page(2).bytes(), of_page(3).bytes());
        if is_null {
            assert!(min.is_empty() && max.is_empty(), "{what}: bounds of nulls");
        } else {
            // Long texts are cut off in the index, which says nothing of it.
            page.bounds.check(self.leaf, min, max, [min.len() < 64, max.len() < 64], &what);
        }
        for (field, expected) in [(6, &page.rep), (7, &page.def)] {
            if let Some(found) = index.get(field) {
                let found = &found.list()[number * expected.len()..][..expected.len()];
                assert!(
                    found.iter().map(Thrift::int).eq(expected.iter().copied()),
                    "{what}: histogram {field}"
                );
            }
        }
    }
}

impl Sums {
    fn add(&mut self, header: &Thrift, page: &Page) {
        self.values += page.values;
        self.nulls += page.nulls;
        self.text_bytes += page.text_bytes;
        for (sum, count) in self.rep.iter_mut().zip(&page.rep).chain(self.def.iter_mut().zip(&page.def)) {
            *sum += count;
        }
        let encoding = header.field(2).int();
        *self.kinds.entry((DATA_PAGE, encoding)).or_default() += 1;
        // The encodings of levels are listed even where there are no levels.
        self.encodings.extend([encoding, header.field(3).int(), header.field(4).int()]);
        self.bounds.merge(&page.bounds);
    }
}
