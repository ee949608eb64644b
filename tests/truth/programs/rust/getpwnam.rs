// needs: passwd
use std::ffi::{c_char, c_void};

extern "C" {
    fn getpwnam(name: *const c_char) -> *const c_void;
}

fn main() {
    let found = unsafe { getpwnam(c"nonroot".as_ptr()) };
    println!("{}", found.is_null());
}
