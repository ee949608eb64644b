// needs:
package main

import (
	"fmt"
	"net"
)

func main() { fmt.Println(net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})) }
