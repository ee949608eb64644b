// Starts a program that is no shell.
// needs:
use std::process::Command;

fn main() {
    println!("{:?}", Command::new("/usr/bin/true").status());
}
