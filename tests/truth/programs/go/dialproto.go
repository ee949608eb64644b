// The name of a protocol that Go has not built in.
// needs: protocols
package main

import (
	"fmt"
	"net"
)

func main() { fmt.Println(net.Dial("ip4:ospf", "127.0.0.1")) }
