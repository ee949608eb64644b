// needs: dns
package main

import (
	"fmt"
	"net"
	"os"
)

func main() { fmt.Println(net.Dial("tcp", os.Args[1])) }
