// needs: tmp
package main

import (
	"fmt"
	"os"
)

func main() { fmt.Println(os.MkdirTemp("", "x")) }
