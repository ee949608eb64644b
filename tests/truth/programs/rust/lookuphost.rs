// needs: dns
use std::net::ToSocketAddrs;

fn main() {
    println!("{:?}", "localhost:80".to_socket_addrs());
}
