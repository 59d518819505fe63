use super::{with_flags, wrapped};

#[test]
fn options_of_the_library_become_flags() {
    for (text, flags) in [
        ("option `dim` must be at least 1", "--dim must be at least 1"),
        ("(option `on_error=skip` leaves)", "(--on-error skip leaves)"),
        ("pass option `raw_dtype=<f8`", "pass --raw-dtype '<f8'"),
        ("option `a`: option `b_c`", "--a: --b-c"),
        // Options that look like flags, and an option that is cut off.
        ("field `dim` of option `", "field `dim` of option `"),
        ("option `No Option` option `x`", "option `No Option` --x"),
        ("option ``", "option ``"),
        ("", ""),
    ] {
        assert_eq!(with_flags(text), flags);
    }
}

#[test]
fn lines_break_at_words_and_lose_nothing() {
    let text =
        "vecpack: one two three four five six\n\n  seven  eight averylongwordwithoutanyspaceatall nine";
    assert_eq!(wrapped(text, None), text);
    assert_eq!(wrapped(text, Some(200)), text);
    let lines = wrapped(text, Some(30));
    assert_eq!(
        lines,
        "vecpack: one two three four\n         five six\n\n  seven  eight\n         \
         averylongwordwithoutanyspaceatall\n         nine"
    );
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&lines), words(text));
}
