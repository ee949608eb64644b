// needs:
package main

import (
	"fmt"
	"net"
	"os"
)

func main() { fmt.Println(net.Listen("unix", os.Args[1])) }
