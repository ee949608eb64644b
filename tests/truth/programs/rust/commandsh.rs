// needs: shell
use std::process::Command;

fn main() {
    let out = Command::new("sh").arg("-c").arg("echo from the shell").output().unwrap();
    println!("{:?}", out);
}
