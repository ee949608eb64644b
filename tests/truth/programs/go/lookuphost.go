// needs: dns
package main

import (
	"fmt"
	"net"
	"os"
)

func main() { fmt.Println(net.LookupHost(os.Args[1])) }
