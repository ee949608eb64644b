// needs:
// asks: tz
use std::ffi::{c_int, c_long, c_void};

extern "C" {
    fn localtime_r(time: *const c_long, result: *mut c_int) -> *const c_void;
}

fn main() {
    let mut result = [0; 16];
    unsafe { localtime_r(&0, result.as_mut_ptr()) };
    println!("{:?}", result);
}
