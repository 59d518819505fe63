use super::ByteSize;

#[test]
fn reads_what_people_write() {
    for (text, bytes) in [
        ("0", 0),
        ("1048576", 1 << 20),
        ("8MiB", 8 << 20),
        ("8 mib", 8 << 20),
        ("64MB", 64_000_000),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("7B", 7),
        ("2GiB", 2 << 30),
        ("3TB", 3_000_000_000_000),
    ] {
        assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
    }
}

#[test]
fn refuses_what_is_no_size() {
    for text in [
        "",
        "MiB",
        "-1",
        "1.5GB",
        "8M",
        "8 Mi B",
        "1e6",
        "8MiBs",
        "99999999999999999999",
        "18446744073709551615kB",
        "8é",
    ] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
}

#[test]
fn shows_what_it_reads() {
    for (bytes, text) in [
        (0, "0"),
        (1000, "1000"),
        (8 << 20, "8MiB"),
        (256 << 20, "256MiB"),
        (1 << 30, "1GiB"),
        (1536, "1536"),
    ] {
        assert_eq!(ByteSize(bytes).to_string(), text);
        assert_eq!(text.parse(), Ok(ByteSize(bytes)));
    }
}
