//! Prints what it was given and where it runs, from a thread of its own.
//!
//! The standard library needs libc.so.6, and libgcc_s.so.1 to unwind the stack when a thread panics.

use std::env;
use std::net::ToSocketAddrs;
use std::panic;
use std::process::ExitCode;
use std::thread;

extern "C" {
    fn getuid() -> u32;
}

/// The addresses of a name, from /etc/hosts or the name servers.
fn addresses(name: &str) -> Result<String, String> {
    let found = (name, 0).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut texts: Vec<String> = found.map(|address| address.ip().to_string()).collect();
    texts.sort();
    texts.dedup();
    Ok(texts.join(" "))
}

/// Whether a panic of a thread is caught: it is not where libgcc_s does not work.
fn unwinds() -> bool {
    panic::set_hook(Box::new(|_| {}));
    let caught = thread::spawn(|| panic!("on purpose")).join().is_err();
    let _ = panic::take_hook();
    caught
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    // SAFETY: getuid(2) takes nothing and cannot fail.
    let uid = unsafe { getuid() };
    let name = arguments.first().cloned().unwrap_or_else(|| "localhost".to_owned());
    println!("hello from Rust");
    println!("uid: {uid}");
    println!("arguments: {}", arguments.join(" "));
    match thread::spawn(move || (addresses(&name), name)).join() {
        Ok((Ok(found), name)) => println!("{name}: {found}"),
        Ok((Err(reason), name)) => println!("{name}: not found: {reason}"),
        Err(_) => return ExitCode::FAILURE,
    }
    let caught = unwinds();
    println!("panic: {}", if caught { "caught" } else { "lost" });
    if caught { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
