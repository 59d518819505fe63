#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vecpack_fuzz::targets::compressed::run(data));
