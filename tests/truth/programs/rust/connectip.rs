// needs:
use std::net::{SocketAddr, TcpStream};

fn main() {
    println!("{:?}", TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], 9))));
}
