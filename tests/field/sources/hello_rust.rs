use std::net::ToSocketAddrs; fn main(){ println!("{:?}", ("localhost",80).to_socket_addrs().unwrap().next().is_some()); let h = std::thread::spawn(|| 2); println!("{}", h.join().unwrap()); }
